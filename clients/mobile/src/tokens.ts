/**
 * The app's tokens: kept in the platform's secure store, refreshed before they expire, by one refresh at a time.
 *
 * A provider with strict rotation takes a refresh token once and treats a second use as theft, so two screens that find
 * the access token expired must not both refresh.
 */

/** What the provider's token endpoint gave. */
export interface Tokens {
  accessToken: string;
  /** When the access token ends, in milliseconds since 1970. */
  expiresAtMs: number;
  refreshToken?: string;
}

/** Where tokens are kept: the iOS keychain or the Android keystore on a phone, never plain files. */
export interface TokenStore {
  load(): Promise<Tokens | undefined>;
  save(tokens: Tokens | undefined): Promise<void>;
}

/** For tests, and for apps that sign in anew after each start. */
export class MemoryTokenStore implements TokenStore {
  #tokens: Tokens | undefined;

  constructor(tokens?: Tokens) {
    this.#tokens = tokens;
  }

  load(): Promise<Tokens | undefined> {
    return Promise.resolve(this.#tokens);
  }

  save(tokens: Tokens | undefined): Promise<void> {
    this.#tokens = tokens;
    return Promise.resolve();
  }
}

/** Thrown when the user has to sign in: there are no tokens, or the provider takes the refresh token no more. */
export class SignInRequired extends Error {
  override readonly name = "SignInRequired";
}

export interface TokenEndpoint {
  /** The provider's token endpoint, from its metadata. */
  url: string;
  clientId: string;
}

type Fetch = typeof fetch;

/** Gives access tokens that are good for a while. */
export class TokenSource {
  readonly #store: TokenStore;
  readonly #endpoint: TokenEndpoint;
  readonly #fetch: Fetch;
  readonly #now: () => number;
  #refresh: Promise<Tokens> | undefined;

  /** Refreshed this long before the end, so that a token does not end on its way. */
  static readonly LEAD_MS = 30_000;

  constructor(store: TokenStore, endpoint: TokenEndpoint, options: { fetch?: Fetch; now?: () => number } = {}) {
    this.#store = store;
    this.#endpoint = endpoint;
    this.#fetch = options.fetch ?? fetch;
    this.#now = options.now ?? Date.now;
  }

  /** A token for the next call. */
  async accessToken(): Promise<string> {
    const tokens = await this.#store.load();
    if (tokens === undefined) throw new SignInRequired("nobody is signed in");
    if (tokens.expiresAtMs - TokenSource.LEAD_MS > this.#now()) return tokens.accessToken;
    return (await this.#refreshed(tokens.accessToken)).accessToken;
  }

  /** After a 401: a token other than the one that was refused. */
  async replaced(refused: string): Promise<string> {
    return (await this.#refreshed(refused)).accessToken;
  }

  /** One refresh at a time; who comes later waits for it. */
  #refreshed(old: string): Promise<Tokens> {
    this.#refresh ??= this.#refreshNow(old).finally(() => {
      this.#refresh = undefined;
    });
    return this.#refresh;
  }

  async #refreshNow(old: string): Promise<Tokens> {
    const tokens = await this.#store.load();
    // Somebody else refreshed between the look and the lock.
    if (tokens !== undefined && tokens.accessToken !== old) return tokens;
    if (tokens?.refreshToken === undefined) throw new SignInRequired("there is no refresh token");
    const answer = await this.#fetch(this.#endpoint.url, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: tokens.refreshToken,
        client_id: this.#endpoint.clientId,
      }),
    });
    if (answer.status === 400 || answer.status === 401) {
      await this.#store.save(undefined);
      throw new SignInRequired("the provider takes the refresh token no more");
    }
    if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
    const fresh = readTokens(await answer.json(), this.#now(), tokens.refreshToken);
    await this.#store.save(fresh);
    return fresh;
  }
}

/** Reads the answer of a token endpoint (RFC 6749 section 5.1). Without a new refresh token the old one stays. */
export function readTokens(body: unknown, nowMs: number, refreshToken?: string): Tokens {
  const answer = body as { access_token?: unknown; expires_in?: unknown; refresh_token?: unknown };
  if (typeof answer?.access_token !== "string") throw new Error("the provider's answer has no access token");
  const lifetimeMs = typeof answer.expires_in === "number" ? answer.expires_in * 1000 : 60_000;
  const kept = typeof answer.refresh_token === "string" ? answer.refresh_token : refreshToken;
  return {
    accessToken: answer.access_token,
    expiresAtMs: nowMs + lifetimeMs,
    ...(kept === undefined ? {} : { refreshToken: kept }),
  };
}
