// Runs a pipeline in two parts: what is not counted, and what is.

import type { Question, Questions } from "../contenders/protocol.ts";
import type { Pipeline, PipelineStart } from "./protocol.ts";

export async function measure(
  pipeline: Pipeline,
  start: PipelineStart,
  question: Question,
): Promise<Questions["receive"]["answer"]> {
  if (question.ask !== "receive") throw new Error(`a pipeline cannot ${question.ask}`);
  const before = pipeline.received;
  const began = performance.now();
  await pipeline.until(question.warmUp ? start.warmUp : start.bytes);
  return { ms: performance.now() - began, bytes: pipeline.received - before };
}
