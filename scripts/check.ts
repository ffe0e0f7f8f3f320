// `npm run check`: the rules of the house, without the tests of behaviour.

import { spawnSync } from "node:child_process";

const result = spawnSync("vitest", ["run", "--project", "repo"], { stdio: "inherit" });
process.exitCode = result.status ?? 1;
