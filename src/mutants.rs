//! Bugs on purpose, to prove that the tests of faults find them (`make mutants`).
//!
//! Only a build with `ADDA_MUTANTS=1` knows them, and of that build only a process with
//! `ADDA_MUTANT=name` has one. No other build holds anything of this.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::model::{ChatId, Message, Run, UserId};

/// Whether this process has this bug.
pub(crate) fn are(name: &str) -> bool {
    static CHOSEN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("ADDA_MUTANT").ok());
    CHOSEN.as_deref() == Some(name)
}

type Known = HashMap<(ChatId, UserId, String), Arc<Message>>;

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// `ids-in-cache`: what was sent under an id, as far as this process remembers.
pub(crate) fn remembered(chat: ChatId, sender: &UserId, id: &str) -> Option<Arc<Message>> {
    KNOWN.lock().get(&(chat, sender.clone(), id.to_owned())).cloned()
}

/// `ids-in-cache`: a message is stored.
pub(crate) fn remember(message: &Arc<Message>) {
    if let Some(sender) = message.sender.clone().filter(|_| are("ids-in-cache")) {
        let key = (message.chat, sender, message.client_message_id.clone());
        KNOWN.lock().insert(key, Arc::clone(message));
    }
}

/// What is counted up and never down: messages of a chat; of a user's those sent, and those read.
type Counters = HashMap<(ChatId, Option<UserId>), i64>;

static COUNTERS: LazyLock<Mutex<Counters>> = LazyLock::new(Mutex::default);

/// `unread-by-counter`: a message has come.
pub(crate) fn arrived(message: &Message) {
    let mut counters = COUNTERS.lock();
    *counters.entry((message.chat, None)).or_default() += 1;
    if let Some(sender) = message.sender.clone() {
        *counters.entry((message.chat, Some(sender))).or_default() -= 1;
    }
}

/// `unread-by-counter`: so many were read.
pub(crate) fn read(chat: ChatId, user: &UserId, runs: &[Run]) {
    let count: u64 = runs.iter().map(|run| run.len()).sum();
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    *COUNTERS.lock().entry((chat, Some(user.clone()))).or_default() -= count;
}

/// `unread-by-counter`: what is left.
pub(crate) fn unread(chat: ChatId, user: &UserId) -> u32 {
    let counters = COUNTERS.lock();
    let count = |user| counters.get(&(chat, user)).copied().unwrap_or(0);
    u32::try_from(count(None) + count(Some(user.clone()))).unwrap_or(0)
}
