/** Programs that the tests start, and the ports that they get. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARIES =
  process.env["TRIFRONT_BINARIES"] ?? join(dirname(fileURLToPath(import.meta.url)), "../../../../../target/debug");

/** One of the project's own programs, as `cargo build` has made it. */
export function binary(name: string): string {
  return join(BINARIES, name);
}

/** A program that runs until it is stopped. */
export class Running {
  /** The last lines that it wrote, for the message of a test that fails. */
  readonly lines: string[] = [];

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {}

  /** Starts it, and waits until a line of its output is the one that is waited for. */
  static async start(command: string, args: string[], env: Record<string, string>, isReady: (line: string) => boolean): Promise<Running> {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const running = new Running(command, child);
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${running.lines.join("\n")}`)));
      for (const output of [child.stdout, child.stderr]) {
        if (output === null) continue;
        // Goes on reading for as long as it runs, because a full pipe would stop it.
        createInterface({ input: output }).on("line", (line) => {
          running.lines.push(line);
          if (running.lines.length > 500) running.lines.shift();
          if (isReady(line)) resolve();
        });
      }
    });
    return running;
  }

  /** Has it end in order, and waits for that. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
