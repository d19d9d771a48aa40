//! Turns `proto/` into Rust: messages and the client once, the server once more.
//!
//! The server is generated apart so that its two streaming answers are
//! [`EncodedFrame`](src/wire/frame.rs): an event is encoded once, however many streams carry it.

use std::path::{Path, PathBuf};

use prost_build::Config;

const FILES: [&str; 16] = [
    "adda/node/v1/envelope.proto",
    "adda/v1/admin_service.proto",
    "adda/v1/attachment_service.proto",
    "adda/v1/chat.proto",
    "adda/v1/chat_service.proto",
    "adda/v1/error.proto",
    "adda/v1/event.proto",
    "adda/v1/group_calls.proto",
    "adda/v1/message.proto",
    "adda/v1/message_calls.proto",
    "adda/v1/notification.proto",
    "adda/v1/notification_service.proto",
    "adda/v1/receipts.proto",
    "adda/v1/stream.proto",
    "adda/v1/user.proto",
    "adda/v1/user_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ADDA_MUTANTS");
    println!("cargo::rustc-check-cfg=cfg(mutants)");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    if std::env::var("ADDA_MUTANTS").as_deref() == Ok("1") {
        // Bugs on purpose: see src/mutants.rs.
        println!("cargo::rustc-cfg=mutants");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let descriptors = protox::compile(FILES, [Path::new("proto")])?;
    std::fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&descriptors))?;

    let mut messages = Config::new();
    messages.bytes([".adda.v1.Hello", ".adda.v1.Checkpoint"]);
    tonic_prost_build::configure()
        .build_server(false)
        // The constructor `connect` of a generated client would collide with the RPC Connect.
        .build_transport(false)
        .compile_fds_with_config(descriptors.clone(), messages)?;

    let server = out.join("server");
    std::fs::create_dir_all(&server)?;
    let mut config = Config::new();
    config
        .extern_path(".adda.v1", "crate::proto")
        .extern_path(".adda.node.v1", "crate::proto::node")
        .extern_path(".adda.v1.ConnectResponse", "crate::wire::EncodedFrame")
        .extern_path(".adda.v1.SubscribeResponse", "crate::wire::EncodedFrame");
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .codec_path("crate::rpc::Codec")
        .out_dir(server)
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
