// A TCP service that gives back what it is sent, and ends when its peer does.

import net from "node:net";

export function createEchoServer(): net.Server {
  return net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
}
