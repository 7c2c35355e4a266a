/** Signing in and out in a real browser, with the shop and its provider on two sites. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import type { BrowserContext, Page } from "playwright-core";

import { callFromPage, fillIn, signIn, userOf } from "../src/page.js";
import { Recorder } from "../src/recorder.js";
import { PROVIDER, SHOP, startWorld, STRANGER, type World } from "../src/world.js";

const SESSION = "__Host-trifront-session";

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
  world.tap.tokens.length = 0;
  context = await world.browser.newContext();
  page = await context.newPage();
});
afterEach(async () => {
  await context.close();
});

/** Shows: W4 */
test("the session cookie is as strict as can be, and signing in by way of another site still ends signed in", async () => {
  const recorder = await Recorder.of(page);
  await signIn(page, "alice", "/orders?page=1#latest");
  assert.equal(await userOf(page), "usr_alice");

  const cookies = await context.cookies(SHOP);
  const shown = cookies.map(({ name, domain, path, secure, httpOnly, sameSite }) => ({ name, domain, path, secure, httpOnly, sameSite }));
  shown.sort((left, right) => left.name.localeCompare(right.name));
  const strict = { domain: "shop.test", path: "/", secure: true, sameSite: "Strict" };
  assert.deepEqual(shown, [
    { name: SESSION, ...strict, httpOnly: true },
    { name: "XSRF-TOKEN", ...strict, httpOnly: false },
  ]);
  assert.match(await page.evaluate(() => document.cookie), /^XSRF-TOKEN=[\w-]+$/, "script sees the CSRF token alone");

  // Coming back from the provider is a navigation that its site began: the attempt's cookie goes along, which is Lax.
  const callback = recorder.requests.find((request) => request.url.startsWith(`${SHOP}/api/auth/callback?`));
  assert.ok(callback, "the browser came back");
  const attempt = callback.cookies.filter((cookie) => cookie.name.startsWith("__Host-login-"));
  assert.deepEqual(attempt.map((cookie) => cookie.sent), [true]);
  const landed = recorder.requests.find((request) => request.url.startsWith(`${SHOP}/orders`));
  const session = landed?.cookies.find((cookie) => cookie.name === SESSION);
  assert.equal(session?.sent, true, "the page that it goes on to is asked for with the session");
});

/** Shows: W4 */
test("a reload stays signed in, and so does a deep link from another site", async () => {
  await signIn(page);
  await page.reload();
  assert.equal(await userOf(page), "usr_alice");

  world.others.pages.set("evil.test/links", {
    html: `<a id="app" href="${SHOP}/orders?page=2">orders</a> <a id="api" href="${SHOP}/api/v2/dashboard?from=link">dashboard</a>`,
  });
  await page.goto(`${STRANGER}/links`);
  const recorder = await Recorder.of(page);
  await page.click("#app");
  await page.waitForURL(`${SHOP}/orders?page=2`);
  const first = recorder.requests.find((request) => request.url === `${SHOP}/orders?page=2`);
  const session = first?.cookies.find((cookie) => cookie.name === SESSION);
  assert.equal(session?.sent, false, "the link itself carries no session");
  assert.match(session.why.join(), /SameSiteStrict$/);
  assert.equal(await userOf(page), "usr_alice", "but the page that it leads to is signed in");

  await page.goto(`${STRANGER}/links`);
  await page.click("#api");
  // It is asked for without the session, so it leads by way of the provider, which still knows the user, and back.
  await page.waitForURL(`${SHOP}/api/v2/dashboard?from=link`);
  assert.match(await page.content(), /usr_alice/);
});

/** Shows: W8 */
test("a page that needs a login leads to it and back to itself; script is told 401", async () => {
  await page.goto(`${SHOP}/`);
  assert.equal((await callFromPage(page, "GET", "/api/v2/dashboard")).status, 401);
  await page.goto(`${SHOP}/api/v2/orders?size=1`);
  assert.ok(page.url().startsWith(`${PROVIDER}/`), page.url());
  await fillIn(page, "bob");
  await page.waitForURL(`${SHOP}/api/v2/orders?size=1`);
});

/** Shows: W1 */
test("two tabs sign in at once", async () => {
  const other = await context.newPage();
  await page.goto(`${SHOP}/api/auth/login?returnTo=/first`);
  await other.goto(`${SHOP}/api/auth/login?returnTo=/second`);
  await fillIn(page, "alice");
  await page.waitForURL(`${SHOP}/first`);
  await fillIn(other, "alice");
  await other.waitForURL(`${SHOP}/second`);
  assert.equal(await userOf(page), "usr_alice", "the later session is the browser's, in the first tab too");
  assert.equal(await userOf(other), "usr_alice");
});

/** Shows: W5 */
test("no token is in any storage, address, header or body that the browser saw", async () => {
  const recorder = await Recorder.of(page);
  await signIn(page);
  assert.equal((await callFromPage(page, "GET", "/api/v2/dashboard")).status, 200);
  assert.equal((await callFromPage(page, "POST", "/api/auth/renew")).status, 200);
  assert.equal((await callFromPage(page, "GET", "/api/auth/sessions")).status, 200);
  const storage = JSON.stringify([
    await context.storageState({ indexedDB: true }),
    await page.evaluate(async () => [{ ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys(), document.cookie]),
  ]);
  const { logoutUrl } = JSON.parse((await callFromPage(page, "POST", "/api/auth/logout")).body) as { logoutUrl: string };
  await page.goto(SHOP + logoutUrl);
  await page.waitForURL(`${SHOP}/`);

  const kinds = world.tap.tokens.map((token) => token.kind).sort();
  assert.deepEqual(kinds.filter((kind) => kind === "access_token").length, 2, `at sign-in and at the renewal: ${kinds.join()}`);
  assert.ok(kinds.includes("refresh_token") && kinds.includes("id_token"));
  assert.deepEqual(recorder.seen.filter(({ what }) => what.startsWith("FAILED")), []);
  const paths = recorder.seen.filter(({ what }) => what === "address").map(({ text }) => new URL(text).pathname);
  for (const path of ["/api/auth/callback", "/api/auth/renew", "/api/auth/logout", "/authorize", "/logout"]) {
    assert.ok(paths.includes(path), `${path} was seen: ${paths.join(" ")}`);
  }
  assert.ok(recorder.seen.some(({ what, text }) => what.startsWith("body of") && text.includes("usr_alice")), "bodies were seen");
  assert.ok(recorder.seen.some(({ what, text }) => what === "headers" && text.includes(SESSION)), "cookies were seen as they were set");
  for (const { kind, value } of world.tap.tokens) {
    // The last part of a JWT is its signature, and of a refresh token its secret.
    const secret = value.split(".").at(-1) ?? value;
    assert.ok(secret.length >= 32, kind);
    assert.ok(!storage.includes(secret), `${kind} in a storage`);
    const leak = recorder.seen.find(({ text }) => text.includes(secret));
    assert.equal(leak?.what, undefined, kind);
  }
});

/** Shows: W9 */
test("signing out ends the session here and at the provider", async () => {
  await signIn(page);
  const { status, body } = await callFromPage(page, "POST", "/api/auth/logout");
  assert.equal(status, 200, body);
  await page.goto(SHOP + (JSON.parse(body) as { logoutUrl: string }).logoutUrl);
  await page.waitForURL(`${SHOP}/`);
  assert.equal(await userOf(page), undefined);
  assert.deepEqual((await context.cookies(SHOP)).map((cookie) => cookie.name), ["XSRF-TOKEN"]);
  await page.goto(`${SHOP}/api/auth/login`);
  assert.ok(await page.isVisible("#password"), "the provider asks for the password again");
});
