use std::sync::Arc;

use jiff::tz::TimeZone;
use parking_lot::Mutex;

use super::*;

/// Keeps what is printed.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<String>>);

impl ExternalPrinter for Kept {
    fn print(&mut self, msg: String) -> rustyline::Result<()> {
        self.0.lock().push_str(&msg);
        Ok(())
    }
}

impl Kept {
    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock())
    }
}

fn screen() -> (Screen, Kept) {
    let kept = Kept::default();
    let paper = Paper { zone: TimeZone::UTC, colour: false, me: "alice".into(), names: Vec::new() };
    let out = Out::Terminal(Box::new(kept.clone()));
    (Screen::new(out, paper, Timestamp(0)), kept)
}

fn own(id: &str, text: &str) -> Shown {
    Shown {
        chat_id: "c".into(),
        seq: 0,
        client_message_id: id.into(),
        sender_id: "alice".into(),
        at: Timestamp(0),
        text: text.into(),
        edited: false,
        deleted: false,
        unread: false,
        progress: Progress::Waiting,
    }
}

fn tick(id: &str, state: MessageState) -> Tick {
    Tick { chat_id: "c".into(), seq: 1, client_message_id: id.into(), state }
}

#[test]
fn ticks_change_where_the_line_stands() {
    let (mut screen, kept) = screen();
    screen.message(own("1", "one"));
    screen.message(own("2", "two"));
    assert_eq!(kept.take(), "00:00 alice: one …\n00:00 alice: two …\n");
    screen.ticks(&[tick("1", MessageState::Sent)]);
    assert_eq!(kept.take(), "\x1b[2A\r00:00 alice: one ✓\x1b[K\x1b[1B\n");
    screen.ticks(&[tick("2", MessageState::Seen), tick("1", MessageState::Sent)]);
    assert_eq!(kept.take(), "\x1b[1A\r00:00 alice: two ✓✓ (seen)\x1b[K\n");
}

#[test]
fn what_has_left_the_screen_stays_as_it_is() {
    let (mut screen, kept) = screen();
    screen.message(own("1", "one"));
    for _ in 0..30 {
        screen.aside("x");
    }
    kept.take();
    screen.ticks(&[tick("1", MessageState::Sent)]);
    assert_eq!(kept.take(), "");
}

#[test]
fn the_status_stays_below_all_lines() {
    let (mut screen, kept) = screen();
    screen.status(Some("bob is typing …".into()));
    assert_eq!(kept.take(), "bob is typing …\n");
    screen.aside("x");
    assert_eq!(kept.take(), "\x1b[1A\r\x1b[Jx\nbob is typing …\n");
    screen.status(None);
    assert_eq!(kept.take(), "\x1b[1A\r\x1b[J");
}

#[test]
fn a_long_line_takes_the_rows_it_takes() {
    let (mut screen, kept) = screen();
    screen.resized(20, 24);
    screen.message(own("1", &"x".repeat(20)));
    kept.take();
    screen.ticks(&[tick("1", MessageState::Sent)]);
    assert!(kept.take().starts_with("\x1b[2A\r"));
}
