// npm dependencies: installed wherever what is there is not what package-lock.json says. npm writes what it has installed
// into node_modules/.package-lock.json, so an installation made by hand counts as well. Versions and digests are the
// lock's; it is `npm install --no-save` and not `npm ci`, which refuses a lock that leaves out the packages of platforms
// that it was not made on.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { SetupError } from "./error.mjs";

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
  } catch {
    return {};
  }
}

function isInstalled(root) {
  const wanted = readPackages(join(root, "package-lock.json"));
  const present = readPackages(join(root, "node_modules/.package-lock.json"));
  return Object.entries(wanted).every(([path, entry]) => {
    // The workspaces themselves, and packages for other platforms.
    if (!path.includes("node_modules/") || entry.optional || entry.devOptional || entry.peer) return true;
    const found = present[path];
    return found !== undefined && found.version === entry.version && found.integrity === entry.integrity;
  });
}

/** npm itself, where this was started by it; else the one on the path. */
function npmCommand() {
  const script = process.env.npm_execpath;
  return script !== undefined && /npm-cli\.c?js$/.test(script)
    ? [process.execPath, script]
    : [process.platform === "win32" ? "npm.cmd" : "npm"];
}

export async function provideDependencies(root) {
  const node = join(root, "node_modules/node/bin/node");
  if (isInstalled(root) && existsSync(node)) return;
  console.log("Installing npm dependencies…");
  const [file, ...prefix] = npmCommand();
  const args = [
    ...prefix,
    "install",
    "--no-save",
    "--include=dev",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const code = await new Promise((resolve, reject) => {
    spawn(file, args, { cwd: root, stdio: "inherit" }).on("error", reject).on("exit", resolve);
  });
  if (code !== 0) throw new SetupError(`npm install failed (${code}); what it said is above.`);
  if (!existsSync(node)) {
    throw new SetupError(
      `npm install did not bring ${node}: were install scripts switched off (ignore-scripts)?`,
    );
  }
}
