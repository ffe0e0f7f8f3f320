// A WebSocket to an echo service as a bench uses it, whichever implements it: messages of 64 KiB, eight on their way at a time.

const MESSAGE = 64 * 1024;
const ON_THE_WAY = 8;

/** What the web's WebSocket and others have in common. */
interface EchoSocket {
  binaryType: string;
  onopen: unknown;
  onmessage: unknown;
  onerror: unknown;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** Settles when so many bytes have come back, a multiple of 64 KiB. */
export function echo(socket: EchoSocket, bytes: number): Promise<void> {
  const message = new Uint8Array(MESSAGE);
  let sent = 0;
  let received = 0;
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    const send = () => {
      if (sent >= bytes) return;
      sent += MESSAGE;
      socket.send(message);
    };
    socket.onopen = () => {
      for (let i = 0; i < ON_THE_WAY; i++) send();
    };
    socket.onmessage = ({ data }: { data: ArrayBuffer }) => {
      received += data.byteLength;
      send();
      if (received < bytes) return;
      socket.close();
      resolve();
    };
    socket.onerror = (event: { error?: unknown }) => reject(event.error ?? new Error("the WebSocket failed"));
  });
}
