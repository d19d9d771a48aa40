//! Clients that behave as the README tells them to, under steady load: what each was told, and
//! how long each was without news when its node left.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use adda::client::{Client, Link, News, Options, Place, Screen, Shown};
use adda::clock::SystemClock;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;

use crate::hard::{group, sound_history};
use crate::infra::process::until;
use crate::world::{api, token};

/// How often each says something.
const SAYS_EVERY: Duration = Duration::from_millis(400);
/// Messages that are said before a new device has read its inbox are history to it.
const EARLY: usize = 8;
/// Messages without an answer with which one says no more.
const WAITING: usize = 8;

/// Groups of clients that talk.
pub(crate) struct Crew {
    clients: Vec<Arc<Mate>>,
    stop: Arc<AtomicBool>,
    hear: Vec<AbortOnDropHandle<()>>,
    say: Vec<AbortOnDropHandle<()>>,
}

/// One client.
struct Mate {
    name: String,
    chat: String,
    client: Client,
    said: AtomicU32,
    told: Mutex<Told>,
}

/// What it was told.
#[derive(Default)]
struct Told {
    /// By `seq`: what the sender called it, in the order it came.
    messages: Vec<(u32, String)>,
    is_up: bool,
    /// When something came last.
    last: Option<Instant>,
    /// Since when nothing has come, while there is no stream.
    silent: Option<Instant>,
    /// How long nothing came, for each stream that was lost.
    pauses: Vec<Duration>,
    /// Why there was no stream.
    why: Vec<String>,
}

impl Crew {
    /// So many groups of so many clients, all talking through this address. The groups are made
    /// at `node`.
    pub(crate) async fn talk(
        through: SocketAddr,
        node: SocketAddr,
        groups: usize,
        of: usize,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut crew = Self { clients: Vec::new(), stop, hear: Vec::new(), say: Vec::new() };
        for at in 0..groups {
            let names: Vec<String> = (0..of).map(|who| format!("mate-{at}-{who}")).collect();
            let others: Vec<&str> = names[1..].iter().map(String::as_str).collect();
            let chat = group(node, &names[0], &others).await;
            for name in names {
                let (mate, news) = Mate::start(through, name, chat.clone()).await;
                let hears = tokio::spawn(Arc::clone(&mate).hear(news));
                crew.hear.push(AbortOnDropHandle::new(hears));
                crew.clients.push(mate);
            }
        }
        // What was said before is history to a new device, and is not told.
        for mate in &crew.clients {
            let up = async || mate.told.lock().is_up;
            wait(&format!("{} is up", mate.name), up).await;
        }
        for mate in &crew.clients {
            let says = tokio::spawn(Arc::clone(mate).say(Arc::clone(&crew.stop)));
            crew.say.push(AbortOnDropHandle::new(says));
        }
        crew.up().await;
        crew
    }

    /// Waits until each has a stream, and was told something on it.
    pub(crate) async fn up(&self) {
        for mate in &self.clients {
            wait(&format!("{} is up", mate.name), async || {
                let told = mate.told.lock();
                told.is_up && told.silent.is_none() && told.last.is_some()
            })
            .await;
        }
    }

    /// The pauses since it was asked last, shortest first.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        let pauses = |mate: &Arc<Mate>| std::mem::take(&mut mate.told.lock().pauses);
        let mut pauses: Vec<_> = self.clients.iter().flat_map(pauses).collect();
        pauses.sort_unstable();
        pauses
    }

    /// Ends the load, and waits until each has everything; checks that nothing was lost, doubled
    /// or told out of turn.
    pub(crate) async fn check(mut self, node: SocketAddr) {
        self.stop.store(true, Ordering::Relaxed);
        for says in self.say.drain(..) {
            says.await.unwrap();
        }
        let mut chats: BTreeMap<&str, Vec<&Arc<Mate>>> = BTreeMap::new();
        for mate in &self.clients {
            let sent = async || mate.client.waiting().await.unwrap() == 0;
            wait(&format!("{} has sent everything", mate.name), sent).await;
            chats.entry(&mate.chat).or_default().push(mate);
        }
        for (chat, mates) in chats {
            let log = sound_history(&mut api(node, token(&mates[0].name)).await, chat).await;
            let said: u32 = mates.iter().map(|mate| mate.said.load(Ordering::Relaxed)).sum();
            assert_eq!(log.len(), 1 + said as usize, "what was said is there, once");
            let log: Vec<_> =
                log.into_iter().map(|message| (message.seq, message.client_message_id)).collect();
            for mate in mates {
                let has = async || mate.told.lock().messages.last() == log.last();
                wait(&format!("{} has everything", mate.name), has).await;
                let told = &mate.told.lock().messages;
                // Of what was there before its device it was told the newest at most.
                let before = told[0].0 as usize - 1;
                assert!(before <= EARLY, "{} was told from {before} on", mate.name);
                assert_eq!(told[..], log[before..], "{}", mate.name);
            }
        }
        for (why, count) in self.whys() {
            eprintln!("{count:3} × {why}");
        }
    }

    fn whys(&self) -> BTreeMap<String, usize> {
        let mut whys = BTreeMap::new();
        for mate in &self.clients {
            for why in &mate.told.lock().why {
                *whys.entry(why.clone()).or_default() += 1;
            }
        }
        whys
    }
}

async fn wait(what: &str, holds: impl AsyncFn() -> bool) {
    assert!(until(holds).await, "in vain: {what}");
}

impl Mate {
    async fn start(
        through: SocketAddr,
        name: String,
        chat: String,
    ) -> (Arc<Self>, mpsc::Receiver<News>) {
        let options = Options {
            server: format!("http://{through}"),
            user: name.clone(),
            name: name.clone(),
            token: Some(token(&name)),
            state: None,
        };
        let (client, news) = Client::start(options, Arc::new(SystemClock)).unwrap();
        let Screen { tail, .. } = client.open(Place::Chat(chat.clone())).await.unwrap();
        let mate = Self { name, chat, client, said: AtomicU32::new(0), told: Mutex::default() };
        mate.told.lock().keep(tail);
        (Arc::new(mate), news)
    }

    async fn hear(self: Arc<Self>, mut news: mpsc::Receiver<News>) {
        while let Some(news) = news.recv().await {
            let mut told = self.told.lock();
            match news {
                News::Messages(messages) => {
                    told.keep(messages);
                    told.came();
                }
                News::Ticks(_) => told.came(),
                News::Link(Link::Up) => told.is_up = true,
                News::Link(Link::Down(why) | Link::Over(why)) => {
                    told.is_up = false;
                    told.silent = told.silent.or(told.last);
                    told.why.push(why);
                }
                _ => {}
            }
        }
    }

    async fn say(self: Arc<Self>, stop: Arc<AtomicBool>) {
        let mut next = tokio::time::interval(SAYS_EVERY);
        next.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.load(Ordering::Relaxed) {
            next.tick().await;
            if self.client.waiting().await.unwrap() >= WAITING {
                continue;
            }
            let text = format!("{} of {}", self.said.load(Ordering::Relaxed), self.name);
            self.said.fetch_add(1, Ordering::Relaxed);
            self.client.say(Place::Chat(self.chat.clone()), text).await.unwrap();
        }
    }
}

impl Told {
    fn keep(&mut self, messages: Vec<Shown>) {
        // Those that wait in the outbox have no place yet.
        let placed = messages.into_iter().filter(|message| message.seq > 0);
        self.messages.extend(placed.map(|message| (message.seq, message.client_message_id)));
    }

    fn came(&mut self) {
        let now = Instant::now();
        // What was on its way when the stream ended is still of the old one.
        if self.is_up
            && let Some(since) = self.silent.take()
        {
            self.pauses.push(now - since);
        }
        self.last = Some(now);
    }
}

/// The pause that so many of a hundred do not pass. `pauses` are sorted.
pub(crate) fn quiet(pauses: &[Duration], of_hundred: usize) -> Duration {
    let at = (pauses.len() * of_hundred).div_ceil(100).clamp(1, pauses.len());
    pauses[at - 1]
}

/// Says how long the pauses were, past the capture of the test harness.
pub(crate) fn report(what: &str, pauses: &[Duration]) {
    use std::io::Write as _;
    let [half, most, nearly_all] = [50, 90, 99].map(|of| quiet(pauses, of));
    let longest = pauses.last().unwrap();
    let line = format!(
        "{what}: {} pauses, p50 {half:.2?}, p90 {most:.2?}, p99 {nearly_all:.2?}, longest {longest:.2?}",
        pauses.len()
    );
    let _ = writeln!(std::io::stderr(), "{line}");
}
