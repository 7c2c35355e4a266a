/**
 * Notifications as an app keeps them: all of them once, and from then on only what has changed.
 *
 * What is kept and the token that says up to where stand in one record, saved as a whole: an app that ends between an
 * answer and its record asks for the same changes again, and to apply them twice is to apply them once.
 */
import { type Http, type CallOptions } from "./http.js";
import { ProblemError } from "./problem.js";

export interface Notification {
  id: string;
  title: string;
  body: string;
  /** Seconds since 1970. */
  at: number;
  read: boolean;
}

/** What an app keeps. */
export interface Inbox {
  /** Newest first. */
  items: Notification[];
  unread: number;
  /** What the next question begins with. Not to be read or changed. */
  next: string;
}

/** Where it is kept: a table or a file of the app, of the user who is signed in. */
export interface InboxStore {
  load(): Promise<Inbox | undefined>;
  save(inbox: Inbox | undefined): Promise<void>;
}

/** For tests, and for apps that ask for everything after each start. */
export class MemoryInboxStore implements InboxStore {
  #inbox: Inbox | undefined;

  load(): Promise<Inbox | undefined> {
    return Promise.resolve(this.#inbox);
  }

  save(inbox: Inbox | undefined): Promise<void> {
    this.#inbox = inbox;
    return Promise.resolve();
  }
}

/** An answer of `GET /v1/notifications`. */
export interface Changes {
  /** Whether this is everything, so that what was kept is to be dropped. */
  full: boolean;
  items: Notification[];
  /** Those that were read elsewhere. */
  read: string[];
  unread?: number;
  next: string;
  /** Whether there are more changes that can be asked for at once. */
  more: boolean;
}

/** How many are kept, unless said otherwise; a phone shows no more. */
const KEPT = 200;

export class InboxSync {
  readonly #http: Http;
  readonly #store: InboxStore;
  readonly #kept: number;
  #running: Promise<Inbox> | undefined;

  constructor(http: Http, store: InboxStore, options: { kept?: number } = {}) {
    this.#http = http;
    this.#store = store;
    this.#kept = options.kept ?? KEPT;
  }

  /** Brings what is kept up to date and gives it. Who asks while it runs gets the same. */
  sync(options: CallOptions = {}): Promise<Inbox> {
    this.#running ??= this.#run(options).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Marks one as read, at the service and in what is kept. To do it again changes nothing. */
  async markRead(id: string, options: CallOptions = {}): Promise<void> {
    // The service is told in full before the record says so; a repetition is harmless, so no key is needed.
    await this.#http.call("POST", `/v1/notifications/${encodeURIComponent(id)}/read`, { ...options, repeatable: true });
    await this.sync(options);
  }

  async #run(options: CallOptions): Promise<Inbox> {
    let inbox = await this.#store.load();
    for (;;) {
      const changes = await this.#ask(inbox?.next, options);
      if (changes === "resync") {
        await this.#store.save(undefined);
        inbox = undefined;
        continue;
      }
      inbox = applied(changes, inbox, this.#kept);
      await this.#store.save(inbox);
      if (!changes.more) return inbox;
    }
  }

  async #ask(since: string | undefined, options: CallOptions): Promise<Changes | "resync"> {
    try {
      const { body } = await this.#http.call<Changes>("GET", "/v1/notifications", { ...options, query: { since } });
      if (body === undefined) throw new Error("/v1/notifications answered without a body");
      return body;
    } catch (error) {
      // Gone, or a record that was damaged on the phone: what is kept is worth nothing. Without a token there is
      // nothing to drop, and the error is the caller's.
      if (since !== undefined && error instanceof ProblemError && [400, 410].includes(error.problem.status)) return "resync";
      throw error;
    }
  }
}

/** What is kept after these changes. */
export function applied(changes: Changes, before: Inbox | undefined, kept: number): Inbox {
  const old = changes.full || before === undefined ? [] : before.items;
  const [fresh, read] = [new Set(changes.items.map((item) => item.id)), new Set(changes.read)];
  const rest = old.filter((item) => !fresh.has(item.id)).map((item) => (read.has(item.id) ? { ...item, read: true } : item));
  const items = [...changes.items, ...rest].slice(0, kept);
  return { items, unread: changes.unread ?? before?.unread ?? 0, next: changes.next };
}
