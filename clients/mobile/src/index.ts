export * from "./client.js";
export * from "./http.js";
export * from "./problem.js";
export * from "./sign-in.js";
export * from "./tokens.js";
