//! The BFF as a whole, in front of a sandbox.

mod admin;
mod bulk;
mod contract;
mod crash;
mod docs;
mod engines;
mod harness;
mod idempotency;
mod keys_admitted;
mod keys_command_line;
mod keys_database_away;
mod keys_push;
mod keys_store;
mod limits;
mod limits_shared;
mod on_behalf;
mod orders;
mod problems;
mod process;
mod products;
mod quotas;
mod revocations;
mod samples;
mod settings;
mod tracing;
mod walks;
