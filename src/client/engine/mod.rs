//! The one task of a client: it owns the disk and the stream, takes orders, and tells news.
//!
//! Whatever the server says is on the disk before anything follows from it. There is a stream,
//! or one is being opened, or it is waited for: orders are taken all the while.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::backoff::{Backoff, about};
use super::disk::{self, Disk};
use super::link::{Link, Opened};
use super::merge::Presence;
use super::news::{self, News};
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::proto::Hello;

mod acks;
mod frames;
mod jobs;
mod live;
mod orders;
mod sends;
mod tell;
mod view;

use live::{Happened, Live};
pub(super) use orders::Order;

/// News that may be told but were not yet taken; beyond that no frames are read.
const PENDING: usize = 1000;

/// How long the end of a stream may take that the client has ended.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Why the engine ends.
#[derive(Debug)]
enum End {
    /// Nobody wants anything of it any more.
    Done,
    /// What is kept cannot be kept.
    Disk(rusqlite::Error),
}

impl From<rusqlite::Error> for End {
    fn from(error: rusqlite::Error) -> Self {
        Self::Disk(error)
    }
}

/// How it stands with the stream.
enum Line {
    /// There is none until then; `None`: there will be none.
    Down(Option<Instant>),
    /// One is being opened.
    Opening(BoxFuture<'static, Result<Opened, Trouble>>),
    /// There is one.
    Up(Box<Live>),
}

/// What the engine is to do next.
enum Next {
    Order(Order),
    Happened(Happened),
    Tick,
}

/// Somebody waits for everything to have gone out.
struct Leaving {
    until: Instant,
    /// This side of the stream has been ended.
    ends: bool,
    answer: oneshot::Sender<usize>,
}

/// A place on screen.
#[derive(Debug, Default)]
struct OnScreen {
    /// Up to where its messages were told.
    told_to: u32,
}

pub(super) struct Engine {
    me: String,
    disk: Disk,
    link: Link,
    clock: Arc<dyn Clock>,
    orders: mpsc::Receiver<Order>,
    news: mpsc::Sender<News>,
    pending: VecDeque<News>,
    line: Line,
    backoff: Backoff,
    /// The next stream wants another token than the last.
    fresh_token: bool,
    /// Peers whose chat is on screen but not known yet.
    peers: HashSet<String>,
    screen: HashMap<String, OnScreen>,
    presence: HashMap<String, Presence>,
    typing: HashMap<(String, String), Instant>,
    last_link: Option<news::Link>,
    leaving: Option<Leaving>,
}

impl Engine {
    pub(super) fn new(
        me: String,
        disk: Disk,
        link: Link,
        clock: Arc<dyn Clock>,
        orders: mpsc::Receiver<Order>,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            me,
            disk,
            link,
            clock,
            orders,
            news,
            pending: VecDeque::new(),
            line: Line::Down(Some(Instant::now())),
            backoff: Backoff::default(),
            fresh_token: false,
            peers: HashSet::new(),
            screen: HashMap::new(),
            presence: HashMap::new(),
            typing: HashMap::new(),
            last_link: None,
            leaving: None,
        }
    }

    /// Runs until the client is dropped or has left.
    pub(super) async fn run(mut self) {
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(End::Done) => return,
                Err(End::Disk(error)) => {
                    let why = format!("what the client keeps cannot be written: {error}");
                    tracing::error!("{why}");
                    // Whoever reads no news sees that the orders are taken no more.
                    drop(self.news.try_send(News::Link(news::Link::Over(why))));
                    return;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<(), End> {
        let due = self.next_due();
        let next = tokio::select! {
            order = self.orders.recv(), if self.leaving.is_none() => match order {
                Some(order) => Next::Order(order),
                None => return Err(End::Done),
            },
            permit = self.news.reserve(), if !self.pending.is_empty() => {
                match (permit, self.pending.pop_front()) {
                    (Ok(permit), Some(news)) => permit.send(news),
                    _ => return Err(End::Done),
                }
                Next::Tick
            }
            happened = self.line.next(), if self.pending.len() < PENDING => {
                Next::Happened(happened)
            }
            () = tokio::time::sleep_until(due) => Next::Tick,
        };
        match next {
            Next::Order(order) => self.order(order)?,
            Next::Happened(happened) => self.happened(happened)?,
            Next::Tick => {}
        }
        self.tick()
    }

    fn happened(&mut self, happened: Happened) -> Result<(), End> {
        match happened {
            Happened::Opened(Ok(opened)) => {
                self.line = Line::Up(Box::new(Live::new(opened)));
                Ok(())
            }
            Happened::Opened(Err(trouble)) => {
                self.down(trouble);
                Ok(())
            }
            Happened::Frames(frames) => self.frames(frames),
            Happened::Ended(trouble) => {
                self.cut(trouble);
                Ok(())
            }
            Happened::Job(job) => self.job_done(job),
        }
    }

    /// When something is due even if nothing happens.
    fn next_due(&self) -> Instant {
        let mut due = Instant::now() + Duration::from_secs(3600);
        match &self.line {
            Line::Down(Some(at)) => due = due.min(*at),
            Line::Up(live) => due = due.min(live.next_due()),
            _ => {}
        }
        let typing = self.typing.values().copied();
        let leaving = self.leaving.iter().map(|leaving| leaving.until);
        typing.chain(leaving).fold(due, Instant::min)
    }

    /// Does what is due.
    fn tick(&mut self) -> Result<(), End> {
        let now = Instant::now();
        self.perhaps_leave(now)?;
        self.lapse_typing(now);
        match &self.line {
            Line::Down(Some(at)) if now >= *at => self.open_stream()?,
            Line::Up(live) if now >= live.dead_at() => {
                self.cut(Trouble::Cut("the server has fallen silent".into()));
            }
            Line::Up(_) => {
                self.pump_sends(now)?;
                self.pump_acks(now)?;
                self.keep_alive(now);
            }
            _ => {}
        }
        Ok(())
    }

    fn open_stream(&mut self) -> Result<(), End> {
        let new_id = self.clock.new_id().to_string();
        // On the disk before the Hello: of two streams the higher stays.
        let (device_id, generation) = self.disk.next_stream(&new_id)?;
        let hello = Hello {
            device_id,
            resume_token: disk::checkpoint(self.disk.db())?.token,
            background: false,
            generation,
            instance_id: String::new(),
            client: concat!("adda-chat/", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let fresh = std::mem::take(&mut self.fresh_token);
        self.line = Line::Opening(Box::pin(self.link.clone().open(hello, fresh)));
        Ok(())
    }

    /// The stream has ended.
    fn cut(&mut self, trouble: Trouble) {
        let mut trouble = trouble;
        if let Line::Up(live) = &self.line {
            self.backoff.lived(live.opened_at.elapsed());
            let pause = matches!(trouble, Trouble::Wait(pause, _) if pause.is_zero());
            if pause && !live.caught_up {
                // At once, but for one that did not get far.
                trouble = Trouble::Cut("the stream ended before it had caught up".into());
            }
        }
        self.down(trouble);
    }

    /// There is no stream; says when the next one comes.
    fn down(&mut self, trouble: Trouble) {
        let chance = rand::random();
        let (pause, why) = match trouble {
            Trouble::Cut(why) => (self.backoff.pause(chance), why),
            Trouble::Wait(pause, why) => (about(pause, chance), why),
            Trouble::Token(why) if self.link.sign_in.renews() => {
                self.fresh_token = true;
                (self.backoff.pause(chance), why)
            }
            Trouble::Token(why) | Trouble::Over(why) => {
                self.line = Line::Down(None);
                self.tell_link(news::Link::Over(why));
                return;
            }
        };
        self.line = Line::Down(Some(Instant::now() + pause));
        if !self.leaving.as_ref().is_some_and(|leaving| leaving.ends) {
            self.tell_link(news::Link::Down(why));
        }
    }

    fn tell(&mut self, news: News) {
        self.pending.push_back(news);
    }

    fn tell_link(&mut self, link: news::Link) {
        let same = match (&self.last_link, &link) {
            (Some(news::Link::Down(_)), news::Link::Down(_)) => true,
            (last, new) => last.as_ref() == Some(new),
        };
        if !same {
            self.last_link = Some(link.clone());
            self.tell(News::Link(link));
        }
    }

    /// Ends, once everything has gone out, or patience has.
    fn perhaps_leave(&mut self, now: Instant) -> Result<(), End> {
        let Some(leaving) = &mut self.leaving else { return Ok(()) };
        let late = now >= leaving.until;
        let waiting = disk::outbox::count(self.disk.db())?;
        match &mut self.line {
            Line::Up(_) if leaving.ends && !late => return Ok(()),
            Line::Up(live) if !leaving.ends && (late || (waiting == 0 && live.is_idle())) => {
                // What is under way is answered, and a last Checkpoint may come.
                live.end_own_side();
                leaving.ends = true;
                leaving.until = now + END_WITHIN;
                return Ok(());
            }
            Line::Down(Some(_)) | Line::Opening(_) | Line::Up(_) if !leaving.ends && !late => {
                return Ok(());
            }
            _ => {}
        }
        while let Some(news) = self.pending.pop_front() {
            if self.news.try_send(news).is_err() {
                break;
            }
        }
        if let Some(leaving) = self.leaving.take() {
            // Who asked may have gone.
            let _gone = leaving.answer.send(waiting);
        }
        Err(End::Done)
    }
}
