// What the demo shows and this version of the client may not have yet.

import type { HopInfo, TorClientLike, TorErrorKind } from "@allium/core";

export interface CheckResult {
  readonly isTor: boolean;
  readonly address: string;
  readonly exit: HopInfo | undefined;
}

export interface Diagnosis {
  readonly good: boolean;
  readonly layer?: string;
  readonly error?: { readonly kind: TorErrorKind; readonly code: string; readonly message: string };
  readonly steps: readonly {
    readonly layer: string;
    readonly outcome: "good" | "failed" | "untried";
    readonly ms?: number;
  }[];
}

interface Upcoming {
  readonly WebSocket: new (url: string) => WebSocket;
  check(options: { readonly url: string; readonly signal: AbortSignal }): Promise<CheckResult>;
  diagnose(options: {
    readonly url: string;
    readonly timeout: number;
    readonly signal: AbortSignal;
  }): Promise<Diagnosis>;
}

export function upcoming(client: TorClientLike): Partial<Upcoming> {
  return client as TorClientLike & Partial<Upcoming>;
}
