/** What an app keeps and does over a bad network: orders that are placed once, notifications that are kept up to date. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { applied, InboxSync, MemoryInboxStore, MemoryTokenStore, MobileClient, NetworkError, orderIntent, ProblemError, TokenSource } from "../src/index.js";
import type { Changes, Inbox } from "../src/index.js";
import { LossyNetwork, World } from "./world.js";

const SCOPES = ["openid", "offline_access", "notifications:read", "notifications:write", "orders:read", "orders:write"];
const KETTLE = [{ product: "SKU-00001", quantity: 2 }];

let world: World;

before(async () => {
  world = await World.start();
});

after(async () => {
  await world.stop();
});

beforeEach(async () => {
  for (const service of ["notifications", "orders"]) await world.chaos(service, []);
});

async function tokens(user: string): Promise<TokenSource> {
  const endpoint = { url: (await world.signInSettings(SCOPES)).tokenEndpoint, clientId: "mobile-app" };
  return new TokenSource(new MemoryTokenStore(await world.signIn(user, SCOPES)), endpoint);
}

async function clientOf(user: string, baseUrl = world.bff): Promise<MobileClient> {
  return new MobileClient({ baseUrl, tokens: await tokens(user), wait: () => Promise.resolve() });
}

async function count(client: MobileClient): Promise<number> {
  return (await client.orders({ size: 1 })).totalElements;
}

test("an order whose answers are lost is placed once, and found when it is asked for again", async () => {
  const client = await clientOf("alice");
  const before = await count(client);
  const network = await LossyNetwork.before(world.bff);
  try {
    const phone = await clientOf("alice", network.url);
    const intent = orderIntent(KETTLE);
    network.lose = 3;
    const order = await phone.placeOrder(intent);
    assert.equal(network.passed, 4, "three answers were lost");
    assert.equal(order.items, 2);
    assert.deepEqual(await client.placeOrder(intent), order, "also by another start of the app");
    assert.equal(await count(client), before + 1);
  } finally {
    await network.stop();
  }
});

test("an order of which nothing is known in the end can be asked for later with the same intent", async () => {
  const client = await clientOf("bob");
  const before = await count(client);
  const network = await LossyNetwork.before(world.bff);
  try {
    const phone = new MobileClient({ baseUrl: network.url, tokens: await tokens("bob"), maxAttempts: 2, wait: () => Promise.resolve() });
    const intent = orderIntent(KETTLE);
    network.lose = 2;
    await assert.rejects(phone.placeOrder(intent), NetworkError);
    const order = await phone.placeOrder(intent);
    assert.equal((await client.orders({ size: 1, sort: "placedAt,desc" })).content[0]?.id, order.id);
    assert.equal(await count(client), before + 1);
  } finally {
    await network.stop();
  }
});

test("a busy orders service is waited for as long as it asks, and the order is placed once", async () => {
  const waits: number[] = [];
  const client = await clientOf("alice");
  const before = await count(client);
  const patient = new MobileClient({
    baseUrl: world.bff,
    tokens: await tokens("alice"),
    random: () => 0,
    wait: async (ms) => {
      waits.push(ms);
      await world.chaos("orders", []);
    },
  });
  await world.chaos("orders", [{ errorRate: 1, status: 503, headers: { "retry-after": "9" } }]);
  await patient.placeOrder(orderIntent(KETTLE));
  assert.deepEqual(waits, [9000]);
  assert.equal(await count(client), before + 1);
});

test("an intent that is used for another order is refused and not repeated", async () => {
  const client = await clientOf("alice");
  const intent = orderIntent(KETTLE);
  await client.placeOrder(intent);
  const before = await count(client);
  await assert.rejects(client.placeOrder({ ...intent, lines: [{ product: "SKU-00002", quantity: 1 }] }), (error: unknown) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.problem.code, "idempotency-key-reused");
    return true;
  });
  assert.equal(await count(client), before);
});

test("an inbox is fetched once and then brought up to date by what has changed", async () => {
  const client = await clientOf("alice");
  const store = new MemoryInboxStore();
  const inbox = new InboxSync(client.http, store);
  const first = await inbox.sync();
  assert.ok(first.items.length > 20);

  await world.publish("alice", "one");
  await world.publish("alice", "two");
  const otherPhone = new InboxSync(client.http, new MemoryInboxStore());
  const unread = first.items.find((item) => !item.read);
  assert.ok(unread !== undefined);
  await otherPhone.markRead(unread.id);

  const second = await inbox.sync();
  assert.deepEqual(second.items.slice(0, 2).map((item) => item.title), ["two", "one"]);
  assert.equal(second.items.length, first.items.length + 2);
  assert.equal(second.items.find((item) => item.id === unread.id)?.read, true, "it was read on the other phone");
  assert.equal(second.unread, first.unread + 1);
  assert.deepEqual(await store.load(), second);
  assert.deepEqual(await inbox.sync(), { ...second }, "nothing has changed since");
});

test("changes of several answers are all fetched", async () => {
  const client = await clientOf("bob");
  const store = new MemoryInboxStore();
  const inbox = new InboxSync(client.http, store, { kept: 300 });
  await inbox.sync();
  for (let number = 0; number < 205; number++) await world.publish("bob", `n${number}`);
  const { items } = await inbox.sync();
  assert.deepEqual(items.slice(0, 205).map((item) => item.title), Array.from({ length: 205 }, (_, index) => `n${204 - index}`));
});

test("a place that can no longer be followed means everything anew", async () => {
  const [alice, bob] = [await clientOf("alice"), await clientOf("bob")];
  const store = new MemoryInboxStore();
  await new InboxSync(alice.http, store).sync();
  // Another user signs in on the same phone: the service answers 410.
  const inbox = await new InboxSync(bob.http, store).sync();
  const expected = await new InboxSync(bob.http, new MemoryInboxStore()).sync();
  assert.deepEqual(inbox, expected);
  // A record that was damaged is as good as none.
  await store.save({ ...inbox, next: "damaged" });
  assert.deepEqual(await new InboxSync(bob.http, store).sync(), expected);
});

test("what was kept stays when the service is away", async () => {
  const client = await clientOf("alice");
  const store = new MemoryInboxStore();
  const kept = await new InboxSync(client.http, store).sync();
  const away = new MobileClient({ baseUrl: "http://127.0.0.1:1", tokens: await tokens("alice"), maxAttempts: 1 });
  await assert.rejects(new InboxSync(away.http, store).sync(), NetworkError);
  assert.deepEqual(await store.load(), kept);
});

test("syncs at the same time are one", async () => {
  const network = await LossyNetwork.before(world.bff);
  try {
    const client = await clientOf("alice", network.url);
    const inbox = new InboxSync(client.http, new MemoryInboxStore());
    const all = await Promise.all([inbox.sync(), inbox.sync(), inbox.sync()]);
    assert.equal(network.passed, 1);
    assert.equal(all[0], all[2]);
  } finally {
    await network.stop();
  }
});

test("changes that are applied twice are applied once, and a full answer drops what was kept", () => {
  const item = (id: string, read = false) => ({ id, title: id, body: "", at: 0, read });
  const before: Inbox = { items: [item("b"), item("a")], unread: 2, next: "1" };
  const changes: Changes = { full: false, items: [item("c")], read: ["a"], unread: 2, next: "2", more: false };
  const once = applied(changes, before, 10);
  assert.deepEqual(once, { items: [item("c"), item("b"), item("a", true)], unread: 2, next: "2" });
  assert.deepEqual(applied(changes, once, 10), once);
  assert.deepEqual(applied({ ...changes, full: true }, before, 10).items, [item("c")]);
  assert.deepEqual(applied(changes, before, 2).items.map(({ id }) => id), ["c", "b"], "the oldest go first");
  assert.equal(applied({ full: false, items: [], read: [], next: "3", more: false }, once, 10).unread, 2);
});
