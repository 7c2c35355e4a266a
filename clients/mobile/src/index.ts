export * from "./client.js";
export * from "./http.js";
export * from "./inbox.js";
export * from "./problem.js";
export { beginSignIn, finishSignIn, type SignInAttempt, type SignInSettings } from "./sign-in.js";
export * from "./tokens.js";
