//! A client of the service: what `adda chat` runs on.
//!
//! It knows the contract and nothing of the server's inside, and behaves as the README tells a
//! client to: what was typed, what came and where to resume are on its disk before anything
//! follows from them, so that it may be killed at any moment. [`Client`] is one device: its
//! engine is one task that owns the disk and the stream, takes orders, and tells [`News`].
//! `terminal` shows that to a person; `disk`, `merge` and `apply` are what is kept and by what
//! rules; `link` is the way to the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;

mod apply;
mod backoff;
mod disk;
mod engine;
pub mod explain;
mod link;
mod merge;
mod news;
mod sign_in;
pub mod terminal;
mod trouble;

pub use disk::StateError;
pub use merge::Presence;
pub use news::{ChatView, Link, News, Place, Progress, Shown, Tick};

use engine::{Engine, Order};
use sign_in::SignIn;

/// News that wait for whoever reads them; beyond that the engine reads no more from the server.
const NEWS: usize = 256;
/// Orders that wait for the engine.
const ORDERS: usize = 64;

/// Who the client is, and where everything is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the server is: `http://HOST:PORT` or `https://HOST`.
    pub server: String,
    /// The user.
    pub user: String,
    /// The name others see; of use with a development server alone.
    pub name: String,
    /// A token; `None`: a development server gives one.
    pub token: Option<String>,
    /// The file that is kept; `None`: in memory, a device that forgets.
    pub state: Option<PathBuf>,
}

/// Why a client cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address of the server.
    #[error("--server (ADDA_SERVER): {0}")]
    Server(String),
    /// What is kept.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What is on screen once a place is opened.
#[derive(Clone, Debug)]
pub struct Screen {
    /// The chat.
    pub chat: ChatView,
    /// The newest messages that are held, and those that wait, oldest first.
    pub tail: Vec<Shown>,
}

/// One device. Orders are carried out one after the other; dropping it ends the engine.
#[derive(Debug)]
pub struct Client {
    orders: mpsc::Sender<Order>,
}

/// The engine has ended: the disk failed. The log says how.
#[derive(Debug, thiserror::Error)]
#[error("the client has stopped")]
pub struct Stopped;

impl Client {
    /// Opens what is kept and begins to connect. Needs a tokio runtime.
    pub fn start(
        options: Options,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, mpsc::Receiver<News>), StartError> {
        let sign_in = match options.token {
            Some(token) => SignIn::given(token),
            None => SignIn::development(&options.server, &options.user, &options.name)
                .map_err(StartError::Server)?,
        };
        let link = link::Link::new(&options.server, sign_in).map_err(StartError::Server)?;
        let disk = match &options.state {
            Some(file) => disk::Disk::open(file)?,
            None => disk::Disk::in_memory()?,
        };
        let (orders, to_engine) = mpsc::channel(ORDERS);
        let (news, from_engine) = mpsc::channel(NEWS);
        let engine = Engine::new(options.user, disk, link, clock, to_engine, news);
        tokio::spawn(engine.run());
        Ok((Self { orders }, from_engine))
    }

    /// Has a place on screen: its messages are told, and its presence and typing. The answer is
    /// what is held; a place whose chat is not known yet is told as [`News::Chat`] once it is.
    pub async fn open(&self, place: Place) -> Result<Screen, Stopped> {
        self.ask(|answer| Order::Open { place, answer }).await
    }

    /// Puts a message into the outbox. Once this returns it is on the disk and goes out once,
    /// whatever happens.
    pub async fn say(&self, place: Place, text: String) -> Result<Shown, Stopped> {
        self.ask(|answer| Order::Say { place, text, answer }).await
    }

    /// The user has seen these messages of a chat.
    pub async fn seen(&self, chat_id: String, seqs: Vec<u32>) -> Result<(), Stopped> {
        self.order(Order::Seen { chat_id, seqs }).await
    }

    /// The user writes there, or has stopped.
    pub async fn typing(&self, place: Place, typing: bool) -> Result<(), Stopped> {
        self.order(Order::Typing { place, typing }).await
    }

    /// Blocks a user, or takes that back: told as [`News::Blocked`] once it is done.
    pub async fn block(&self, user: String, blocked: bool) -> Result<(), Stopped> {
        self.order(Order::Block { user, blocked }).await
    }

    /// The inbox, as it is held.
    pub async fn inbox(&self) -> Result<Vec<ChatView>, Stopped> {
        self.ask(Order::Inbox).await
    }

    /// The newest messages of a chat, oldest first: read from the server where they are not held
    /// and it is there.
    pub async fn history(&self, place: Place, count: u32) -> Result<Vec<Shown>, Stopped> {
        self.ask(|answer| Order::History { place, count, answer }).await
    }

    /// How many messages wait in the outbox.
    pub async fn waiting(&self) -> Result<usize, Stopped> {
        self.ask(Order::Waiting).await
    }

    /// Leaves for good, when everything has gone out and is acknowledged, or after `patience`.
    /// Answers how many messages still wait in the outbox.
    pub async fn leave(self, patience: Duration) -> Result<usize, Stopped> {
        self.ask(|answer| Order::Leave { patience, answer }).await
    }

    async fn order(&self, order: Order) -> Result<(), Stopped> {
        self.orders.send(order).await.map_err(|_| Stopped)
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Stopped> {
        let (answer, comes) = oneshot::channel();
        self.order(order(answer)).await?;
        comes.await.map_err(|_| Stopped)
    }
}
