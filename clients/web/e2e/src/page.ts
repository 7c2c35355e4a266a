/** What a person and the app's own script do in a page. */
import assert from "node:assert/strict";

import type { Page } from "playwright-core";

import { SHOP, type World } from "./world.js";

/** Signs a user in through the provider's form, and ends at `returnTo` of the shop. */
export async function signIn(page: Page, user = "alice", returnTo = "/"): Promise<void> {
  await page.goto(`${SHOP}/api/auth/login?returnTo=${encodeURIComponent(returnTo)}`);
  await fillIn(page, user);
  await page.waitForURL(SHOP + returnTo);
}

/** Fills the provider's form in and sends it. */
export async function fillIn(page: Page, user: string): Promise<void> {
  await page.fill("#username", user);
  await page.fill("#password", user);
  await page.click("button[value=login]");
}

/** An answer as script in the page sees it. */
export interface Answer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** A request of the page's own script, with the CSRF token as Angular's HttpClient sends it. */
export function callFromPage(page: Page, method: string, path: string): Promise<Answer> {
  return page.evaluate(
    async ([method, path]) => {
      const token = document.cookie.split("; ").find((cookie) => cookie.startsWith("XSRF-TOKEN="));
      const headers: Record<string, string> = { Accept: "application/json" };
      if (method !== "GET" && token !== undefined) headers["X-XSRF-TOKEN"] = token.slice("XSRF-TOKEN=".length);
      const answer = await fetch(path, { method, headers });
      return { status: answer.status, body: await answer.text(), headers: Object.fromEntries(answer.headers) };
    },
    [method, path] as const,
  );
}

/** Who the page's script is told that it is; `undefined` when nobody is signed in. */
export async function userOf(page: Page): Promise<string | undefined> {
  const answer = await callFromPage(page, "GET", "/api/auth/session");
  if (answer.status === 401) return undefined;
  return (JSON.parse(answer.body) as { user: { id: string } }).user.id;
}

/** Has a user get a notification. */
export async function publish(world: World, user: string, title: string): Promise<void> {
  const answer = await fetch(world.sandbox.chaos.replace("/chaos", "/notifications/publish"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user, title, body: "…" }),
  });
  assert.equal(answer.status, 201);
}

/** Loads the dashboard, and gives what its stream goes on from. */
export async function lastEventId(page: Page): Promise<string> {
  const answer = await callFromPage(page, "GET", "/api/v2/dashboard");
  return (JSON.parse(answer.body) as { lastEventId: string }).lastEventId;
}
