// The forms of flow control and relay crypto that circuits can have, as the network makes them (test/tornet/params.ts). A client
// that follows the consensus as C tor's does needs no option of its own for any of them.

import type { TornetOptions } from "../tornet/types.ts";

export const FORMS = {
  /** Fixed windows, tor1 at every hop. */
  legacy: { consensusParams: { cc_alg: 0 } },
  /** Congestion control, tor1 at every hop. */
  cc: { consensusParams: { cc_alg: 2 }, withoutCgo: true },
  /** Congestion control, CGO at the exit: what the public network has. */
  cgo: { consensusParams: { cc_alg: 2 } },
} satisfies Record<string, Pick<TornetOptions, "consensusParams" | "withoutCgo">>;

export type Form = keyof typeof FORMS;

export function isForm(text: string): text is Form {
  return Object.hasOwn(FORMS, text);
}

/**
 * What a network of this form is started with. Conflux needs congestion control; without `conflux` it is off in the consensus,
 * with it C tor's usual client has it off and a second one has it on.
 */
export function formOptions(form: Form, conflux: boolean): TornetOptions {
  const options: TornetOptions = FORMS[form];
  const confluxClient = conflux && form !== "legacy";
  const consensusParams = { ...options.consensusParams, cfx_enabled: confluxClient ? 1 : 0 };
  return { ...options, consensusParams, confluxClient };
}
