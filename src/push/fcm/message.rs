//! A push as FCM wants it: one message with a part for each system.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::push::{Note, NoteKind};

/// How long a push is worth delivering, in seconds: what is older is told by the next one, or by
/// the app itself.
const TTL: u32 = 4 * 7 * 24 * 3600;

/// What is told of several chats, and what takes its place.
const DIGEST: &str = "digest";

/// What goes out.
pub(super) fn of(note: &Note) -> Value {
    let chat = note.chat.to_string();
    match &note.kind {
        NoteKind::Message { message, title, body, sound } => {
            let data = json!({
                "kind": "message",
                "chat_id": chat,
                "message_id": message.to_string(),
                "seq": note.seq.to_string(),
            });
            rings(note, &chat, &topic(note), (title, body, *sound), &data)
        }
        NoteKind::Digest { title, body, sound } => {
            rings(note, DIGEST, DIGEST, (title, body, *sound), &json!({ "kind": DIGEST }))
        }
        NoteKind::Read { digest } => {
            let tags = if *digest { format!("{chat},{DIGEST}") } else { chat.clone() };
            let data = json!({
                "kind": "read",
                "chat_id": chat,
                "seq": note.seq.to_string(),
                "badge": note.badge.to_string(),
                "tags": tags,
            });
            json!({ "message": {
                "token": note.token,
                "data": data,
                "android": { "collapse_key": format!("{chat}-read"), "priority": "NORMAL", "ttl": ttl() },
                "apns": {
                    "headers": { "apns-push-type": "background", "apns-priority": "5" },
                    "payload": { "aps": { "content-available": 1, "badge": note.badge } },
                },
            } })
        }
    }
}

/// What has the same key takes each other's place on the screen.
fn rings(
    note: &Note,
    key: &str,
    topic: &str,
    (title, body, sound): (&str, &str, bool),
    data: &Value,
) -> Value {
    let with = sound.then_some("default");
    json!({ "message": {
        "token": note.token,
        "data": data,
        "notification": { "title": title, "body": body },
        "android": android(key, with, note.badge),
        "apns": apns(key, with, note.badge),
        "webpush": {
            "headers": { "TTL": TTL.to_string(), "Urgency": "high", "Topic": topic },
            "notification": { "tag": key, "renotify": sound, "silent": !sound },
        },
    } })
}

fn ttl() -> String {
    format!("{TTL}s")
}

fn android(key: &str, sound: Option<&str>, badge: u32) -> Value {
    json!({
        "collapse_key": key,
        "priority": "HIGH",
        "ttl": ttl(),
        "notification": { "tag": key, "sound": sound, "notification_count": badge },
    })
}

fn apns(key: &str, sound: Option<&str>, badge: u32) -> Value {
    json!({
        "headers": { "apns-priority": "10", "apns-collapse-id": key },
        "payload": { "aps": { "badge": badge, "sound": sound, "thread-id": key } },
    })
}

/// At most 32 characters of base64url (RFC 8030).
fn topic(note: &Note) -> String {
    URL_SAFE_NO_PAD.encode(note.chat.0.as_bytes())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{ChatId, MessageId, Platform};

    #[test]
    fn the_largest_fits() {
        let note = Note {
            token: String::new(),
            platform: Platform::Android,
            chat: ChatId(Uuid::nil()),
            seq: u32::MAX,
            badge: 1000,
            kind: NoteKind::Message {
                message: MessageId(Uuid::nil()),
                // As many bytes as words have at most, the worst of them.
                title: "\"".repeat(256),
                body: "\n".repeat(1_000),
                sound: true,
            },
        };
        let message = of(&note);
        assert!(message.to_string().len() <= 4_096, "{}", message.to_string().len());
    }
}
