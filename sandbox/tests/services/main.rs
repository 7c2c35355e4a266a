//! The sandbox's services as a client sees them: what they answer, whom they refuse, how they fail when told to.

mod access;
mod catalog;
mod chat;
mod dialects;
mod faults;
mod harness;
mod journal;
mod notifications;
mod orders;
mod process;
mod state;
