// When a command is to end: at a signal, or when the process that started it is gone.

/** Aborted at SIGINT, SIGTERM, SIGHUP, and when the parent's channel closes. May be called once per process. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const stop = (why: string): void => controller.abort(new Error(`interrupted (${why})`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(signal));
  process.on("disconnect", () => stop("the parent has ended"));
  // A listener alone would keep this process alive.
  process.channel?.unref();
  return controller.signal;
}

/** Keeps the process alive until `signal` is aborted. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const heartbeat = setInterval(() => {}, 60_000);
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  clearInterval(heartbeat);
}
