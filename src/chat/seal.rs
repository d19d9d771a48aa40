//! Opaque tokens of pages, of resumption and of links: signed, bound to their user and their
//! purpose. Links are nobody's: who has one may use it.
//!
//! HMAC-SHA-256 (RFC 2104) cut to 16 bytes. Tokens are not encrypted: what is in them is the
//! user's own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::error::{Error, Reason};
use crate::model::UserId;
use crate::store::Keys;

const MAC_BYTES: usize = 16;

/// What a token is for; one for another purpose is no token.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// A page of the inbox with this search.
    Inbox(&'a str),
    /// A page of the history of a chat.
    History(crate::model::ChatId),
    /// A page of the members of a chat with this search.
    Members(crate::model::ChatId, &'a str),
    /// A page of the users one has blocked.
    Blocks,
    /// A page of notifications, unread ones before all others or not.
    Notices(bool),
    /// A page of what was found for this question.
    Search(&'a [u8]),
    /// Resuming a stream.
    Resume,
    /// Uploading a file, by whoever has the link.
    Upload,
    /// Getting a file, by whoever has the link.
    Download,
}

/// Signs and opens tokens, and hashes content.
#[derive(Clone)]
pub struct Sealer {
    keys: Keys,
}

impl Sealer {
    /// With the deployment's keys.
    pub fn new(keys: Keys) -> Self {
        Self { keys }
    }

    /// Signs what is in a token, by the newest key.
    pub fn seal(&self, user: &UserId, purpose: Purpose<'_>, body: &[u8]) -> Vec<u8> {
        let Some((id, key)) = self.keys.tokens.last() else { return Vec::new() };
        let mut token = Vec::with_capacity(1 + MAC_BYTES + body.len());
        token.push(*id);
        token
            .extend_from_slice(&mac(key, user, purpose, body).finalize().into_bytes()[..MAC_BYTES]);
        token.extend_from_slice(body);
        token
    }

    /// What is in a token; `None` if it was not made for this user and purpose, or not by us.
    pub fn open<'t>(
        &self,
        user: &UserId,
        purpose: Purpose<'_>,
        token: &'t [u8],
    ) -> Option<&'t [u8]> {
        let (&id, rest) = token.split_first()?;
        let (given, body) = rest.split_at_checked(MAC_BYTES)?;
        let (_, key) = self.keys.tokens.iter().find(|(known, _)| *known == id)?;
        mac(key, user, purpose, body).verify_truncated_left(given).ok()?;
        Some(body)
    }

    /// The hash by which repeats are compared. Each part is prefixed with its length, so that
    /// no two lists of parts are alike.
    pub fn content_hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = hmac(&self.keys.content);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut out = [0; 16];
        out.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        out
    }
}

/// Bytes as text that can stand anywhere.
pub(super) fn armour(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes again; `None` for what [`armour`] never made.
pub(super) fn unarmour(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// That a token is of no use.
pub(super) fn bad_token() -> Error {
    Error::new(Reason::PageTokenInvalid, "not a page_token of this list: begin at the first page")
}

fn mac(key: &[u8; 32], user: &UserId, purpose: Purpose<'_>, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = hmac(key);
    mac.update(user.as_str().as_bytes());
    mac.update(&[0]);
    match purpose {
        Purpose::Inbox(query) => {
            mac.update(b"inbox");
            mac.update(&(query.len() as u64).to_be_bytes());
            mac.update(query.as_bytes());
        }
        Purpose::History(chat) => {
            mac.update(b"history");
            mac.update(chat.0.as_bytes());
        }
        Purpose::Members(chat, query) => {
            mac.update(b"members");
            mac.update(chat.0.as_bytes());
            mac.update(&(query.len() as u64).to_be_bytes());
            mac.update(query.as_bytes());
        }
        Purpose::Blocks => mac.update(b"blocks"),
        Purpose::Notices(unread_first) => {
            mac.update(b"notices");
            mac.update(&[u8::from(unread_first)]);
        }
        Purpose::Search(question) => {
            mac.update(b"search");
            mac.update(&(question.len() as u64).to_be_bytes());
            mac.update(question);
        }
        Purpose::Resume => mac.update(b"resume"),
        Purpose::Upload => mac.update(b"upload"),
        Purpose::Download => mac.update(b"download"),
    }
    mac.update(body);
    mac
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(tokens: Vec<(u8, [u8; 32])>) -> Sealer {
        Sealer::new(Keys { content: [7; 32], tokens })
    }

    #[test]
    fn a_token_opens_only_for_its_user_and_purpose() {
        let sealer = sealer(vec![(1, [1; 32])]);
        let (alice, bob) = (UserId::new("alice"), UserId::new("bob"));
        let token = sealer.seal(&alice, Purpose::Inbox("q"), b"body");
        assert_eq!(sealer.open(&alice, Purpose::Inbox("q"), &token), Some(&b"body"[..]));
        assert_eq!(sealer.open(&bob, Purpose::Inbox("q"), &token), None);
        assert_eq!(sealer.open(&alice, Purpose::Inbox(""), &token), None);
        assert_eq!(sealer.open(&alice, Purpose::Resume, &token), None);
    }

    #[test]
    fn a_changed_token_does_not_open() {
        let sealer = sealer(vec![(1, [1; 32])]);
        let alice = UserId::new("alice");
        let token = sealer.seal(&alice, Purpose::Resume, b"body");
        for at in 0..token.len() {
            let mut bad = token.clone();
            bad[at] ^= 1;
            assert_eq!(sealer.open(&alice, Purpose::Resume, &bad), None, "byte {at}");
        }
        for cut in 0..=MAC_BYTES {
            assert_eq!(sealer.open(&alice, Purpose::Resume, &token[..cut]), None);
        }
    }

    #[test]
    fn tokens_of_an_older_key_still_open() {
        let alice = UserId::new("alice");
        let token = sealer(vec![(1, [1; 32])]).seal(&alice, Purpose::Resume, b"body");
        let rotated = sealer(vec![(1, [1; 32]), (2, [2; 32])]);
        assert!(rotated.open(&alice, Purpose::Resume, &token).is_some());
        assert!(sealer(vec![(2, [2; 32])]).open(&alice, Purpose::Resume, &token).is_none());
    }
}
