//! The sandbox's services as a client sees them: what they answer, whom they refuse, how they fail when told to.

mod access;
mod catalog;
mod dialects;
mod harness;
mod notifications;
