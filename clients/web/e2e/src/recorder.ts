/**
 * Everything that a page's browser sees, by the Chrome DevTools Protocol: every address, every header that came, every
 * body, and which cookies went along. Bodies are read before the page gets them, so do not record a stream.
 */
import type { CDPSession, Page } from "playwright-core";

/** A request, and which of the browser's cookies it carried. */
export interface SentRequest {
  url: string;
  cookies: { name: string; sent: boolean; why: string[] }[];
}

export class Recorder {
  /** Addresses, headers and bodies, as text. */
  readonly seen: { what: string; text: string }[] = [];
  readonly requests: SentRequest[] = [];

  private constructor(private readonly session: CDPSession) {}

  static async of(page: Page): Promise<Recorder> {
    const recorder = new Recorder(await page.context().newCDPSession(page));
    await recorder.listen();
    return recorder;
  }

  private async listen(): Promise<void> {
    const { session } = this;
    const urls = new Map<string, string[]>();
    session.on("Network.requestWillBeSent", ({ requestId, request, redirectResponse }) => {
      urls.set(requestId, [...(urls.get(requestId) ?? []), request.url]);
      this.seen.push({ what: "address", text: request.url });
      if (redirectResponse !== undefined) this.seen.push({ what: `redirect from ${redirectResponse.url}`, text: JSON.stringify(redirectResponse.headers) });
    });
    // Comes once for each request, in their order, redirects included.
    const counted = new Map<string, number>();
    session.on("Network.requestWillBeSentExtraInfo", ({ requestId, associatedCookies }) => {
      const place = counted.get(requestId) ?? 0;
      counted.set(requestId, place + 1);
      const cookies = associatedCookies.map(({ cookie, blockedReasons }) => ({ name: cookie.name, sent: blockedReasons.length === 0, why: blockedReasons as string[] }));
      const sent: SentRequest = { url: "", cookies };
      // The two events of a request come in either order.
      Object.defineProperty(sent, "url", { get: () => urls.get(requestId)?.[place] ?? "", enumerable: true });
      this.requests.push(sent);
    });
    session.on("Network.responseReceivedExtraInfo", ({ headers, headersText }) => {
      this.seen.push({ what: "headers", text: headersText ?? JSON.stringify(headers) });
    });
    session.on("Fetch.requestPaused", ({ requestId, request, responseStatusCode }) => {
      void this.read(requestId, request.url, responseStatusCode ?? 0);
    });
    await session.send("Network.enable");
    await session.send("Fetch.enable", { patterns: [{ requestStage: "Response" }] });
  }

  private async read(requestId: string, url: string, status: number): Promise<void> {
    const isRedirect = status >= 300 && status < 400;
    try {
      if (!isRedirect && status !== 0 && status !== 204) {
        const { body, base64Encoded } = await this.session.send("Fetch.getResponseBody", { requestId });
        this.seen.push({ what: `body of ${url}`, text: base64Encoded ? Buffer.from(body, "base64").toString() : body });
      }
      await this.session.send("Fetch.continueRequest", { requestId });
    } catch (error) {
      // A page that was closed meanwhile waits for nothing any more.
      if (!String(error).includes("closed")) this.seen.push({ what: `FAILED ${url}`, text: String(error) });
    }
  }
}
