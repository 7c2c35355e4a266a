/** The whole system behind TLS, on names of their own: the shop, its provider on another registrable domain, and others. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium, type Browser } from "playwright-core";

import { startEdge } from "./edge.js";
import { binary, freePort, Running } from "./processes.js";
import { OtherSites, ProviderTap } from "./servers.js";

/** Where bff-web is. Chromium takes the last two labels for the registrable domain, as `test` is a public suffix. */
export const SHOP = "https://shop.test";
/** Where people sign in: another site. */
export const PROVIDER = "https://id.test";
/** A sibling of the shop's host, on the shop's own registrable domain. */
export const SIBLING = "https://blog.shop.test";
/** A site that has nothing to do with either. */
export const STRANGER = "https://evil.test";

/** Debian's, unless said otherwise. */
const CHROMIUM = process.env["TRIFRONT_CHROMIUM"] ?? "/usr/bin/chromium";

/** What is started beside the defaults. */
export interface WorldOptions {
  /** Settings of bff-web on top, by variable. */
  settings?: Record<string, string>;
}

export interface World {
  browser: Browser;
  /** Pages of SIBLING and STRANGER. */
  others: OtherSites;
  /** What passes between bff-web and the provider. */
  tap: ProviderTap;
  /** bff-web itself, without the edge in front: its public and its management listener. */
  bff: { url: string; management: string; process: Running };
  /** The sandbox: where fault rules are set, and the provider without the edge in front. */
  sandbox: { chaos: string; provider: string };
  /** Everything between the browser and the services: cut, it ends every connection and takes no new one. */
  network: { cut(): Promise<void>; restore(): Promise<void> };
  /** Sets the fault rules of one service; none clears them. */
  chaos(service: string, rules: object[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it all; `stop` ends it all. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "trifront-e2e-"));
  const stops: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const [providerPort, bffPort] = [await freePort(), await freePort()];
    const provider = `http://127.0.0.1:${providerPort}`;
    const addresses = new Map<string, string>();
    const sandbox = await Running.start(
      binary("sandbox"),
      ["serve", "--provider-port", `${providerPort}`, "--services-port", "0", "--grpc-port", "0", "--issuer", PROVIDER, "--web-origin", SHOP],
      { SANDBOX_BACKCHANNEL_LOGOUT_URIS: `bff-web=http://127.0.0.1:${bffPort}/api/auth/backchannel-logout` },
      (line) => {
        const found = /^(\w+)\s+(http\S+)/.exec(line);
        if (found?.[1] !== undefined && found[2] !== undefined) addresses.set(found[1], found[2]);
        return found?.[1] === "chaos";
      },
    );
    stops.push(() => sandbox.stop());
    const chaos = addresses.get("chaos") ?? "";

    const tap = await ProviderTap.before(provider);
    stops.push(() => tap.stop());
    const env: Record<string, string> = {
      BFF_WEB__SERVER__HOST: "127.0.0.1",
      BFF_WEB__SERVER__PORT: `${bffPort}`,
      BFF_WEB__SERVER__PUBLIC_ORIGIN: SHOP,
      BFF_WEB__SERVER__TRUSTED_PROXIES: "127.0.0.1/32",
      BFF_WEB__MANAGEMENT__HOST: "127.0.0.1",
      BFF_WEB__MANAGEMENT__PORT: "0",
      BFF_WEB__OIDC__ISSUER: PROVIDER,
      BFF_WEB__DOWNSTREAMS__PROVIDER__URLS: tap.address,
      BFF_WEB__TELEMETRY__LOG_FORMAT: "json",
    };
    for (const [name, url] of addresses) {
      if (!["provider", "chaos", "devices"].includes(name)) env[`BFF_WEB__DOWNSTREAMS__${name.toUpperCase()}__URLS`] = url;
    }
    let management = "";
    const bff = await Running.start(binary("bff-web"), ["serve"], { ...env, ...options.settings }, (line) => {
      management = /"management":"([^"]+)"/.exec(line)?.[1] ?? management;
      return management !== "";
    });
    stops.push(() => bff.stop());

    const others = await OtherSites.start();
    stops.push(() => others.stop());
    const hostOf = (origin: string) => new URL(origin).host;
    const edge = await startEdge(folder, {
      [hostOf(SHOP)]: `http://127.0.0.1:${bffPort}`,
      [hostOf(PROVIDER)]: provider,
      [hostOf(SIBLING)]: others.address,
      [hostOf(STRANGER)]: others.address,
    });
    stops.push(() => edge.process.stop());

    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      headless: true,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Every name is the edge, so nothing leaves this machine.
        `--host-resolver-rules=MAP * 127.0.0.1:${edge.port}`,
        `--ignore-certificate-errors-spki-list=${edge.trustedKey}`,
      ],
    });
    stops.push(() => browser.close());
    return {
      browser,
      others,
      tap,
      bff: { url: `http://127.0.0.1:${bffPort}`, management: `http://${management}`, process: bff },
      sandbox: { chaos, provider },
      network: {
        cut: () => edge.process.stop(),
        async restore() {
          edge.process = await edge.start();
        },
      },
      async chaos(service, rules) {
        const base = service === "provider" ? `${provider}/chaos` : chaos;
        const answer = await fetch(`${base}/${service}`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(rules),
        });
        if (!answer.ok) throw new Error(`the sandbox refused the rules: ${await answer.text()}`);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
