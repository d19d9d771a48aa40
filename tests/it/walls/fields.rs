//! Every field of every call with what it cannot be, all else as it should: it is refused for a
//! reason and changes nothing, or taken as plain text. Nothing is ever structure, and nothing breaks.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::DescriptorProto;
use prost_types::field_descriptor_proto::Type;
use tonic::Code;

use super::Bystander;
use super::call::{Rpc, Way, contract, rpcs};
use super::dump::Dump;
use super::requests::requests;
use super::scene::{Caller, Role, Scene, callers};
use crate::on_both_backends;
use crate::world::{Refusal, World};

on_both_backends! { no_field_of_any_call_is_taken_for_what_it_is_not }

/// What would be structure, a path, a pattern or an end to somebody.
pub(super) const ODD: [&str; 8] = [
    "{\"$gt\":\"\"}",
    ".*(a+)+$",
    "../../etc/passwd",
    "a\0b",
    "' OR '1'='1' --",
    "\u{202e}\u{feff}\u{200b}",
    "%25%00",
    "",
];

/// A refusal that is no fault of ours.
pub(super) const CALM: [Code; 6] = [
    Code::InvalidArgument,
    Code::NotFound,
    Code::FailedPrecondition,
    Code::PermissionDenied,
    Code::AlreadyExists,
    Code::ResourceExhausted,
];

/// A field somewhere in a request, and what it is set to.
pub(super) struct Try {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    /// Cannot be read at all.
    pub(super) unreadable: bool,
}

pub(super) fn under(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut out);
    encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

/// All that the fields of a message are tried with. What is behind a request overrides what is in it.
pub(super) fn tries(messages: &BTreeMap<String, DescriptorProto>, of: &str) -> Vec<Try> {
    let mut all = Vec::new();
    for field in &messages[of].field {
        let number = field.number().cast_unsigned();
        let mut add = |bytes: Vec<u8>, unreadable| {
            all.push(Try { path: field.name().to_owned(), bytes, unreadable });
        };
        match field.r#type() {
            Type::Message => {
                for inner in tries(messages, field.type_name()) {
                    let path = format!("{}.{}", field.name(), inner.path);
                    let bytes = under(number, &inner.bytes);
                    all.push(Try { path, bytes, unreadable: inner.unreadable });
                }
            }
            Type::String => {
                for odd in ODD {
                    add(under(number, odd.as_bytes()), false);
                }
                add(under(number, "আ".repeat(3_000).as_bytes()), false);
                add(under(number, &[b'a', 0xff, 0xfe]), true);
            }
            Type::Bytes => {
                for odd in [vec![0xff; 3], vec![0; 50_000]] {
                    add(under(number, &odd), false);
                }
            }
            _ => {
                for odd in [0, 1, 99, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
                    let mut bytes = Vec::new();
                    encode_key(number, WireType::Varint, &mut bytes);
                    encode_varint(odd, &mut bytes);
                    add(bytes, false);
                }
            }
        }
    }
    all
}

pub(super) fn messages() -> BTreeMap<String, DescriptorProto> {
    let mut all = BTreeMap::new();
    for file in contract().file {
        for message in file.message_type {
            all.insert(
                format!(".{}.{}", file.package.as_deref().unwrap(), message.name()),
                message,
            );
        }
    }
    all
}

/// What a call refused; what is not refused must be answered.
async fn refused(way: Way, rpc: &Rpc, scene: &Scene, by: &Caller, what: &Try) -> Option<Refusal> {
    let mut requests = requests(scene, &rpc.name, by);
    let first: Bytes = [&requests[0], &what.bytes[..]].concat().into();
    requests[0] = first;
    let status = by.knocks.call(way, rpc, requests).await.err()?;
    let refused = Refusal::of_status(&status);
    let at = format!("{} {} {way:?}: {refused:?}", rpc.name, what.path);
    assert!(CALM.contains(&refused.code) && !refused.retry, "{at}");
    assert!(
        !ODD.iter().any(|odd| odd.len() > 3 && refused.message.contains(odd)),
        "repeated: {at}"
    );
    Some(refused)
}

async fn no_field_of_any_call_is_taken_for_what_it_is_not(world: World) {
    let all = callers(&world).await;
    let messages = messages();
    let mut bystander = Bystander::at(&world).await;
    let scene = Scene::set(&world).await;
    let secret = super::secret(&world).await;
    // Streams are tried for what is in their Hello; who opens one too many is refused anyway.
    for rpc in &rpcs() {
        let service = rpc.name.starts_with("AdminService");
        let by = &all[if service { Role::Service } else { Role::Owner } as usize];
        let mut calm = Vec::new();
        let tries = tries(&messages, &rpc.input);
        for way in Way::ALL.into_iter().filter(|way| way.takes(rpc)) {
            for what in &tries {
                match refused(way, rpc, &scene, by, what).await {
                    Some(refused) => {
                        let at = format!("{} {} {way:?}: {refused:?}", rpc.name, what.path);
                        assert!(!what.unreadable || refused.reason == "FIELD_INVALID", "{at}");
                        calm.push((way, what));
                    }
                    None => assert!(!what.unreadable, "{} takes {}", rpc.name, what.path),
                }
            }
        }
        // What was refused is refused again, and changes nothing.
        let before = Dump::of(&world).await;
        for (way, what) in calm {
            let again = refused(way, rpc, &scene, by, what).await;
            assert!(again.is_some(), "{} {} is taken the second time", rpc.name, what.path);
        }
        let changes = before.changes(&Dump::of(&world).await);
        assert!(changes.is_empty(), "refused {} changed {changes:#?}", rpc.name);
        bystander.goes_on().await;
    }
    let kept = crate::world::chat(&mut world.api("keeper").await, &secret).await;
    assert_eq!((kept.member_count, kept.last_seq, kept.revision), (2, 2, 1));
}
