// Entry of every npm script: `node scripts/setup.mjs start|test|bench|build|check|tornet [arguments]`. Brings the machine
// to where the command can run, then runs it with the Node 24 of node_modules. Plain JavaScript for Node 20, and without
// dependencies, since it runs before there are any. Setting up is in dependencies.mjs and system-packages.mjs.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { provideDependencies } from "./setup/dependencies.mjs";
import { SetupError } from "./setup/error.mjs";
import { provideSystemPackages } from "./setup/system-packages.mjs";

const OLDEST_NODE = 20;
const root = fileURLToPath(new URL("..", import.meta.url));

const commands = {
  start: { script: "scripts/start.ts", needs: ["tor", "openssl"] },
  test: {
    script: "scripts/test.ts",
    needs: ["tor", "chromium", "firefox-esr", "openssl", "python3-websockets"],
  },
  bench: { script: "test/bench/main.ts", needs: ["tor", "chromium", "openssl"] },
  build: { script: "scripts/build.ts", needs: [] },
  check: { script: "scripts/check.ts", needs: [] },
  tornet: { script: "test/tornet/main.ts", needs: ["tor", "openssl"] },
};

function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= OLDEST_NODE) return;
  throw new SetupError(`Allium needs Node ${OLDEST_NODE} or later; this is Node ${process.versions.node}.`);
}

/** The public network alone needs no tor of ours. */
function needsOf(command, args) {
  const index = args.indexOf("--network");
  const network = index < 0 ? args.find((arg) => arg.startsWith("--network="))?.slice(10) : args[index + 1];
  return command.script === commands.start.script && network === "public" ? [] : command.needs;
}

function environment() {
  const bin = join(root, "node_modules/.bin");
  const path = process.env.PATH ?? "";
  return { ...process.env, PATH: path.split(delimiter).includes(bin) ? path : `${bin}${delimiter}${path}` };
}

/** Runs the real script; signals are passed on, and so is the way it ends. */
function run(script, args) {
  const file = join(root, script);
  if (!existsSync(file)) throw new SetupError(`${script} does not exist.`);
  // The channel tells the script of this process's end, even a violent one.
  const child = spawn(
    join(root, "node_modules/node/bin/node"),
    ["--conditions=@allium/source", "--disable-warning=ExperimentalWarning", file, ...args],
    { cwd: root, env: environment(), stdio: ["inherit", "inherit", "inherit", "ipc"] },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  watchParent(() => child.kill("SIGTERM"));
  child.on("error", (error) => fail(error));
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

/** npm killed outright passes nothing on; what it started would go on for ever. */
function watchParent(onOrphaned) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onOrphaned();
  }, 500);
}

function fail(error) {
  console.error(error instanceof SetupError ? `\n${error.message}\n` : error);
  process.exit(1);
}

async function main() {
  checkNode();
  const [name = "", ...args] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new SetupError(`usage: setup.mjs ${Object.keys(commands).join("|")}`);
  await provideSystemPackages(needsOf(command, args));
  await provideDependencies(root);
  run(command.script, args);
}

main().catch(fail);
