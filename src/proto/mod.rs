//! The generated messages and the generated client; see `proto/adda/v1`, which is the manual.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    reason = "generated; the docs are those of the protos"
)]

tonic::include_proto!("adda.v1");

/// The protos as they are, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
