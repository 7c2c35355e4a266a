import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { Http, MemoryTokenStore, MobileClient, NetworkError, ProblemError, SignInRequired, TokenSource } from "../src/index.js";
import { beginSignIn, finishSignIn, parseRetryAfter } from "../src/index.js";
import { LossyNetwork, World } from "./world.js";

const SCOPES = ["openid", "offline_access", "accounts:read", "catalog:read", "notifications:read", "orders:read", "orders:write"];

let world: World;

before(async () => {
  world = await World.start();
});

after(async () => {
  await world.stop();
});

beforeEach(async () => {
  for (const service of ["accounts", "catalog", "orders", "provider"]) await world.chaos(service, []);
});

async function source(user: string, adjust: { expiresAtMs?: number } = {}): Promise<TokenSource> {
  const tokens = await world.signIn(user, SCOPES);
  const endpoint = { url: (await world.signInSettings(SCOPES)).tokenEndpoint, clientId: "mobile-app" };
  return new TokenSource(new MemoryTokenStore({ ...tokens, ...adjust }), endpoint);
}

test("signing in through the provider's page gives tokens that open the home screen", async () => {
  const client = new MobileClient({ baseUrl: world.bff, tokens: await source("alice") });
  const home = await client.home();
  assert.equal(home.name, "Alice");
  assert.equal(home.receipt["balance"]?.state, "live");
});

test("an answer to another sign-in, or of another provider, is refused", async () => {
  const settings = await world.signInSettings(SCOPES);
  const attempt = await beginSignIn(settings);
  const cameBackTo = await world.browse(attempt.address, "bob");
  await assert.rejects(finishSignIn(settings, { ...attempt, state: "other" }, cameBackTo), /another sign-in/);
  await assert.rejects(finishSignIn({ ...settings, issuer: "https://evil.example" }, attempt, cameBackTo), /another provider/);
});

test("calls that find the token expired at the same time refresh it once", async () => {
  const client = new MobileClient({ baseUrl: world.bff, tokens: await source("alice", { expiresAtMs: 0 }) });
  const before = await world.refreshes();
  const screens = await Promise.all(Array.from({ length: 10 }, () => client.home()));
  assert.equal(screens.length, 10);
  assert.equal(await world.refreshes(), before + 1);
});

test("a token that is refused although it should hold is replaced, and the call made again", async () => {
  const tokens = await world.signIn("alice", SCOPES);
  const endpoint = { url: (await world.signInSettings(SCOPES)).tokenEndpoint, clientId: "mobile-app" };
  const store = new MemoryTokenStore({ ...tokens, accessToken: `${tokens.accessToken}x` });
  const client = new MobileClient({ baseUrl: world.bff, tokens: new TokenSource(store, endpoint) });
  assert.equal((await client.home()).name, "Alice");
});

test("a refresh token that the provider takes no more means signing in again", async () => {
  const endpoint = { url: (await world.signInSettings(SCOPES)).tokenEndpoint, clientId: "mobile-app" };
  const store = new MemoryTokenStore({ accessToken: "old", expiresAtMs: 0, refreshToken: "unknown" });
  const client = new MobileClient({ baseUrl: world.bff, tokens: new TokenSource(store, endpoint) });
  await assert.rejects(client.home(), SignInRequired);
  assert.equal(await store.load(), undefined);
});

test("a service that is busy is asked again after the time that it asked for", async () => {
  const waits: number[] = [];
  const client = new MobileClient({
    baseUrl: world.bff,
    tokens: await source("alice"),
    random: () => 0,
    wait: async (ms) => {
      waits.push(ms);
      await world.chaos("catalog", []);
    },
  });
  await world.chaos("catalog", [{ errorRate: 1, status: 503, headers: { "retry-after": "7" } }]);
  const page = await client.products({ size: 3 });
  assert.equal(page.content.length, 3);
  assert.deepEqual(waits, [7000]);
});

test("a wait that is too long is left to the app", async () => {
  const client = new MobileClient({ baseUrl: world.bff, tokens: await source("alice"), maxWaitMs: 5000 });
  await world.chaos("catalog", [{ errorRate: 1, status: 503, headers: { "retry-after": "60" } }]);
  await assert.rejects(client.products(), (error: unknown) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.problem.code, "downstream-unavailable");
    assert.ok((error.retryAfterMs ?? 0) > 5000);
    return true;
  });
});

test("a lost answer is asked for again", async () => {
  const network = await LossyNetwork.before(world.bff);
  try {
    const client = new MobileClient({ baseUrl: network.url, tokens: await source("bob"), wait: () => Promise.resolve() });
    network.lose = 2;
    assert.equal((await client.home()).name, "Bob");
    assert.equal(network.passed, 3);
  } finally {
    await network.stop();
  }
});

test("a write without a key is not sent twice", async () => {
  const network = await LossyNetwork.before(world.bff);
  try {
    const http = new Http({ baseUrl: network.url, tokens: await source("bob"), wait: () => Promise.resolve() });
    network.lose = 1;
    await assert.rejects(http.call("POST", "/v1/orders", { body: {} }), NetworkError);
    assert.equal(network.passed, 1);
  } finally {
    await network.stop();
  }
});

test("a wrong request is a problem with its code and is not repeated", async () => {
  const client = new MobileClient({ baseUrl: world.bff, tokens: await source("alice"), wait: () => assert.fail("it waited") });
  await assert.rejects(client.products({ sort: "price;drop" }), (error: unknown) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.problem.code, "validation-failed");
    assert.equal(error.problem.errors?.[0]?.field, "sort");
    return true;
  });
});

test("a cancelled call is the app's own doing and no network failure", async () => {
  const client = new MobileClient({ baseUrl: world.bff, tokens: await source("alice") });
  const abort = new AbortController();
  abort.abort(new Error("the screen was left"));
  await assert.rejects(client.home({ signal: abort.signal }), /the screen was left/);
});

test("Retry-After is read as seconds and as a date", () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(parseRetryAfter("3", now), 3000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 2026 00:00:10 GMT", now), 10_000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 2020 00:00:00 GMT", now), 0);
  assert.equal(parseRetryAfter("soon", now), undefined);
});
