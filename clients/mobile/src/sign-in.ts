/**
 * Signing in through the system's browser: authorization code with PKCE (RFC 8252, RFC 7636).
 *
 * 1. `beginSignIn` gives an address. Open it in the system's browser (ASWebAuthenticationSession, Custom Tabs), never
 *    in a web view of the app, which could read what the user types and shares no session.
 * 2. The browser comes back to the app's redirect address; give that address to `finishSignIn`.
 */
import { readTokens, type Tokens } from "./tokens.js";

export interface SignInSettings {
  authorizationEndpoint: string;
  tokenEndpoint: string;
  /** The provider's issuer, compared with the `iss` of its answer (RFC 9207). */
  issuer: string;
  clientId: string;
  redirectUri: string;
  scopes: string[];
}

/** What has to be kept between the two steps, in memory. */
export interface SignInAttempt {
  address: string;
  state: string;
  verifier: string;
}

/** Begins a sign-in. */
export async function beginSignIn(settings: SignInSettings): Promise<SignInAttempt> {
  const [state, verifier] = [randomText(), randomText()];
  const address = new URL(settings.authorizationEndpoint);
  const parameters = {
    response_type: "code",
    client_id: settings.clientId,
    redirect_uri: settings.redirectUri,
    scope: settings.scopes.join(" "),
    state,
    code_challenge: await challenge(verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  return { address: address.href, state, verifier };
}

/** Ends a sign-in with the address that the browser came back to. */
export async function finishSignIn(
  settings: SignInSettings,
  attempt: SignInAttempt,
  cameBackTo: string,
  options: { fetch?: typeof fetch; now?: () => number } = {},
): Promise<Tokens> {
  const answer = new URL(cameBackTo).searchParams;
  if (answer.get("state") !== attempt.state) throw new Error("the answer belongs to another sign-in");
  const issuer = answer.get("iss");
  if (issuer !== null && issuer !== settings.issuer) throw new Error("the answer comes from another provider");
  const error = answer.get("error");
  if (error !== null) throw new Error(`the provider refused: ${error}`);
  const code = answer.get("code");
  if (code === null) throw new Error("the answer has no code");
  const response = await (options.fetch ?? fetch)(settings.tokenEndpoint, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: settings.redirectUri,
      client_id: settings.clientId,
      code_verifier: attempt.verifier,
    }),
  });
  if (!response.ok) throw new Error(`the provider answered ${response.status}`);
  return readTokens(await response.json(), (options.now ?? Date.now)());
}

async function challenge(verifier: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64Url(new Uint8Array(digest));
}

/** 256 bits. */
export function randomText(): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
