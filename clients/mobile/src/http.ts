/**
 * Calls that survive a phone's network: a time-out for each attempt, repetition with back-off where repeating is safe,
 * Retry-After honoured, a token refreshed once when it is refused.
 *
 * A write carries an Idempotency-Key, made once for the intention and not for the attempt. So a write whose answer was
 * lost is sent again without its effect happening twice.
 */
import { NetworkError, ProblemError, readProblem } from "./problem.js";
import type { TokenSource } from "./tokens.js";

export interface HttpSettings {
  /** Such as `https://mobile.example.com`. */
  baseUrl: string;
  tokens?: TokenSource;
  fetch?: typeof fetch;
  /** The longest that one attempt may take. */
  timeoutMs?: number;
  /** Attempts in all. */
  maxAttempts?: number;
  /** Waits longer than this are left to the caller, who gets the error. */
  maxWaitMs?: number;
  /** For tests. */
  now?: () => number;
  wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  random?: () => number;
}

export interface CallOptions {
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  body?: unknown;
  /** Makes a write safe to repeat. */
  idempotencyKey?: string;
  /** Says that a write may be repeated without a key, because to do it again changes nothing. */
  repeatable?: boolean;
  signal?: AbortSignal;
}

/** An answer with its headers; `body` is absent for 204 and 304. */
export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T | undefined;
}

const BASE_DELAY_MS = 200;

export class Http {
  readonly #settings: HttpSettings;

  constructor(settings: HttpSettings) {
    this.#settings = settings;
  }

  /** Makes a call. Throws `ProblemError`, `NetworkError` or `SignInRequired`. */
  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const { maxAttempts = 4, maxWaitMs = 30_000 } = this.#settings;
    const repeatable = ["GET", "PUT", "DELETE"].includes(method) || options.idempotencyKey !== undefined || options.repeatable === true;
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#attempt<T>(method, path, options).catch((error: unknown) => asFailure(error));
      if (!(failure instanceof Error)) return failure;
      if (!repeatable || attempt >= maxAttempts || !isTransient(failure)) throw failure;
      const asked = failure instanceof ProblemError ? failure.retryAfterMs : undefined;
      const wait = Math.max(asked ?? 0, this.#backOff(attempt));
      if (wait > maxWaitMs) throw failure;
      await (this.#settings.wait ?? sleep)(wait, options.signal);
    }
  }

  async #attempt<T>(method: string, path: string, options: CallOptions): Promise<Answer<T>> {
    const { tokens } = this.#settings;
    if (tokens === undefined) return await this.#send<T>(method, path, options, undefined);
    const token = await tokens.accessToken();
    try {
      return await this.#send<T>(method, path, options, token);
    } catch (error) {
      // A 401 was refused before it had an effect, so sending it once more is safe for every method.
      if (!(error instanceof ProblemError) || error.problem.status !== 401) throw error;
      return await this.#send<T>(method, path, options, await tokens.replaced(token));
    }
  }

  async #send<T>(method: string, path: string, options: CallOptions, token: string | undefined): Promise<Answer<T>> {
    const address = new URL(path, this.#settings.baseUrl);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) address.searchParams.set(name, String(value));
    }
    const headers = new Headers({ accept: "application/json", ...options.headers });
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    if (options.idempotencyKey !== undefined) headers.set("idempotency-key", `"${options.idempotencyKey}"`);
    if (options.body !== undefined) headers.set("content-type", "application/json");

    options.signal?.throwIfAborted();
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(new Error("the attempt took too long")), this.#settings.timeoutMs ?? 10_000);
    const stop = (): void => timeout.abort(options.signal?.reason);
    options.signal?.addEventListener("abort", stop, { once: true });
    try {
      const response = await (this.#settings.fetch ?? fetch)(address, {
        method,
        headers,
        signal: timeout.signal,
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      });
      if (!response.ok && response.status !== 304) throw await readProblem(response, (this.#settings.now ?? Date.now)());
      const empty = response.status === 204 || response.status === 304;
      const body = empty ? undefined : ((await response.json()) as T);
      return { status: response.status, headers: response.headers, body };
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      // The caller's own cancellation is not the network's fault.
      options.signal?.throwIfAborted();
      throw new NetworkError(error);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", stop);
    }
  }

  /** Full jitter: from nothing to the exponential step, so that phones that lost the same cell do not return as one. */
  #backOff(attempt: number): number {
    return (this.#settings.random ?? Math.random)() * BASE_DELAY_MS * 2 ** attempt;
  }
}

function asFailure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function isTransient(error: Error): boolean {
  if (error instanceof NetworkError) return true;
  return error instanceof ProblemError && [408, 425, 429, 502, 503, 504].includes(error.problem.status);
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", stop, { once: true });
    function done(): void {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop(): void {
      clearTimeout(timer);
      reject(asFailure(signal?.reason));
    }
  });
}
