/** What pages of another site and of a sibling's host can do to a signed-in user in a real browser. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import type { BrowserContext, Page } from "playwright-core";

import { callFromPage, signIn, userOf } from "../src/page.js";
import { SHOP, SIBLING, startWorld, STRANGER, type World } from "../src/world.js";

const LOGOUT = `${SHOP}/api/auth/logout`;

let world: World;
let context: BrowserContext;
let page: Page;

before(async () => {
  world = await startWorld();
});
after(async () => {
  await world?.stop();
});
beforeEach(async () => {
  context = await world.browser.newContext();
  page = await context.newPage();
  await signIn(page);
});
afterEach(async () => {
  await context.close();
});

/** What a form of that page gets for a POST to the shop's sign-out. */
async function postByForm(origin: string): Promise<{ status: number; code: string; cookie: string | undefined }> {
  world.others.pages.set(`${new URL(origin).host}/form`, { html: `<form method="post" action="${LOGOUT}"><button>go</button></form>` });
  const attacker = await context.newPage();
  await attacker.goto(`${origin}/form`);
  const [answer] = await Promise.all([attacker.waitForResponse(LOGOUT), attacker.click("button")]);
  const cookie = (await answer.request().allHeaders())["cookie"];
  const result = { status: answer.status(), code: (JSON.parse(await answer.text()) as { code: string }).code, cookie };
  await attacker.close();
  return result;
}

/** Shows: W4, W7 */
test("a POST from another site carries no session at all", async () => {
  const { status, code, cookie } = await postByForm(STRANGER);
  assert.deepEqual([status, code, cookie], [401, "unauthenticated", undefined]);
  assert.equal(await userOf(page), "usr_alice");
});

/** Shows: W7 */
test("a POST from a sibling's host carries the session, and is refused for where it comes from", async () => {
  const { status, code, cookie } = await postByForm(SIBLING);
  assert.match(cookie ?? "", /__Host-trifront-session=/, "the same site, so SameSite does not help");
  assert.deepEqual([status, code], [403, "csrf-failed"]);
  assert.equal(await userOf(page), "usr_alice");
  // The same request by the shop's own page.
  assert.equal((await callFromPage(page, "POST", "/api/auth/logout")).status, 200);
});

/** Shows: W16 */
test("a sibling's host reads no answer of the shop", async () => {
  world.others.pages.set("blog.shop.test/read", { html: "" });
  const attacker = await context.newPage();
  await attacker.goto(`${SIBLING}/read`);
  const read = await attacker.evaluate(
    (url) => fetch(url, { credentials: "include" }).then((answer) => answer.text(), (error: unknown) => String(error)),
    `${SHOP}/api/auth/session`,
  );
  assert.match(read, /TypeError/, "no CORS header lets it");
  assert.match((await callFromPage(page, "GET", "/api/auth/session")).body, /usr_alice/, "the shop's own page does");
});

/** Shows: W4, W7 */
test("a sibling's host tosses cookies and gains nothing", async () => {
  const attacks = ["__Host-trifront-session=tossed", "__Host-login-tossed=x", "XSRF-TOKEN=tossed"];
  world.others.pages.set("blog.shop.test/toss", {
    html: "",
    cookies: attacks.flatMap((pair) => [`${pair}; Domain=shop.test; Path=/; Secure`, `${pair}; Domain=shop.test; Path=/api/auth; Secure`]),
  });
  const attacker = await context.newPage();
  await attacker.goto(`${SIBLING}/toss`);
  const tossed = (await context.cookies(`${SHOP}/api/auth/session`)).filter((cookie) => cookie.domain === ".shop.test");
  assert.deepEqual([...new Set(tossed.map((cookie) => cookie.name))], ["XSRF-TOKEN"], "the prefix keeps it from the others");
  assert.equal(await userOf(page), "usr_alice");
  const refused = await page.evaluate(async () => (await fetch("/api/auth/logout", { method: "POST", headers: { "X-XSRF-TOKEN": "tossed" } })).status);
  assert.equal(refused, 403, "a token that is not of this session proves nothing, cookie or not");
  assert.equal(await userOf(page), "usr_alice");
});
