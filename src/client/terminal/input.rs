//! What is typed: line by line from a pipe, or with line editing and history on a terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rustyline::completion::Completer;
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, ExternalPrinter, Helper};
use tokio::sync::{mpsc, oneshot};
use unicode_width::UnicodeWidthStr as _;

/// What stands before what is typed.
const PROMPT: &str = "> ";
/// Lines that wait to be said.
const LINES: usize = 16;

/// What the user does.
#[derive(Debug)]
pub(super) enum Input {
    /// A line. The next one is asked for once this is dropped or answered.
    Line(String, oneshot::Sender<()>),
    /// The line has something in it, or nothing any more.
    Typing(bool),
    /// The terminal has this many columns and rows.
    Size(usize, usize),
    /// Nothing more comes.
    End,
    /// Ctrl-C.
    Interrupt,
}

/// Whether a person sits there.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Reads a pipe.
pub(super) fn pipe() -> mpsc::Receiver<Input> {
    let (to, inputs) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if !hand_over(&to, line) {
                return;
            }
        }
        // Nobody may be there any more.
        drop(to.blocking_send(Input::End));
    });
    inputs
}

/// Reads a terminal; what others say is printed around the prompt.
pub(super) fn terminal()
-> Result<(mpsc::Receiver<Input>, Box<dyn ExternalPrinter + Send>), ReadlineError> {
    let (to, inputs) = mpsc::channel(LINES);
    let mut editor = Editor::<Watch, DefaultHistory>::new()?;
    editor.set_helper(Some(Watch { to: to.clone() }));
    editor.set_auto_add_history(true);
    let printer = editor.create_external_printer()?;
    std::thread::spawn(move || read(&mut editor, &to));
    Ok((inputs, Box::new(printer)))
}

fn read(editor: &mut Editor<Watch, DefaultHistory>, to: &mpsc::Sender<Input>) {
    loop {
        let columns = match editor.dimensions() {
            Some((columns, rows)) => {
                let (columns, rows) = (usize::from(columns), usize::from(rows));
                if to.blocking_send(Input::Size(columns, rows)).is_err() {
                    return;
                }
                columns
            }
            None => 80,
        };
        let input = match editor.readline(PROMPT) {
            Ok(line) => {
                erase(&line, columns);
                if !hand_over(to, line) {
                    return;
                }
                continue;
            }
            Err(ReadlineError::Interrupted) => Input::Interrupt,
            Err(_) => Input::End,
        };
        drop(to.blocking_send(input));
        return;
    }
}

/// Gives a line on, and waits until it has been dealt with.
fn hand_over(to: &mpsc::Sender<Input>, line: String) -> bool {
    let (done, wait) = oneshot::channel();
    if to.blocking_send(Input::Line(line, done)).is_err() {
        return false;
    }
    // Dropped is done too.
    drop(wait.blocking_recv());
    true
}

/// What was typed comes back as a line of the talk.
fn erase(line: &str, columns: usize) {
    let columns = columns.max(1);
    let width = |line: &str| line.width().max(1).div_ceil(columns);
    let typed = format!("{PROMPT}{line}");
    let rows: usize = typed.split('\n').map(width).sum();
    let mut out = std::io::stdout().lock();
    let erased = write!(out, "\x1b[{rows}A\r\x1b[J").and_then(|()| out.flush());
    // At worst the line stands there twice.
    drop(erased);
}

/// Sees what is being typed.
struct Watch {
    to: mpsc::Sender<Input>,
}

impl Hinter for Watch {
    type Hint = String;

    fn hint(&self, line: &str, _at: usize, _: &Context<'_>) -> Option<String> {
        let typing = !line.is_empty() && !line.starts_with('/');
        // Of the moment: where there is no room it is let go.
        drop(self.to.try_send(Input::Typing(typing)));
        None
    }
}

impl Completer for Watch {
    type Candidate = String;
}

impl Highlighter for Watch {}
impl Validator for Watch {}
impl Helper for Watch {}
