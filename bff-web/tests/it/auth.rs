//! Signing in and out, sessions, and the checks before every route.

mod csrf;
mod login;
mod logout;
mod refresh;
mod session;
