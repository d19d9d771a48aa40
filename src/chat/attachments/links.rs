//! URLs of files, signed: who has one may use it until it expires, and needs no token.
//!
//! They are from the root of whichever server was called. One in a message is the same for all
//! members, and stays the same for a while.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::chat::limits::{FILE_LINK_AGE, MESSAGE_LINK_AGE, MESSAGE_LINK_GRAIN};
use crate::chat::seal::{Purpose, Sealer, armour, unarmour};
use crate::clock::{Clock, Timestamp};
use crate::model::{Attachment, AttachmentId, Message, UserId};
use crate::proto;
use crate::wire;

/// What is behind a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    File,
    Thumbnail,
}

/// Makes URLs, and reads them.
#[derive(Clone)]
pub struct Links {
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    /// False: there are no attachments here, and so no URLs.
    on: bool,
}

impl Links {
    /// With the deployment's keys.
    pub(in crate::chat) fn new(sealer: &Sealer, clock: &Arc<dyn Clock>, on: bool) -> Self {
        Self { sealer: sealer.clone(), clock: Arc::clone(clock), on }
    }

    /// A message without receipts, with the URLs of what it carries.
    pub fn message(&self, of: &Message) -> proto::Message {
        self.with_urls(wire::message(of), of)
    }

    /// The same for this user alone.
    pub(in crate::chat) fn message_for(&self, of: &Message, user: &UserId) -> proto::Message {
        self.with_urls(wire::message_for(of, user), of)
    }

    fn with_urls(&self, mut shown: proto::Message, of: &Message) -> proto::Message {
        if !of.attachments.is_empty() {
            let grain = MESSAGE_LINK_GRAIN.as_millis().try_into().unwrap_or(1);
            let now = Timestamp(self.clock.now().0.div_euclid(grain) * grain);
            let expires = now.plus(MESSAGE_LINK_AGE + MESSAGE_LINK_GRAIN);
            shown.attachments = of.attachments.iter().map(|of| self.signed(of, expires)).collect();
        }
        shown
    }

    /// A file, with URLs that are good for some minutes.
    pub(super) fn attachment(&self, of: &Attachment) -> proto::Attachment {
        self.signed(of, self.clock.now().plus(FILE_LINK_AGE))
    }

    fn signed(&self, of: &Attachment, expires: Timestamp) -> proto::Attachment {
        let mut shown = wire::attachment(of);
        if self.on {
            shown.url = self.download(of.id, Variant::File, expires);
            shown.url_expires_at = Some(wire::timestamp(expires));
            if of.thumbnail {
                shown.thumbnail_url = self.download(of.id, Variant::Thumbnail, expires);
            }
        }
        shown
    }

    fn download(&self, id: AttachmentId, variant: Variant, expires: Timestamp) -> String {
        let body = [&body(id, expires)[..], &[variant as u8]].concat();
        format!("/files/{}", self.seal(Purpose::Download, &body))
    }

    /// Where to PUT an upload.
    pub(super) fn upload(&self, id: AttachmentId, expires: Timestamp) -> String {
        format!("/uploads/{}", self.seal(Purpose::Upload, &body(id, expires)))
    }

    /// What is behind the last part of a URL; `None`: it is not one of ours, or no longer good.
    pub(super) fn read_download(&self, token: &str) -> Option<(AttachmentId, Variant, Duration)> {
        let body = self.open(Purpose::Download, token)?;
        let (variant, body) = body.split_last()?;
        let variant = match variant {
            0 => Variant::File,
            1 => Variant::Thumbnail,
            _ => return None,
        };
        let (id, left) = self.read(body)?;
        Some((id, variant, left))
    }

    /// The same for an upload.
    pub(super) fn read_upload(&self, token: &str) -> Option<AttachmentId> {
        let body = self.open(Purpose::Upload, token)?;
        self.read(&body).map(|(id, _)| id)
    }

    fn seal(&self, purpose: Purpose<'_>, body: &[u8]) -> String {
        armour(&self.sealer.seal(&nobody(), purpose, body))
    }

    fn open(&self, purpose: Purpose<'_>, token: &str) -> Option<Vec<u8>> {
        let token = unarmour(token)?;
        self.sealer.open(&nobody(), purpose, &token).map(<[u8]>::to_vec)
    }

    /// The file, and how long the link is still good.
    fn read(&self, body: &[u8]) -> Option<(AttachmentId, Duration)> {
        let (id, expires) = body.split_first_chunk::<16>()?;
        let expires = Timestamp(i64::from_be_bytes(expires.try_into().ok()?));
        let left = expires.since(self.clock.now());
        (!left.is_zero()).then(|| (AttachmentId(Uuid::from_bytes(*id)), left))
    }
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Links(…)")
    }
}

/// Links are bound to no user: no user is called so.
fn nobody() -> UserId {
    UserId::new("")
}

fn body(id: AttachmentId, expires: Timestamp) -> [u8; 24] {
    let mut body = [0; 24];
    body[..16].copy_from_slice(id.0.as_bytes());
    body[16..].copy_from_slice(&expires.0.to_be_bytes());
    body
}
