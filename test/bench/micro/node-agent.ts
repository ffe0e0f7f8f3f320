// The measurement of cells in Node, in a process of its own.

import { serve } from "../contenders/serve.ts";
import { answer } from "./answer.ts";

serve(answer);
