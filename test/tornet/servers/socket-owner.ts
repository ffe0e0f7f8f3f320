// Which process of this machine holds the far end of a connection on loopback (proc(5), /proc/net/tcp and /proc/PID/fd). tor
// binds no address for connections to loopback, so all of them come from 127.0.0.1 and only their owners tell them apart.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type net from "node:net";

/** As /proc/net/tcp writes it: the address as a little-endian word, both in upper-case hex. */
export function procAddress(address: string, port: number): string {
  const word = address
    .split(".")
    .toReversed()
    .map((octet) => Number(octet).toString(16).padStart(2, "0"))
    .join("");
  return `${word}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
}

/** The inode of the socket at `local` that is connected to `remote`, in a text like /proc/net/tcp. */
export function inodeOf(table: string, local: string, remote: string): string | undefined {
  for (const line of table.split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local && fields[2] === remote) return fields[9];
  }
  return undefined;
}

function holds(pid: number, inode: string): boolean {
  const dir = `/proc/${pid}/fd`;
  const wanted = `socket:[${inode}]`;
  try {
    return readdirSync(dir).some((fd) => {
      try {
        return readlinkSync(`${dir}/${fd}`) === wanted;
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Whether the peer of an accepted connection is one of these processes. */
export function peerIsOneOf(socket: net.Socket, pids: readonly number[]): boolean {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return false;
  if (localAddress === undefined || localPort === undefined) return false;
  const table = readFileSync("/proc/net/tcp", "utf8");
  const local = procAddress(remoteAddress, remotePort);
  const inode = inodeOf(table, local, procAddress(localAddress, localPort));
  return inode !== undefined && pids.some((pid) => holds(pid, inode));
}
