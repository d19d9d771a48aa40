//! adda: a messaging service that a product embeds.

pub mod auth;
pub mod bus;
pub mod chat;
pub mod client;
pub mod clock;
pub mod config;
pub mod error;
pub mod files;
#[cfg(fuzzing)]
pub mod fuzz;
pub mod load;
pub mod logging;
pub mod metrics;
pub mod model;
#[cfg(mutants)]
mod mutants;
pub mod proto;
pub mod push;
pub mod rpc;
pub mod server;
pub mod session;
pub mod store;
pub mod trace;
pub mod vital;
pub mod webhook;
pub mod wire;
