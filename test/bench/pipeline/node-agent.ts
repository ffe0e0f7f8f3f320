// One version in Node, in a process of its own.

import { serve, startOf } from "../contenders/serve.ts";
import { inProcess } from "./in-process.ts";
import { measure } from "./measure.ts";
import type { PipelineStart } from "./protocol.ts";

const start = startOf<PipelineStart>();
const pipeline = await inProcess(start);
serve((question) => measure(pipeline, start, question));
