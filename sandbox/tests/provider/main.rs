//! The OpenID provider over HTTP: a real server on a free port, a clock that the test moves.

mod backchannel;
mod browser;
mod client_auth;
mod client_credentials;
mod code;
mod dev;
mod discovery;
mod dpop;
mod exchange;
mod keys;
mod login;
mod logout;
mod par;
mod prompts;
mod redirects;
mod refresh;
mod running;
mod userinfo;
