//! Names of things.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Timestamp;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Reads the hyphenated form; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().map(Self)
            }

            /// As text, in a buffer of `Uuid::encode_buffer`: for where an allocation counts.
            pub fn text(self, buffer: &mut [u8; 45]) -> &str {
                self.0.hyphenated().encode_lower(buffer)
            }

            /// When the id was made.
            pub fn time(self) -> Timestamp {
                Timestamp::of_id(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes text that was already checked, or comes from our own store.
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }

            /// Takes 1 to 64 of `A-Z a-z 0-9 _ . : @ -`; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                is_name(text).then(|| Self::new(text))
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

uuid_id! {
    /// A chat. UUIDv7.
    ChatId
}
uuid_id! {
    /// A message. UUIDv7; its time is the message's `created_at`.
    MessageId
}
uuid_id! {
    /// A file that was uploaded, or is being so. UUIDv7.
    AttachmentId
}
uuid_id! {
    /// One live stream of one device. UUIDv7.
    SessionId
}
text_id! {
    /// A user: `sub` of their token.
    UserId
}
text_id! {
    /// One installation of a client; means something only together with the user.
    DeviceId
}
text_id! {
    /// One run of one server process. A process that starts again is another node.
    NodeId
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'@' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_contract_says() {
        for good in ["a", "A.b:c@d-e_9", &"x".repeat(64)] {
            assert!(UserId::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "a/b", "é", "a\0", "{\"$gt\":\"\"}", &"x".repeat(65)] {
            assert!(UserId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert!(ChatId::parse(id).is_some());
        assert!(ChatId::parse(&id.replace('-', "")).is_none());
        assert!(ChatId::parse("{01890a5d-ac96-774b-bcce-b302099a8057}").is_none());
    }
}
