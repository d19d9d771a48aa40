//! How things are written: one line of text each, the same on a terminal and in a pipe but for
//! colour.

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

use crate::client::{ChatView, Presence, Progress, Shown};
use crate::clock::Timestamp;
use crate::proto::MessageState;

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const BLUE: &str = "\x1b[34m";
const RED: &str = "\x1b[31m";
const OFF: &str = "\x1b[0m";

/// How to write.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    pub(super) zone: TimeZone,
    pub(super) colour: bool,
    pub(super) me: String,
    /// Others by their name.
    pub(super) names: Vec<(String, String)>,
}

impl Paper {
    /// What to call someone.
    pub(super) fn name(&self, user: &str) -> String {
        let known = self.names.iter().find(|(id, _)| id == user);
        clean(known.map_or(user, |(_, name)| name))
    }

    fn zoned(&self, at: Timestamp) -> Zoned {
        let at = Instant::from_millisecond(at.0).unwrap_or_default();
        at.to_zoned(self.zone.clone())
    }

    /// `12:31`.
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%H:%M").to_string()
    }

    /// `Friday, 21 November`.
    pub(super) fn day(&self, at: Timestamp) -> String {
        self.zoned(at).strftime("%A, %-d %B").to_string()
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{OFF}") } else { text.to_owned() }
    }

    /// `12:31 bob: hello`, own ones with their ticks.
    pub(super) fn message(&self, of: &Shown) -> String {
        let time = self.paint(DIM, &self.time(of.at));
        if of.sender_id.is_empty() {
            let text = if of.deleted { "(deleted)".into() } else { clean(&of.text) };
            return format!("{time} {}", self.paint(DIM, &format!("* {text}")));
        }
        let name = self.paint(BOLD, &self.name(&of.sender_id));
        let text = if of.deleted {
            self.paint(DIM, "(deleted)")
        } else {
            // What follows a line break stands under what comes before it.
            clean(&of.text).replace('\n', "\n      ")
        };
        let edited =
            if of.edited && !of.deleted { self.paint(DIM, " (edited)") } else { String::new() };
        let ticks = self.ticks(of);
        format!("{time} {name}: {text}{edited}{ticks}")
    }

    /// The ticks behind an own message.
    fn ticks(&self, of: &Shown) -> String {
        if of.sender_id != self.me {
            return String::new();
        }
        match &of.progress {
            Progress::Waiting => format!(" {}", self.paint(DIM, "…")),
            Progress::Failed(why) => {
                format!(" {}", self.paint(RED, &format!("✗ not sent: {}", clean(why))))
            }
            Progress::State(state) => format!(" {}", self.tick(*state)),
        }
    }

    /// The ticks alone.
    pub(super) fn tick(&self, state: MessageState) -> String {
        match (state, self.colour) {
            (MessageState::Seen, true) => self.paint(BLUE, "✓✓"),
            (MessageState::Seen, false) => "✓✓ (seen)".to_owned(),
            (MessageState::Delivered, _) => "✓✓".to_owned(),
            _ => "✓".to_owned(),
        }
    }

    /// A word of the client itself.
    pub(super) fn aside(&self, text: &str) -> String {
        self.paint(DIM, &clean(text))
    }

    /// `bob is online`.
    pub(super) fn presence(&self, user: &str, presence: Presence, now: Timestamp) -> String {
        let name = self.name(user);
        match presence {
            Presence { online: true, .. } => format!("{name} is online"),
            Presence { at: Some(at), .. } if self.day(at) == self.day(now) => {
                format!("{name} was last active {}", self.time(at))
            }
            Presence { at: Some(at), .. } => {
                format!("{name} was last active {}, {}", self.day(at), self.time(at))
            }
            Presence { .. } => format!("{name} is offline"),
        }
    }

    /// A chat in the inbox.
    pub(super) fn chat(&self, chat: &ChatView) -> String {
        let unread = match chat.unread {
            0 => String::new(),
            some => self.paint(BOLD, &format!(" · {some} unread")),
        };
        let online = match chat.presence {
            Some(Presence { online: true, .. }) => " · online",
            _ => "",
        };
        let title = self.paint(BOLD, &clean(&chat.title));
        let id = self.paint(DIM, &chat.chat_id);
        let preview = chat.preview.as_ref().map_or_else(String::new, |last| {
            let line = self.message(&Shown { progress: last.progress.clone(), ..last.clone() });
            format!("\n    {}", line.lines().next().unwrap_or_default())
        });
        format!("{title}{unread}{online}  {id}{preview}")
    }
}

/// Text that does nothing to a terminal but be read.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}

/// `3 messages`.
pub(super) fn messages(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper() -> Paper {
        let names = vec![("bob".to_owned(), "Bob".to_owned())];
        Paper { zone: TimeZone::UTC, colour: false, me: "alice".into(), names }
    }

    fn shown(sender: &str, text: &str, progress: Progress) -> Shown {
        Shown {
            chat_id: "c".into(),
            seq: 1,
            client_message_id: "i".into(),
            sender_id: sender.into(),
            at: Timestamp(45_060_000),
            text: text.into(),
            edited: false,
            deleted: false,
            unread: false,
            progress,
        }
    }

    #[test]
    fn lines_read_as_people_expect() {
        let paper = paper();
        let state = Progress::State;
        let line = |sender, text, progress| paper.message(&shown(sender, text, progress));
        assert_eq!(line("bob", "hi", state(MessageState::Unspecified)), "12:31 Bob: hi");
        assert_eq!(line("alice", "hi", state(MessageState::Sent)), "12:31 alice: hi ✓");
        assert_eq!(line("alice", "hi", state(MessageState::Delivered)), "12:31 alice: hi ✓✓");
        assert_eq!(line("alice", "hi", state(MessageState::Seen)), "12:31 alice: hi ✓✓ (seen)");
        assert_eq!(line("alice", "hi", Progress::Waiting), "12:31 alice: hi …");
        assert_eq!(line("bob", "a\nb", state(MessageState::Sent)), "12:31 Bob: a\n      b");
    }

    #[test]
    fn nothing_that_was_sent_moves_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\u{7}\r\u{9b}c\td"), "a[2Jbc d");
        let line = paper().message(&shown("bob\u{1b}[1m", "x", Progress::Waiting));
        assert!(!line.contains('\u{1b}'));
    }

    #[test]
    fn presence_says_the_day_where_it_is_another() {
        let paper = paper();
        let now = Timestamp(86_400_000 + 45_060_000);
        let at = |ms| Presence { online: false, at: Some(Timestamp(ms)) };
        assert_eq!(paper.presence("bob", at(now.0), now), "Bob was last active 12:31");
        let other = paper.presence("bob", at(45_060_000), now);
        assert_eq!(other, "Bob was last active Thursday, 1 January, 12:31");
        let online = Presence { online: true, at: None };
        assert_eq!(paper.presence("bob", online, now), "Bob is online");
    }
}
