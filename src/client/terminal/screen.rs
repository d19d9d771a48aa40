//! What has been written, so that it can be mended: on a terminal the ticks of a line change
//! where it stands, and below all lines is one that says how things are. A pipe gets each change
//! as a line.

use std::collections::VecDeque;
use std::io::Write as _;

use rustyline::ExternalPrinter;
use unicode_width::UnicodeWidthStr as _;

use super::paper::{Paper, clean, messages};
use crate::client::{Progress, Shown, Tick};
use crate::clock::Timestamp;
use crate::proto::MessageState;

/// Lines that can still be mended.
const REMEMBERED: usize = 500;
/// Rows that the prompt may take.
const PROMPT_ROWS: usize = 4;

/// Where lines go.
pub(super) enum Out {
    /// Line by line.
    Pipe,
    /// Around a prompt.
    Terminal(Box<dyn ExternalPrinter + Send>),
}

struct Line {
    shown: Option<Shown>,
    rows: usize,
}

pub(super) struct Screen {
    out: Out,
    pub(super) paper: Paper,
    pub(super) columns: usize,
    pub(super) rows: usize,
    lines: VecDeque<Line>,
    /// The line below all others, and how many rows it takes.
    status: Option<(String, usize)>,
    day: String,
}

impl Screen {
    pub(super) fn new(out: Out, paper: Paper, now: Timestamp) -> Self {
        let day = paper.day(now);
        let lines = VecDeque::new();
        Self { out, paper, columns: 80, rows: 24, lines, status: None, day }
    }

    pub(super) fn is_pipe(&self) -> bool {
        matches!(self.out, Out::Pipe)
    }

    /// Another size: what stands where is not known any more.
    pub(super) fn resized(&mut self, columns: usize, rows: usize) {
        if (columns, rows) != (self.columns, self.rows) {
            (self.columns, self.rows) = (columns.max(1), rows);
            self.lines.clear();
        }
    }

    /// A word of the client itself.
    pub(super) fn aside(&mut self, text: &str) {
        let text = self.paper.aside(text);
        self.write(&text, None);
    }

    /// Lines as they are.
    pub(super) fn plain(&mut self, text: &str) {
        self.write(text, None);
    }

    /// A message. A pipe gets own ones once they are sent.
    pub(super) fn message(&mut self, shown: Shown) {
        if self.is_pipe() && shown.progress == Progress::Waiting {
            self.remember(Line { shown: Some(shown), rows: 0 });
            return;
        }
        let day = self.paper.day(shown.at);
        if day != self.day {
            self.aside(&format!("— {day} —"));
            self.day = day;
        }
        let text = self.paper.message(&shown);
        self.write(&text, Some(shown));
    }

    /// Whether an own message stands here already.
    pub(super) fn has(&self, client_message_id: &str) -> bool {
        self.lines.iter().any(|line| {
            line.shown.as_ref().is_some_and(|shown| shown.client_message_id == client_message_id)
        })
    }

    /// Own messages have come further.
    pub(super) fn ticks(&mut self, ticks: &[Tick]) {
        let mut risen: Vec<(MessageState, String)> = Vec::new();
        for tick in ticks {
            let Some((at, new)) = self.advanced(tick) else { continue };
            let first = self.lines[at].rows == 0;
            if !self.is_pipe() {
                self.rewrite(at, new);
            } else if first {
                self.lines.remove(at);
                self.message(new);
            } else {
                risen.retain(|(state, text)| *state > tick.state || *text != new.text);
                risen.push((tick.state, new.text.clone()));
                self.lines[at].shown = Some(new);
            }
        }
        self.tell_risen(&risen);
    }

    fn advanced(&self, tick: &Tick) -> Option<(usize, Shown)> {
        let at = self.lines.iter().rposition(|line| {
            line.shown
                .as_ref()
                .is_some_and(|shown| shown.client_message_id == tick.client_message_id)
        })?;
        let shown = self.lines.get(at)?.shown.as_ref()?;
        if matches!(shown.progress, Progress::State(state) if state >= tick.state) {
            return None;
        }
        let progress = Progress::State(tick.state);
        Some((at, Shown { seq: tick.seq, progress, ..shown.clone() }))
    }

    /// In a pipe: `✓✓ hello`, and one line for many.
    fn tell_risen(&mut self, risen: &[(MessageState, String)]) {
        for state in [MessageState::Delivered, MessageState::Seen] {
            let of: Vec<_> = risen.iter().filter(|(s, _)| *s == state).collect();
            let tick = if state == MessageState::Seen { "✓✓ (seen)" } else { "✓✓" };
            match of.as_slice() {
                [] => {}
                [(_, text)] => self.plain(&format!("{tick} {}", clean(text))),
                [.., (_, text)] => {
                    let many = messages(of.len());
                    self.plain(&format!("{tick} {many}, the last: {}", clean(text)));
                }
            }
        }
    }

    /// An own message was refused, or one has another content than before.
    pub(super) fn changed(&mut self, new: Shown) {
        let same = |shown: &Shown| {
            let ids = (&shown.client_message_id, &shown.sender_id);
            ids == (&new.client_message_id, &new.sender_id)
        };
        let at = self.lines.iter().rposition(|line| line.shown.as_ref().is_some_and(same));
        match at {
            Some(at)
                if !self.is_pipe()
                    && self.rows_of(&self.paper.message(&new)) == self.lines[at].rows =>
            {
                self.rewrite(at, new);
            }
            at => {
                if let Some(at) = at {
                    self.lines[at].shown = None;
                }
                self.message(new);
            }
        }
    }

    /// What stands below all lines; a pipe gets it as a line.
    pub(super) fn status(&mut self, text: Option<String>) {
        if self.is_pipe() {
            if let Some(text) = text {
                self.aside(&text);
            }
            return;
        }
        let text = text.map(|text| self.paper.aside(&text));
        if self.status.as_ref().map(|(text, _)| text) == text.as_ref() {
            return;
        }
        let erase = self.erase_status();
        self.status = text.map(|text| {
            let rows = self.rows_of(&text);
            (text, rows)
        });
        let status = self.status_text();
        self.print(erase + &status);
    }

    fn erase_status(&self) -> String {
        self.status.as_ref().map_or_else(String::new, |(_, rows)| format!("\x1b[{rows}A\r\x1b[J"))
    }

    fn status_text(&self) -> String {
        self.status.as_ref().map_or_else(String::new, |(text, _)| format!("{text}\n"))
    }

    fn write(&mut self, text: &str, shown: Option<Shown>) {
        let rows = self.rows_of(text);
        let all = format!("{}{text}\n{}", self.erase_status(), self.status_text());
        self.print(all);
        self.remember(Line { shown, rows });
    }

    fn remember(&mut self, line: Line) {
        self.lines.push_back(line);
        if self.lines.len() > REMEMBERED {
            self.lines.pop_front();
        }
    }

    /// Writes a line anew where it stands; what has left the screen stays as it is.
    fn rewrite(&mut self, at: usize, new: Shown) {
        let rows = self.lines[at].rows;
        let below: usize = self.lines.iter().skip(at).map(|line| line.rows).sum();
        let up = below + self.status.as_ref().map_or(0, |(_, rows)| *rows);
        let text = self.paper.message(&new);
        self.lines[at].shown = Some(new);
        if up + PROMPT_ROWS > self.rows {
            return;
        }
        let down = up - rows;
        let down = if down > 0 { format!("\x1b[{down}B") } else { String::new() };
        let text = text.replace('\n', "\x1b[K\n");
        self.print(format!("\x1b[{up}A\r{text}\x1b[K{down}\n"));
    }

    /// How many rows a text takes; two columns are kept for ticks to come.
    fn rows_of(&self, text: &str) -> usize {
        let plain = without_colour(text);
        let ticks = usize::from(plain.contains('✓') || plain.ends_with('…')) * 2;
        let rows = |line: &str| (line.width() + ticks).max(1).div_ceil(self.columns);
        plain.split('\n').map(rows).sum()
    }

    fn print(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        // Nobody may be reading it; then there is nobody to tell.
        let _ = match &mut self.out {
            Out::Pipe => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(drop)
            }
            Out::Terminal(printer) => printer.print(text).map_err(drop),
        };
    }
}

fn without_colour(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\x1b' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests;
