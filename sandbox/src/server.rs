//! Listeners, and servers on threads of their own, so that whoever starts a sandbox needs no particular runtime.

mod grpc;
mod http;
mod socket;
mod thread;

pub(crate) use self::{
    grpc::serve_notifications,
    http::{serve_provider, serve_services},
    socket::bind,
    thread::Running,
};
