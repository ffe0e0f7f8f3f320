// The one question that the agents of the suite `cells` answer.

import type { Question, Questions } from "../contenders/protocol.ts";
import { measureCgo } from "./cgo-measure.ts";

export async function answer(question: Question): Promise<Questions["cells"]["answer"]> {
  if (question.ask !== "cells") throw new Error(`what measures cells cannot ${question.ask}`);
  return measureCgo();
}
