// How far a fetch is, as told to who asks for it. As in XMLHttpRequest, `total` is known only where it means the same bytes.

export interface FetchProgress {
  readonly direction: "upload" | "download";
  /** Bytes so far; decoded ones of a download. A request that is sent once more begins anew. */
  readonly loaded: number;
  /** Bytes in all, where that is known: not of a body with a content coding. */
  readonly total?: number;
}

/** The same bytes, counted as they go through; a failure of `tell` is a failure of the stream. */
export function told(
  stream: ReadableStream<Uint8Array>,
  direction: FetchProgress["direction"],
  total: number | undefined,
  tell: (progress: FetchProgress) => void,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let loaded = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        loaded += value.length;
        try {
          tell({ direction, loaded, ...(total !== undefined && { total }) });
        } catch (error) {
          await reader.cancel(error).catch(() => {});
          throw error;
        }
        controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** The length that these header fields announce for the body as it is read. */
export function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  return length === null || headers.has("content-encoding") ? undefined : Number(length);
}
