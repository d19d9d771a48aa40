//! The door: what comes in from the wire and goes out to it. Translates, decides nothing.
//!
//! [`edge`] sees to it that no Status leaves without a reason, and [`codec`] bounds what comes in.

mod admin_service;
mod attachment_service;
mod chat_requests;
mod chat_service;
pub mod codec;
mod door;
pub mod edge;
mod notification_service;
mod user_service;

pub use codec::Codec;
pub use door::Door;
pub use edge::EdgeLayer;

/// The generated server.
pub mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        clippy::pedantic,
        unreachable_pub,
        reason = "generated; the docs are those of the protos"
    )]

    include!(concat!(env!("OUT_DIR"), "/server/adda.v1.rs"));
}
