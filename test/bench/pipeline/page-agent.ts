// One version in a page, from WebSocket to application: the client through its own webDialer, the others from a bare WebSocket.

import { webDialer } from "@allium/web";
import type { Question } from "../contenders/protocol.ts";
import { servePage, startOfPage } from "../contenders/serve-page.ts";
import { ClientPipeline } from "./client.ts";
import { measure } from "./measure.ts";
import { messagesAhead, Pace } from "./pace.ts";
import { type Feed, isClient, type Pipeline, type PipelineStart } from "./protocol.ts";
import { receiver } from "./receivers.ts";

const start = await startOfPage<PipelineStart>();
const { source } = start;
if (source === undefined) throw new Error("a page is told where its bytes come from");
const { url, perMessage, targets = [], keys = { tlsKey: "", tlsIv: "", hops: [] } } = source;

async function open(path: string): Promise<WebSocket> {
  const socket = new WebSocket(new URL(path, url));
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return socket;
}

/** Tells the server how many messages it may send in all. */
const credit = await open("credit");
const pace = new Pace(messagesAhead(start.version), perMessage);
let told = 0;
function delivered(bytes: number): void {
  pace.delivered(bytes);
  if (pace.allowed === told) return;
  told = pace.allowed;
  credit.send(String(told));
}

/** Messages as they come; what is read counts as delivered. */
async function socketFeed(pipeline: () => Pipeline): Promise<Feed> {
  const messages: Uint8Array[] = [];
  let onMessage: () => void = () => {};
  const socket = await open("bytes");
  socket.onmessage = ({ data }) => {
    messages.push(new Uint8Array(data as ArrayBuffer));
    onMessage();
  };
  let isOver = false;
  socket.onclose = () => {
    isOver = true;
    onMessage();
  };
  return {
    async read() {
      delivered(pipeline().received);
      while (messages.length === 0 && !isOver)
        await new Promise<void>((resolve) => {
          onMessage = resolve;
        });
      return messages.shift();
    },
  };
}

async function pipelineOf(): Promise<Pipeline> {
  const { version } = start;
  if (isClient(version))
    return ClientPipeline.open({
      version,
      dialer: webDialer({ bridges: [url] }),
      targets,
      onDelivered: delivered,
    });
  let made: Pipeline | undefined;
  made = receiver(version, await socketFeed(() => made as Pipeline), keys);
  return made;
}

const pipeline = await pipelineOf();
await servePage((question: Question) => measure(pipeline, start, question));
