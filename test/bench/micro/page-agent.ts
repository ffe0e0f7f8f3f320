// The measurement of cells in a page.

import { servePage } from "../contenders/serve-page.ts";
import { answer } from "./answer.ts";

await servePage(answer);
