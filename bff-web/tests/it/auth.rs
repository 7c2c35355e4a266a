//! Signing in and out, sessions, and the checks before every route.

mod backchannel;
mod bad_input;
mod client_authentication;
mod csrf;
mod killed;
mod login;
mod logout;
mod lost_writes;
mod no_leaks;
mod own_sessions;
mod redis_outage;
mod refresh;
mod replicas;
mod session;
mod session_ends;
mod step_up;
mod store;
mod store_tls;
