//! The door: what comes in from the wire and goes out to it. Translates, decides nothing.
//!
//! [`status`] is the one road from an [`Error`](crate::error::Error) to the wire, [`edge`] sees
//! to it that no Status leaves without a reason, [`codec`] bounds what comes in, and [`frame`]
//! carries events that are encoded once, however many streams they go to.

pub mod codec;
pub mod edge;
pub mod frame;
pub mod status;

pub use codec::Codec;
pub use edge::EdgeLayer;
pub use frame::EncodedFrame;
pub use status::{RequestId, status, stream_error};

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
