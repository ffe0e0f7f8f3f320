// The panel of WebSockets: opens one through Tor, sends, and shows what comes.

import type { TorWebSocket } from "@allium/core";
import { element, show, suggest, textElement } from "../dom.ts";
import { formatBytes, formatMs } from "../format.ts";
import { clearProblem, drawProblem } from "../problems.ts";
import type { Session } from "../session.ts";

const MAX_LINES = 200;

export function webSocketPanel({ client, network, signal }: Session): void {
  const address = element<HTMLInputElement>("socket-address");
  const message = element<HTMLInputElement>("socket-message");
  let socket: TorWebSocket | undefined;
  reset();
  suggest("socket-suggestions", network.echoes, (echo) => {
    address.value = echo;
  });
  address.value = network.echoes[0] ?? "";
  const open = () => {
    socket?.close();
    clearProblem("socket-problem");
    try {
      socket = new client.WebSocket(address.value.trim(), { signal });
      show("socket-close", true);
      follow(socket, signal, () => socket);
    } catch (error) {
      drawProblem("socket-problem", error);
    }
  };
  const send = () => {
    if (socket?.readyState !== 1) return;
    socket.send(message.value);
    note("sent", message.value);
    message.value = "";
  };
  element("socket").addEventListener("submit", open, { signal });
  element("socket-send").addEventListener("submit", send, { signal });
  element("socket-close").addEventListener("click", () => socket?.close(), { signal });
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

/** Shows what happens to a socket, as long as it is the `latest` one. */
function follow(socket: TorWebSocket, signal: AbortSignal, latest: () => TorWebSocket | undefined): void {
  const began = performance.now();
  const isShown = () => socket === latest() && !signal.aborted;
  element("socket-log").replaceChildren();
  note("state", "Opening…");
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    if (!isShown()) return;
    note("state", `Open after ${formatMs(performance.now() - began)}.`);
    showOpen(true);
    element("socket-message").focus();
  };
  socket.onmessage = ({ data }) => isShown() && note("received", describe(data));
  socket.onerror = ({ error }) => isShown() && drawProblem("socket-problem", error);
  socket.onclose = ({ code, reason }) => {
    if (!isShown()) return;
    note("state", `Closed (${code}${reason && `, ${reason}`}).`);
    showOpen(false);
  };
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
