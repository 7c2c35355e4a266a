/** The client's own live events (`clients/web/src/live`) in a page of the shop, in a real browser, over TLS and HTTP/2. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import type { BrowserContext, Page } from "playwright-core";

import "../src/heard.js";
import { callFromPage, lastEventId, publish, signIn } from "../src/page.js";
import { startWorld, type World } from "../src/world.js";

const STREAM = "/api/v2/notifications/stream";

const HERE = dirname(fileURLToPath(import.meta.url));
/** The page and the client's files, as `tsc -p page` has made them. */
const BUILT = join(HERE, "../page");

let world: World;
let context: BrowserContext;
let page: Page;

before(async () => {
  copyFileSync(join(HERE, "../../page/index.html"), join(BUILT, "index.html"));
  world = await startWorld({
    settings: {
      BFF_WEB__SPA__FOLDER: BUILT,
      BFF_WEB__STREAMS__RETRY_MS: "200",
      BFF_WEB__STREAMS__REFUSAL_RETRY_MS: "300",
      BFF_WEB__STREAMS__MAX_STREAMS_PER_KEY: "2",
    },
  });
});
after(async () => {
  await world?.stop();
});
beforeEach(async () => {
  context = await world.browser.newContext();
  page = await context.newPage();
});
afterEach(async () => {
  await context.close();
});

const listen = (id: string) => page.evaluate((id) => globalThis.listen(id), id);
const hears = (count: number) => page.waitForFunction((count) => globalThis.heard.events.length >= count, count);
const stands = (state: string) => page.waitForFunction((state) => globalThis.heard.states.at(-1) === state, state);
/** Until the page has been told to wait so many times. */
const waitsTimes = (count: number) =>
  page.waitForFunction((count) => globalThis.heard.states.filter((state) => state === "waiting").length >= count, count);

/** What the page has heard: these, from the event after `id` on, each once. */
async function assertHeard(id: string, titles: string[]): Promise<void> {
  const { events, gaps } = await page.evaluate(() => globalThis.heard);
  assert.deepEqual(events, titles.map((title, place) => [`${Number(id) + place + 1}`, title]));
  assert.equal(gaps, 0);
}

/** Shows: W17 */
test("a page loses the network and then finds an edge without a service, and goes on without a gap or a double", async () => {
  await signIn(page, "user1");
  const id = await lastEventId(page);
  await publish(world, "user1", "between");
  await listen(id);
  await hears(1);

  await world.network.cut();
  await stands("connecting");
  await publish(world, "user1", "while the network is away");
  await world.network.restore();
  await hears(2);
  await stands("open");

  // An answer that is no stream: the browser gives up for good, and a new EventSource goes on from the last id.
  let refused = 0;
  await context.route(`**${STREAM}**`, (route) => {
    refused += 1;
    return route.fulfill({ status: 502, contentType: "text/html", body: "Bad Gateway" });
  });
  await world.network.cut();
  await publish(world, "user1", "while the service is away");
  await world.network.restore();
  await waitsTimes(2);
  assert.ok(refused >= 2);
  const returning = page.waitForRequest((request) => request.url().includes(STREAM));
  await context.unroute(`**${STREAM}**`);
  assert.equal(new URL((await returning).url()).searchParams.get("lastEventId"), `${Number(id) + 2}`);
  await hears(3);
  await publish(world, "user1", "at last");
  await hears(4);
  await assertHeard(id, ["between", "while the network is away", "while the service is away", "at last"]);
});

/** Shows: W17, W12 */
test("a page is told why its session ended, and asks nothing any more", async () => {
  await signIn(page, "user2");
  await listen(await lastEventId(page));
  await stands("open");
  // What is no better than a plain EventSource comes back after the end, so it is known when one would have.
  await page.evaluate((url) => {
    const plain = new EventSource(url);
    Object.assign(globalThis, { plain });
    return new Promise((resolve) => plain.addEventListener("open", resolve));
  }, `${STREAM}?plain`);
  const other = await context.newPage();
  await other.goto(page.url());
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname + new URL(request.url()).search));
  assert.equal((await callFromPage(other, "POST", "/api/auth/logout")).status, 200);
  await page.waitForFunction(() => globalThis.heard.endedFor !== undefined);
  await page.waitForFunction(() => (globalThis as unknown as { plain: EventSource }).plain.readyState === EventSource.CLOSED);
  const { endedFor, states } = await page.evaluate(() => globalThis.heard);
  assert.equal(endedFor, "signed-out");
  assert.deepEqual(states, ["connecting", "open", "ended"]);
  assert.deepEqual(asked, [`${STREAM}?plain`], "only the plain one has come back");
});

/** Shows: W17 */
test("a page with too many others comes back when one of them has gone, and misses nothing", async () => {
  await signIn(page, "user3");
  const id = await lastEventId(page);
  await page.evaluate(async (url) => {
    const others = [new EventSource(url), new EventSource(url)];
    Object.assign(globalThis, { others });
    await Promise.all(others.map((other) => new Promise((resolve) => other.addEventListener("open", resolve))));
  }, STREAM);
  await listen(id);
  await waitsTimes(1);
  await publish(world, "user3", "meanwhile");
  await waitsTimes(2);
  await page.evaluate(() => (globalThis as unknown as { others: EventSource[] }).others[0]?.close());
  await hears(1);
  await assertHeard(id, ["meanwhile"]);
});
