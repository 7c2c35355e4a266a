//! The backend-for-frontend of partner companies, as a process.

use std::process::ExitCode;

/// Requests allocate many short-lived values on every worker; mimalloc serves them without contention, on musl too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shared_lib::service::main::<bff_partner::BffPartner>()
}
