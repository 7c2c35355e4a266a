/** Two servers of the tests' own: pages of other sites, and a tap on what bff-web and the provider say to each other. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.closeAllConnections();
  server.close();
  await closed;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Whatever a test has other sites serve, by host and path. */
export class OtherSites {
  /** Pages by `host/path`: the HTML, and cookies that come with it. */
  readonly pages = new Map<string, { html: string; cookies?: string[] }>();

  private constructor(
    readonly address: string,
    private readonly server: Server,
  ) {}

  static async start(): Promise<OtherSites> {
    const server = createServer();
    const sites = new OtherSites(await listen(server), server);
    server.on("request", (request, response) => {
      const page = sites.pages.get(`${request.headers.host}${request.url}`);
      const headers: Record<string, string | string[]> = { "content-type": "text/html; charset=utf-8" };
      if (page?.cookies !== undefined) headers["set-cookie"] = page.cookies;
      response.writeHead(page === undefined ? 404 : 200, headers);
      response.end(page?.html ?? "");
    });
    return sites;
  }

  stop(): Promise<void> {
    return close(this.server);
  }
}

/** Stands between bff-web and the provider, and remembers every token that was given. */
export class ProviderTap {
  /** The tokens of all answers of the token endpoint. */
  readonly tokens: { kind: string; value: string }[] = [];

  private constructor(
    readonly address: string,
    private readonly server: Server,
  ) {}

  static async before(provider: string): Promise<ProviderTap> {
    const server = createServer();
    const tap = new ProviderTap(await listen(server), server);
    server.on("request", (request, response) => {
      tap.pass(provider, request).then(
        ({ status, type, body }) => response.writeHead(status, { "content-type": type }).end(body),
        () => response.destroy(),
      );
    });
    return tap;
  }

  private async pass(provider: string, request: IncomingMessage): Promise<{ status: number; type: string; body: Buffer }> {
    const headers = new Headers();
    for (const name of ["authorization", "content-type", "accept", "traceparent"]) {
      const value = request.headers[name];
      if (typeof value === "string") headers.set(name, value);
    }
    const body = request.method === "GET" ? {} : { body: await bodyOf(request) };
    const answer = await fetch(new URL(request.url ?? "/", provider), { method: request.method ?? "GET", headers, ...body });
    const whole = Buffer.from(await answer.arrayBuffer());
    if (request.url === "/token" && answer.ok) {
      for (const [kind, value] of Object.entries(JSON.parse(whole.toString()) as Record<string, unknown>)) {
        if (/^(access|refresh|id)_token$/.test(kind) && typeof value === "string") this.tokens.push({ kind, value });
      }
    }
    return { status: answer.status, type: answer.headers.get("content-type") ?? "application/json", body: whole };
  }

  stop(): Promise<void> {
    return close(this.server);
  }
}
