//! `adda chat`: the client shown to a person, on a terminal or through pipes.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::{Client, Link, News, Options, Place, Shown, StartError, Stopped};
use crate::clock::Clock;

mod commands;
mod input;
mod paper;
mod screen;
mod talk;

use input::Input;
use paper::{Paper, messages};
use screen::{Out, Screen};
use talk::Talk;

/// How long the end of a pipe waits for everything to be acknowledged.
const PIPE_PATIENCE: Duration = Duration::from_secs(60);
/// How long a person waits who leaves.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a talk cannot begin, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// It cannot begin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The terminal.
    #[error("cannot read the terminal: {0}")]
    Terminal(#[from] rustyline::error::ReadlineError),
    /// What is kept cannot be kept.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The server does not let this client in.
    #[error("{0}")]
    Over(String),
    /// A pipe has ended, and not everything has gone out.
    #[error("{} in the outbox: they go out with the next run", messages(*.0))]
    Waiting(usize),
}

/// Talks until the user leaves.
pub async fn run(options: Options, place: Place, clock: Arc<dyn Clock>) -> Result<(), ChatError> {
    let terminal = input::is_terminal();
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let paper = Paper { zone, colour, me: options.user.clone(), names: Vec::new() };
    let server = options.server.clone();
    let (client, news) = Client::start(options, Arc::clone(&clock))?;
    let (inputs, out) = if terminal {
        let (inputs, printer) = input::terminal()?;
        (inputs, Out::Terminal(printer))
    } else {
        (input::pipe(), Out::Pipe)
    };
    let screen = Screen::new(out, paper, clock.now());
    let talk = Talk::new(client, place, screen, clock);
    Conversation { talk, news, inputs, terminal, over: None }.run(&server).await
}

/// A talk, and where its two sides come from.
struct Conversation {
    talk: Talk,
    news: mpsc::Receiver<News>,
    inputs: mpsc::Receiver<Input>,
    terminal: bool,
    /// Why there is nothing more to hope for.
    over: Option<String>,
}

/// Why nothing comes of it, where that is what the news say.
fn hopeless(news: &News) -> Option<String> {
    match news {
        News::Link(Link::Over(why)) | News::Refused(why) => Some(why.clone()),
        _ => None,
    }
}

impl Conversation {
    async fn run(mut self, server: &str) -> Result<(), ChatError> {
        self.talk.begin(server).await?;
        loop {
            tokio::select! {
                news = self.news.recv() => {
                    let Some(news) = news else {
                        return Err(self.over.map_or(ChatError::Stopped(Stopped), ChatError::Over));
                    };
                    self.over = self.over.or(hopeless(&news));
                    match &self.over {
                        // A person may still read what is held; a pipe waits for nothing.
                        Some(why) if !self.terminal => return Err(ChatError::Over(why.clone())),
                        _ => self.talk.heard(news).await?,
                    }
                }
                input = self.inputs.recv() => match input {
                    Some(Input::Line(line, done)) => {
                        let goes_on = self.talk.typed(&line).await?;
                        drop(done);
                        if !goes_on {
                            return self.leave(PATIENCE).await;
                        }
                    }
                    Some(Input::Typing(typing)) => self.talk.typing(typing).await?,
                    Some(Input::Size(columns, rows)) => self.talk.resized(columns, rows),
                    Some(Input::Interrupt) => return self.leave(Duration::from_millis(500)).await,
                    Some(Input::End) | None if self.terminal => return self.leave(PATIENCE).await,
                    Some(Input::End) | None => return self.leave(PIPE_PATIENCE).await,
                },
                _ = tokio::signal::ctrl_c() => return self.leave(Duration::ZERO).await,
            }
        }
    }

    /// Goes, after what is under way; says what comes meanwhile.
    async fn leave(mut self, patience: Duration) -> Result<(), ChatError> {
        let (client, mut talk) = self.talk.part();
        let leave = client.leave(patience);
        tokio::pin!(leave);
        let waiting = loop {
            tokio::select! {
                left = &mut leave => break left?,
                Some(news) = self.news.recv() => {
                    self.over = self.over.or(hopeless(&news));
                    talk.show(news);
                }
                _ = tokio::signal::ctrl_c() => break 0,
            }
        };
        while let Ok(news) = self.news.try_recv() {
            self.over = self.over.or(hopeless(&news));
            talk.show(news);
        }
        match waiting {
            _ if !self.terminal && self.over.is_some() => {
                Err(ChatError::Over(self.over.unwrap_or_default()))
            }
            0 => Ok(()),
            some if self.terminal => {
                talk.say_waiting(some);
                Ok(())
            }
            some => Err(ChatError::Waiting(some)),
        }
    }
}
