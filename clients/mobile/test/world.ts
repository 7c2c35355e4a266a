/** Starts the real provider, services and bff-mobile for the tests, on free ports, and signs users in as a browser does. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { beginSignIn, finishSignIn, type SignInSettings, type Tokens } from "../src/index.js";

const BINARIES =
  process.env["TRIFRONT_BINARIES"] ?? join(dirname(fileURLToPath(import.meta.url)), "../../../../target/debug");

export class World {
  private constructor(
    readonly issuer: string,
    readonly services: string,
    readonly bff: string,
    private readonly processes: ChildProcess[],
  ) {}

  static async start(): Promise<World> {
    const sandbox = spawn(join(BINARIES, "sandbox"), ["serve", "--provider-port", "0", "--services-port", "0", "--grpc-port", "0"]);
    const addresses = new Map<string, string>();
    await linesUntil(sandbox, (line) => {
      const found = /^(\w+)\s+(http\S+)/.exec(line);
      if (found?.[1] !== undefined && found[2] !== undefined) addresses.set(found[1], found[2]);
      return addresses.has("chaos") && addresses.has("provider");
    });
    const issuer = must(addresses.get("provider"), "the provider's address");
    const env: Record<string, string> = {
      BFF_MOBILE__SERVER__PORT: "0",
      BFF_MOBILE__MANAGEMENT__PORT: "0",
      BFF_MOBILE__JWT__ISSUER: issuer,
      BFF_MOBILE__TELEMETRY__LOG_FORMAT: "json",
    };
    for (const [name, url] of addresses) {
      const isDownstream = !["provider", "chaos", "support", "cart"].includes(name);
      if (isDownstream) env[`BFF_MOBILE__DOWNSTREAMS__${name.toUpperCase()}__URLS`] = url;
    }
    const bff = spawn(join(BINARIES, "bff-mobile"), ["serve"], { env: { ...process.env, ...env } });
    let address = "";
    await linesUntil(bff, (line) => {
      address = /"public":"([^"]+)"/.exec(line)?.[1] ?? address;
      return address !== "";
    });
    const services = must(addresses.get("chaos"), "the services' address");
    return new World(issuer, services.replace("/chaos", ""), `http://${address}`, [bff, sandbox]);
  }

  async stop(): Promise<void> {
    for (const process of this.processes) {
      const ended = once(process, "exit");
      process.kill("SIGTERM");
      await ended;
    }
  }

  async signInSettings(scopes: string[]): Promise<SignInSettings> {
    const metadata = (await (await fetch(`${this.issuer}/.well-known/openid-configuration`)).json()) as Record<string, string>;
    return {
      authorizationEndpoint: must(metadata["authorization_endpoint"], "authorization_endpoint"),
      tokenEndpoint: must(metadata["token_endpoint"], "token_endpoint"),
      issuer: this.issuer,
      clientId: "mobile-app",
      redirectUri: "com.trifront.app:/callback",
      scopes,
    };
  }

  /** The whole flow through the provider's page. */
  async signIn(user: string, scopes: string[]): Promise<Tokens> {
    const settings = await this.signInSettings(scopes);
    const attempt = await beginSignIn(settings);
    return finishSignIn(settings, attempt, await this.browse(attempt.address, user));
  }

  /** What the system's browser does: shows the page, posts the form, and follows to the app's address. */
  async browse(address: string, user: string): Promise<string> {
    const page = await fetch(address);
    const cookies = page.headers.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; ");
    const fields = new URLSearchParams({ username: user, password: user, action: "login" });
    for (const [, name, value] of (await page.text()).matchAll(/type="hidden" name="(\w+)" value="([^"]+)"/g)) {
      fields.set(must(name, "a field's name"), must(value, "a field's value"));
    }
    const answer = await fetch(`${this.issuer}/login`, { method: "POST", body: fields, headers: { cookie: cookies }, redirect: "manual" });
    return must(answer.headers.get("location"), "a redirect to the app");
  }

  /** Sets the fault rules of one service; none clears them. */
  async chaos(service: string, rules: object[]): Promise<void> {
    const answer = await fetch(`${service === "provider" ? this.issuer : this.services}/chaos/${service}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(rules),
    });
    if (!answer.ok) throw new Error(`the sandbox refused the rules: ${await answer.text()}`);
  }

  /** Gives a user a notification. */
  async publish(user: string, title: string): Promise<void> {
    const answer = await fetch(`${this.services}/notifications/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user, title, body: "text" }),
    });
    if (!answer.ok) throw new Error(`the sandbox refused a notification: ${await answer.text()}`);
  }

  /** How often the provider was asked for a refresh. */
  async refreshes(): Promise<number> {
    const counters = (await (await fetch(`${this.issuer}/dev/counters`)).json()) as { refreshes: number };
    return counters.refreshes;
  }
}

/** A bad network between the app and the BFF: passes calls on, and loses the answers that it is told to. */
export class LossyNetwork {
  /** Calls that reached the BFF. */
  passed = 0;
  /** Answers that will be lost after the BFF has given them. */
  lose = 0;

  private constructor(
    readonly url: string,
    private readonly server: Server,
  ) {}

  static async before(target: string): Promise<LossyNetwork> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const network = new LossyNetwork(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
    server.on("request", (request, response) => {
      void (async () => {
        const answer = await fetch(new URL(request.url ?? "/", target), {
          method: request.method ?? "GET",
          headers: forwarded(request),
          ...(request.method === "GET" ? {} : { body: await bodyOf(request) }),
        });
        const body = Buffer.from(await answer.arrayBuffer());
        network.passed++;
        if (network.lose > 0) {
          network.lose--;
          request.socket.destroy();
          return;
        }
        const type = answer.headers.get("content-type");
        response.writeHead(answer.status, type === null ? {} : { "content-type": type });
        response.end(body);
      })();
    });
    return network;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

function forwarded(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const name of ["authorization", "content-type", "idempotency-key", "accept", "x-app-version"]) {
    const value = request.headers[name];
    if (typeof value === "string") headers.set(name, value);
  }
  return headers;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Reads a process's output until a line is the one that is waited for. */
async function linesUntil(child: ChildProcess, seen: (line: string) => boolean): Promise<void> {
  const errors: string[] = [];
  child.stderr?.on("data", (data: Buffer) => errors.push(data.toString()));
  for await (const line of createInterface({ input: must(child.stdout, "its output") })) {
    if (seen(line)) {
      // Nobody reads on, and a full pipe would stop the process.
      child.stdout?.resume();
      return;
    }
  }
  throw new Error(`${child.spawnfile} ended too early: ${errors.join("")}`);
}

function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`there is no ${what}`);
  return value;
}
