// The panel of WebSockets: opens one through Tor, sends, and shows what comes.

import { element, show, suggest, textElement } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { clearProblem, drawProblem } from "../problems.ts";
import type { Session } from "../session.ts";
import { upcoming } from "../upcoming.ts";

const MAX_LINES = 200;

export function webSocketPanel({ client, network, signal }: Session): void {
  const Socket = upcoming(client).WebSocket;
  const address = element<HTMLInputElement>("socket-address");
  const message = element<HTMLInputElement>("socket-message");
  let socket: WebSocket | undefined;
  reset();
  show("socket-missing", Socket === undefined);
  element<HTMLButtonElement>("socket-open").disabled = Socket === undefined;
  suggest("socket-suggestions", network.echoes, (echo) => {
    address.value = echo;
  });
  address.value = network.echoes[0] ?? "";
  signal.addEventListener("abort", () => socket?.close());
  element("socket-close").addEventListener("click", () => socket?.close(1000), { signal });
  element("socket").addEventListener(
    "submit",
    () => {
      socket?.close();
      clearProblem("socket-problem");
      try {
        socket = Socket && open(new Socket(address.value.trim()), signal);
      } catch (error) {
        drawProblem("socket-problem", error);
      }
    },
    { signal },
  );
  element("socket-send").addEventListener(
    "submit",
    () => {
      if (socket?.readyState !== WebSocket.OPEN) return;
      socket.send(message.value);
      note("sent", message.value);
      message.value = "";
    },
    { signal },
  );
}

function reset(): void {
  element("socket-log").replaceChildren();
  clearProblem("socket-problem");
  showOpen(false);
}

function showOpen(isOpen: boolean): void {
  show("socket-send", isOpen);
  show("socket-close", isOpen);
}

function open(socket: WebSocket, signal: AbortSignal): WebSocket {
  const began = performance.now();
  element("socket-log").replaceChildren();
  note("state", "Opening…");
  socket.binaryType = "arraybuffer";
  socket.addEventListener(
    "open",
    () => {
      note("state", `Open after ${Math.round(performance.now() - began)} ms.`);
      showOpen(true);
      element("socket-message").focus();
    },
    { signal },
  );
  socket.addEventListener("message", ({ data }) => note("received", describe(data)), { signal });
  socket.addEventListener("error", () => note("state", "It failed."), { signal });
  socket.addEventListener(
    "close",
    ({ code, reason }) => {
      note("state", `Closed (${code}${reason && `, ${reason}`}).`);
      showOpen(false);
    },
    { signal },
  );
  return socket;
}

function describe(data: unknown): string {
  return data instanceof ArrayBuffer ? formatBytes(data.byteLength) : String(data);
}

function note(kind: "sent" | "received" | "state", text: string): void {
  const log = element("socket-log");
  const line = textElement("li", "", kind);
  if (kind !== "state")
    line.append(textElement("span", kind === "sent" ? "sent " : "received ", "visually-hidden"));
  line.append(textElement("bdi", text));
  log.append(line);
  while (log.childElementCount > MAX_LINES) log.firstElementChild?.remove();
  log.scrollTop = log.scrollHeight;
}
