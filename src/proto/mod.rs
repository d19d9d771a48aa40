//! The generated messages and the generated client; see `proto/adda/v1`, which is the manual.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    reason = "generated; the docs are those of the protos"
)]

// The tree that the generated paths expect.
mod adda {
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/adda.v1.rs"));
    }
    pub mod node {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/adda.node.v1.rs"));
        }
    }
}

/// What nodes tell each other; see `proto/adda/node/v1`.
pub use self::adda::node::v1 as node;
pub use self::adda::v1::*;

/// The protos as they are, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
