// Calls functions that a test page's script left on the page, with their types.

import type { Page } from "playwright-core";

type Functions<P> = { readonly [K in keyof P]: (...args: never[]) => unknown };
type Result<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never;
type Arguments<F> = F extends (...args: infer A) => unknown ? A : never;

/** What calls functions of the object `name` of a page. Arguments and results are copied, as JSON is. */
export function callsOf<P extends Functions<P>>(name: string) {
  return <K extends keyof P & string>(
    page: Page,
    method: K,
    ...args: Arguments<P[K]>
  ): Promise<Result<P[K]>> =>
    page.evaluate(
      ([object, called, given]) => {
        const all = globalThis as unknown as Record<
          string,
          Record<string, (...values: unknown[]) => unknown>
        >;
        return all[object]?.[called]?.(...given);
      },
      [name, method, args as unknown[]] as const,
    ) as Promise<Result<P[K]>>;
}
