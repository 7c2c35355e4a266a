/** Live events in a real browser's `EventSource`, over TLS and HTTP/2. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import type { BrowserContext, Page } from "playwright-core";

import { callFromPage, lastEventId, publish, signIn } from "../src/page.js";
import { startWorld, type World } from "../src/world.js";

const STREAM = "/api/v2/notifications/stream";

/** What the page's script keeps of its stream. */
interface Live {
  source: EventSource;
  /** Of each notification, its id and its title. */
  seen: [string, string][];
  /** `open` and `error`, as the browser said them. */
  states: string[];
  endedFor?: string;
}

declare global {
  // eslint-disable-next-line no-var
  var live: Live;
}

let world: World;
let context: BrowserContext;
let page: Page;

before(async () => {
  // So that a browser comes back soon; it does what it is told.
  world = await startWorld({ settings: { BFF_WEB__STREAMS__RETRY_MS: "200" } });
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

/** Has the page listen. It never closes the stream by itself. */
function listenTo(id: string): Promise<void> {
  return page.evaluate(
    ([url]) => {
      const source = new EventSource(url);
      const live: Live = { source, seen: [], states: [] };
      globalThis.live = live;
      source.addEventListener("open", () => live.states.push("open"));
      source.addEventListener("error", () => live.states.push("error"));
      source.addEventListener("gap", () => live.seen.push(["gap", "gap"]));
      source.addEventListener("notification", (event) => {
        const { title } = JSON.parse(event.data as string) as { title: string };
        live.seen.push([event.lastEventId, title]);
      });
      source.addEventListener("session-ended", (event) => {
        live.endedFor = (JSON.parse(event.data as string) as { reason: string }).reason;
      });
    },
    [`${STREAM}?lastEventId=${id}`] as const,
  );
}

const sees = (count: number) => page.waitForFunction((count) => globalThis.live.seen.length >= count, count);

/** Shows: W17 */
test("a browser gets its events, loses the network, and goes on without a gap or a double", async () => {
  await signIn(page);
  const id = await lastEventId(page);
  await publish(world, "alice", "between");
  await listenTo(id);
  await sees(1);
  await publish(world, "alice", "one");
  await sees(2);

  await world.network.cut();
  await page.waitForFunction(() => globalThis.live.states.includes("error"));
  await publish(world, "alice", "two");
  await publish(world, "bob", "not hers");
  await publish(world, "alice", "three");
  await world.network.restore();
  await sees(4);
  await publish(world, "alice", "four");
  await sees(5);

  const seen = await page.evaluate(() => globalThis.live.seen);
  const first = Number(id);
  const titles = ["between", "one", "two", "three", "four"];
  assert.deepEqual(seen, titles.map((title, place) => [`${first + place + 1}`, title]));
});

/** Shows: W17, W12 */
test("a browser is told why its session ended, comes back, and is stopped for good", async () => {
  await signIn(page);
  await listenTo(await lastEventId(page));
  await page.waitForFunction(() => globalThis.live.states.includes("open"));
  // In another tab, of which this one knows nothing.
  const other = await context.newPage();
  await other.goto(page.url());
  assert.equal((await callFromPage(other, "POST", "/api/auth/logout")).status, 200);
  await page.waitForFunction(() => globalThis.live.endedFor !== undefined);
  assert.equal(await page.evaluate(() => globalThis.live.endedFor), "signed-out");
  // The page leaves the stream to the browser, which comes back by itself until it gets a 204.
  await page.waitForFunction(() => globalThis.live.source.readyState === EventSource.CLOSED);
  const answers = await page.evaluate(
    async (path) => {
      const answer = await fetch(path, { headers: { accept: "text/event-stream", "last-event-id": "1" } });
      return answer.status;
    },
    STREAM,
  );
  assert.equal(answers, 204);
});
