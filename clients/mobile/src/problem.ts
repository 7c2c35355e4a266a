/** An answer of the service that is an error: RFC 9457 problem details with a stable code. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  /** What to branch on; its meaning never changes. */
  code: string;
  detail?: string;
  /** The id under which support finds the request. */
  requestId?: string;
  errors?: { location: string; field: string; detail: string; allowed?: string[] }[];
}

/** Thrown for every answer that is not a success. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(
    readonly problem: Problem,
    /** When a repetition makes sense, in milliseconds; absent when the service did not say. */
    readonly retryAfterMs: number | undefined,
  ) {
    super(`${problem.code}: ${problem.detail ?? problem.title}`);
  }
}

/** Thrown when no answer came: no network, a time-out, a connection that broke. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";

  constructor(cause: unknown) {
    super("no answer came", { cause });
  }
}

/** Reads an error answer. One that is no problem document (a proxy's page) becomes one, so that callers see one shape. */
export async function readProblem(response: Response, nowMs: number): Promise<ProblemError> {
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), nowMs);
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") ?? false;
  if (isProblem) {
    const body: unknown = await response.json().catch(() => undefined);
    if (isProblemBody(body)) return new ProblemError(body, retryAfterMs);
  }
  const { status, statusText } = response;
  return new ProblemError({ type: "about:blank", title: statusText || "Error", status, code: `http-${status}` }, retryAfterMs);
}

function isProblemBody(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && typeof body.code === "string" && "title" in body;
}

/** Retry-After as a wait in milliseconds (RFC 9110 section 10.2.3): seconds, or an HTTP date. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
