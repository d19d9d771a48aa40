//! Where the user of a stream stands in chats, as the device was told: nothing of a chat is told
//! after the word that the user is no member any more, whichever way it comes.

use std::collections::HashMap;

use crate::model::ChatId;
use crate::wire::About;

/// What the device was told of being a member, by the newest revision of each chat: no more chats
/// than a user has, and those that were left while the stream was open.
#[derive(Debug, Default)]
pub(super) struct Standing(HashMap<ChatId, Told>);

#[derive(Clone, Copy, Debug)]
struct Told {
    revision: u32,
    gone: bool,
}

impl Standing {
    /// Whether this may be told; notes what it says.
    pub(super) fn admits(&mut self, about: About) -> bool {
        let (chat, revision, gone) = match about {
            About::NoChat => return true,
            About::Chat(chat) => return !self.is_gone(chat),
            About::Member(chat, revision) => (chat, revision, false),
            About::Gone(chat, revision) => (chat, revision, true),
        };
        let told = self.0.entry(chat).or_insert(Told { revision, gone });
        // Of one revision the word of going is the last.
        let old = told.revision > revision || (told.revision == revision && told.gone && !gone);
        if !old {
            *told = Told { revision, gone };
        }
        !old
    }

    /// Whether the device was told that its user is no member.
    pub(super) fn is_gone(&self, chat: ChatId) -> bool {
        self.0.get(&chat).is_some_and(|told| told.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn nothing_is_told_of_a_chat_after_the_word_of_going() {
        let (chat, other) = (ChatId(SystemClock.new_id()), ChatId(SystemClock.new_id()));
        let mut standing = Standing::default();
        assert!(standing.admits(About::Chat(chat)));
        assert!(standing.admits(About::Member(chat, 4)));
        assert!(standing.admits(About::Gone(chat, 5)));
        assert!(!standing.admits(About::Chat(chat)));
        assert!(!standing.admits(About::Member(chat, 4)), "an older word does not bring it back");
        assert!(!standing.admits(About::Member(chat, 5)));
        assert!(standing.admits(About::Gone(chat, 5)), "twice does no harm");
        assert!(standing.admits(About::Chat(other)) && standing.admits(About::NoChat));
        assert!(standing.admits(About::Member(chat, 6)), "the user was added again");
        assert!(!standing.admits(About::Gone(chat, 5)), "the word of going comes late");
        assert!(standing.admits(About::Chat(chat)));
    }
}
