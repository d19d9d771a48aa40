//! adda: a messaging service that a product embeds.

pub mod bus;
pub mod chat;
pub mod clock;
pub mod error;
pub mod model;
pub mod proto;
pub mod store;
pub mod wire;
