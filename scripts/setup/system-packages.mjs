// Programs from the system: found, or on Debian installed where we are root, or named for the person to install.
// Installing tor must never start Debian's tor service, nor leave it enabled: it would join the public network.

import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, chmodSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { SetupError } from "./error.mjs";

const POLICY = "/usr/sbin/policy-rc.d";
const POLICY_TEXT =
  "#!/bin/sh\n# Allium's set-up is installing packages: no service is to be started.\nexit 101\n";
const TOR_UNITS = ["tor.service", "tor@default.service"];
const OLDEST_TOR = [0, 4, 9];

/** By Debian's package name: the programs that tell it is there, or a file that does, and its names elsewhere. */
const packages = {
  tor: { programs: ["tor", "tor-gencert"], what: "C tor 0.4.9 or later, with tor-gencert" },
  chromium: { programs: ["chromium"], what: "Chromium as /usr/bin/chromium" },
  "firefox-esr": { programs: ["firefox-esr"], what: "Firefox ESR as /usr/bin/firefox-esr" },
  openssl: { programs: ["openssl"], what: "the openssl command" },
  "python3-websockets": {
    programs: ["python3"],
    file: "/usr/lib/python3/dist-packages/websockets/__init__.py",
    what: "the websockets library of /usr/bin/python3",
  },
};

function which(program) {
  for (const directory of [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"]) {
    const file = join(directory, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

function torIsRecent() {
  const text = spawnSync("tor", ["--version", "--quiet"], { encoding: "utf8" }).stdout ?? "";
  const version = /Tor version (\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number) ?? [0, 0, 0];
  const different = version.findIndex((part, i) => part !== OLDEST_TOR[i]);
  return different < 0 || version[different] > OLDEST_TOR[different];
}

function isPresent(name) {
  const { programs, file } = packages[name];
  return (
    programs.every((program) => which(program) !== undefined) &&
    (file === undefined || existsSync(file)) &&
    (name !== "tor" || torIsRecent())
  );
}

/** Runs a command that may fail without harm. */
function attempt(file, args) {
  if (which(file) !== undefined) spawnSync(file, args, { stdio: "ignore" });
}

/** Puts `policy-rc.d` in place where there is none, so that no package starts its service; returns the way back. */
function forbidServices() {
  const isOurs = existsSync(POLICY) && readFileSync(POLICY, "utf8") === POLICY_TEXT;
  if (existsSync(POLICY) && !isOurs) return () => {};
  writeFileSync(POLICY, POLICY_TEXT);
  chmodSync(POLICY, 0o755);
  const undo = () => rmSync(POLICY, { force: true });
  const onSignal = () => {
    undo();
    process.exit(1);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, onSignal);
  process.on("exit", undo);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
    process.off("exit", undo);
    undo();
  };
}

/** Masked units can be neither started nor enabled, by the package's own scripts included. */
function maskTor() {
  attempt("systemctl", ["mask", ...TOR_UNITS]);
}

function silenceTor() {
  attempt("systemctl", ["disable", "tor.service"]);
  attempt("systemctl", ["stop", ...TOR_UNITS]);
  maskTor();
  attempt("update-rc.d", ["tor", "disable"]);
}

function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("apt-get", args, { env, stdio: ["ignore", "inherit", "inherit"] });
}

function install(names) {
  console.log(`Installing ${names.join(", ")} (apt-get)…`);
  // A tor that was there before is somebody's, and so is its service.
  const isNewTor = names.includes("tor") && which("tor") === undefined;
  const restore = forbidServices();
  try {
    if (isNewTor) maskTor();
    aptGet(["-q", "update"]);
    aptGet(["-q", "install", "-y", "--no-install-recommends", ...names]);
  } catch (error) {
    throw new SetupError(`apt-get failed: ${error.message}`);
  } finally {
    if (isNewTor) silenceTor();
    restore();
  }
}

function explain(missing) {
  const lines = missing.map((name) => `  ${name.padEnd(18)} ${packages[name].what}`);
  const how = `On Debian 12, as root:\n  apt-get update && apt-get install --no-install-recommends ${missing.join(" ")}`;
  const service = missing.includes("tor")
    ? "\nDebian's package starts a tor service, which joins the public network; Allium does not use it:\n" +
      `  systemctl disable --now tor && systemctl mask ${TOR_UNITS.join(" ")}`
    : "";
  return `This command needs programs that are missing here or too old:\n${lines.join("\n")}\n\n${how}${service}`;
}

/** @throws SetupError that says what is missing and how to get it */
export async function provideSystemPackages(names) {
  if (names.includes("tor") && process.platform !== "linux") {
    throw new SetupError("The private Tor network needs Linux: it uses all of 127.0.0.0/8 and /proc.");
  }
  const missing = names.filter((name) => !isPresent(name));
  if (missing.length === 0) return;
  const isDebian = existsSync("/etc/debian_version") && which("apt-get") !== undefined;
  if (!isDebian || process.getuid?.() !== 0) throw new SetupError(explain(missing));
  install(missing);
  const still = missing.filter((name) => !isPresent(name));
  if (still.length > 0) throw new SetupError(explain(still));
}
