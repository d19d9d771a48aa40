//! One run: a deployment, phones that talk, harm by the plan, and the checker at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adda::model::SeqSet;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::check::{self, Kind, Violation};
use super::field::{Field, Ground};
use super::phone::disk::{plain, runs};
use super::phone::{Owner, Pauses, Phone};
use super::plan::{Fault, Plan, Shape, Step};
use super::record::{At, Chat, Entry, Harm, Limits, Record, Sets, Way};
use super::talk::{self, Room, USERS};
use crate::infra::proxy::Mode;
use crate::world::{api, history, token};

/// How long opening all phones, and the last reading of the store, may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Steps of the plan that are said beforehand.
const FORETOLD: usize = 40;

/// What to do.
pub(crate) struct Orders {
    pub(crate) seed: u64,
    pub(crate) ground: Ground,
    pub(crate) shape: Shape,
    pub(crate) limits: Limits,
    pub(crate) pauses: Pauses,
    /// How long harm is done.
    pub(crate) harm: Duration,
}

/// What came of it.
pub(crate) struct Report {
    pub(crate) messages: usize,
    pub(crate) faults: BTreeMap<&'static str, usize>,
    pub(crate) violations: Vec<Violation>,
    /// What a person wants to know of it.
    pub(crate) text: String,
}

struct Run {
    began: Instant,
    field: Field,
    phones: Vec<Arc<Phone>>,
    rooms: Arc<Vec<Room>>,
    limits: Limits,
    longest_pause: Duration,
    harm: Vec<(At, Harm)>,
    counts: BTreeMap<&'static str, usize>,
    /// The longest it took after a step until all was everywhere, and which step that was.
    slowest: (Duration, String),
}

/// Runs; `None`: the machine has not what it needs, as was said.
pub(crate) async fn run(orders: Orders) -> Option<Report> {
    foretell(&orders);
    let field = Field::start(&orders.ground).await?;
    let rooms = Arc::new(talk::rooms(field.node(0)).await);
    let began = Instant::now();
    let phones = phones(&orders, &field, &rooms, began);
    let mut run = Run {
        began,
        field,
        phones,
        rooms,
        limits: orders.limits,
        longest_pause: orders.pauses.longest,
        harm: Vec::new(),
        counts: BTreeMap::new(),
        slowest: Default::default(),
    };
    run.all_have("a stream", |entry| matches!(entry, Entry::CaughtUp { .. })).await;
    let stop = Arc::new(AtomicBool::new(false));
    let talks: Vec<_> = (1..)
        .zip(&run.phones)
        .map(|(at, phone)| {
            let (rooms, stop) = (Arc::clone(&run.rooms), Arc::clone(&stop));
            let seed = orders.seed.wrapping_mul(1000).wrapping_add(at);
            let talk = talk::talk(Arc::clone(phone), rooms, seed, stop);
            AbortOnDropHandle::new(tokio::spawn(talk))
        })
        .collect();
    run.all_have("a stored message", |entry| matches!(entry, Entry::Stored { .. })).await;
    run.harm_until(orders.harm, Plan::new(orders.seed, orders.shape)).await;
    stop.store(true, Ordering::Relaxed);
    for talk in talks {
        // One that panics has said so.
        let _ended = talk.await;
    }
    let record = run.settle().await;
    for phone in &run.phones {
        phone.end();
    }
    let violations = check::check(&record);
    let mut text = run.report(&orders, &record, &violations);
    if !violations.is_empty() {
        let _ = writeln!(text, "the diaries are in {}", keep(&orders, &record).display());
    }
    let messages = record.chats.values().map(|chat| chat.log.len()).sum();
    Some(Report { messages, faults: run.counts, violations, text })
}

/// Writes down what there is to be read by who wants to know how it came.
fn keep(orders: &Orders, record: &Record) -> PathBuf {
    let ground = if orders.ground.servers { "servers" } else { "sqlite" };
    let folder = format!("faults/{}-{ground}", orders.seed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    let write = |name: &str, lines: Vec<String>| {
        std::fs::write(folder.join(name), lines.join("\n")).expect("the folder is writable");
    };
    for device in &record.devices {
        let line = |(at, entry): &(At, Entry)| format!("{:>10.4} {entry:?}", at.as_secs_f64());
        write(&device.name.replace('/', "-"), device.entries.iter().map(line).collect());
    }
    write("harm", record.harm.iter().map(|(at, harm)| format!("{at:.4?} {harm:?}")).collect());
    write("store", record.chats.iter().map(|(id, chat)| format!("{id} {chat:#?}")).collect());
    folder
}

fn foretell(orders: &Orders) {
    eprintln!("seed {}, flags {:?}", orders.seed, orders.ground.flags);
    let plan = Plan::new(orders.seed, orders.shape);
    for (at, step) in plan.take(FORETOLD).enumerate() {
        eprintln!("  step {at}: {step}");
    }
}

/// Who goes where: some to one node alone, the others to any.
fn phones(orders: &Orders, field: &Field, rooms: &[Room], began: Instant) -> Vec<Arc<Phone>> {
    let last = orders.ground.nodes - 1;
    let any = |first: usize| -> Vec<usize> {
        (0..orders.ground.nodes).map(|at| (first + at) % orders.ground.nodes).collect()
    };
    let owners = [
        ("ann", "phone", 0, any(0)),
        ("ann", "tablet", 1, any(last)),
        ("bob", "phone", 0, any(last)),
        ("cyd", "phone", 1, any(0)),
        ("dan", "phone", 0, vec![0]),
        ("eve", "phone", 1, vec![last]),
        ("fay", "phone", 1, vec![0]),
        ("fay", "tablet", 0, any(1)),
        ("gus", "phone", 0, vec![last]),
    ];
    let owners = owners.into_iter().map(|(user, device, net, nodes)| {
        let ways = nodes.into_iter().map(|node| {
            let way = Way { net, node };
            (way, field.door(way))
        });
        let screen = rooms.iter().filter(|room| room.group && room.members.contains(&user));
        Owner {
            user: user.to_owned(),
            device: device.to_owned(),
            ways: ways.collect(),
            pauses: orders.pauses,
            screen: screen.map(|room| room.id.clone()).collect(),
        }
    });
    owners.map(|owner| Phone::start(owner, began)).collect()
}

impl Run {
    fn now(&self) -> At {
        self.began.elapsed()
    }

    async fn all_have(&self, what: &str, is: fn(&Entry) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let has = |phone: &Arc<Phone>| phone.look(|diary| diary.iter().any(|(_, e)| is(e)));
        while !self.phones.iter().all(has) {
            assert!(Instant::now() < deadline, "not all phones have {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn harm_until(&mut self, end: Duration, plan: Plan) {
        let end = self.now() + end;
        for (at, step) in plan.enumerate() {
            if self.now() + step.hold > end {
                return;
            }
            eprintln!("  {:>8.2?} step {at}: {step}", self.now());
            self.harm(&step).await;
            let healed = self.now();
            if !self.reached().await {
                eprintln!("  {:>8.2?} not all was reached: no more harm", self.now());
                return;
            }
            let took = self.now().saturating_sub(healed);
            if took > self.slowest.0 {
                self.slowest = (took, format!("step {at}"));
            }
            tokio::time::sleep(step.rest).await;
        }
    }

    async fn harm(&mut self, step: &Step) {
        self.harm.push((self.now(), Harm::Begins));
        for fault in &step.faults {
            *self.counts.entry(fault.name()).or_default() += 1;
            let now = self.now();
            self.harm.extend(Field::marks(*fault).into_iter().map(|harm| (now, harm)));
            self.field.begin(*fault, &self.phones).await;
        }
        tokio::time::sleep(step.hold).await;
        // Servers last: they need the links.
        let is_node = |fault: &&Fault| {
            matches!(fault, Fault::KillNode(_) | Fault::EndNode(_) | Fault::HangNode(_))
        };
        let (nodes, others): (Vec<&Fault>, Vec<&Fault>) = step.faults.iter().partition(is_node);
        for fault in others.into_iter().chain(nodes) {
            if let Fault::KillNode(node) | Fault::EndNode(node) = *fault {
                self.harm.push((self.now(), Harm::NodeBack { node }));
            }
            self.field.end(*fault, &self.phones).await;
        }
        let half_open = step.faults.iter().any(|fault| {
            matches!(
                fault,
                Fault::Door(_, Mode::HalfOpen)
                    | Fault::BusLink(_, Mode::HalfOpen)
                    | Fault::StoreLink(Mode::HalfOpen)
            )
        });
        self.harm.push((self.now(), Harm::Healed { half_open }));
    }

    /// Waits until every phone has what was acknowledged before the last healing, or has had its
    /// time for it.
    async fn reached(&self) -> bool {
        let Some((healed, Harm::Healed { half_open })) = self.harm.last().copied() else {
            return true;
        };
        let mut acked: BTreeMap<String, u32> = BTreeMap::new();
        for phone in &self.phones {
            phone.look(|diary| {
                for (at, entry) in diary {
                    if let Entry::Stored { chat, seq, .. } = entry
                        && *at <= healed
                    {
                        let top = acked.entry(chat.clone()).or_default();
                        *top = (*top).max(*seq);
                    }
                }
            });
        }
        let limits = (self.limits.healed, self.limits.half_open);
        let last = healed + limits.0.max(limits.1) + self.longest_pause + limits.0;
        loop {
            let behind = |phone: &&Arc<Phone>| !self.has(phone, &acked);
            let behind: Vec<_> = self.phones.iter().filter(behind).collect();
            let now = self.now();
            let late = behind.iter().any(|phone| {
                let by = phone.look(|diary| check::deadline_of(limits, diary, healed, half_open));
                by.is_some_and(|by| by < now)
            });
            if behind.is_empty() || late || now > last {
                return behind.is_empty();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn has(&self, phone: &Phone, acked: &BTreeMap<String, u32>) -> bool {
        let disk = phone.disk.lock();
        let own = self.rooms.iter().filter(|r| r.members.contains(&phone.owner.user.as_str()));
        own.into_iter().all(|room| {
            let top = acked.get(&room.id).copied().unwrap_or(0);
            top == 0 || disk.chats.get(&room.id).is_some_and(|held| held.solid() >= top)
        })
    }

    /// All is healed and nobody writes: waits until all is as it should be, or should have been;
    /// and in any case until presence can be judged.
    async fn settle(&mut self) -> Record {
        self.harm.push((self.now(), Harm::Healed { half_open: false }));
        let healed = self.now();
        let calm = healed + self.limits.healed + Duration::from_secs(2);
        let last = healed + self.limits.healed + self.longest_pause + self.limits.healed;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.now() < calm {
                continue;
            }
            let record = self.record().await;
            let late = |v: &Violation| matches!(v.kind, Kind::NotReached | Kind::PictureDiffers);
            if self.now() > last || !check::check(&record).iter().any(late) {
                return record;
            }
        }
    }

    async fn record(&self) -> Record {
        let chats = tokio::time::timeout(PATIENCE, self.chats()).await;
        Record {
            limits: self.limits,
            devices: self.phones.iter().map(|phone| phone.device()).collect(),
            harm: self.harm.clone(),
            chats: chats.expect("the store can be read when all is healed"),
            ended: self.now(),
        }
    }

    /// The chats as the store has them.
    async fn chats(&self) -> BTreeMap<String, Chat> {
        let mut chats = BTreeMap::new();
        let mut apis = BTreeMap::new();
        for user in USERS {
            apis.insert(user, api(self.field.node(0), token(user)).await);
        }
        for room in self.rooms.iter() {
            let first = apis.get_mut(room.members[0]).unwrap();
            let log = history(first, &room.id).await.iter().map(plain).collect();
            let mut members = BTreeMap::new();
            for user in &room.members {
                let seen = crate::world::chat(apis.get_mut(user).unwrap(), &room.id).await;
                let own = seen.membership.unwrap_or_default();
                let sets = Sets {
                    delivered: SeqSet::from_parts(0, runs(&own.delivered)),
                    read: SeqSet::from_parts(0, runs(&own.read)),
                    unread: seen.unread_count.unwrap_or_default(),
                };
                members.insert((*user).to_owned(), sets);
            }
            chats.insert(room.id.clone(), Chat { log, members });
        }
        chats
    }

    fn report(&self, orders: &Orders, record: &Record, violations: &[Violation]) -> String {
        let messages: usize = record.chats.values().map(|chat| chat.log.len()).sum();
        let entries = || record.devices.iter().flat_map(|device| &device.entries);
        let count = |is: fn(&Entry) -> bool| entries().filter(|(_, entry)| is(entry)).count();
        let log = record.chats.values().flat_map(|chat| &chat.log);
        let changed = log.filter(|message| message.revision > 0).count();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "seed {}, {} nodes, {}, flags {:?}\n{messages} messages, {} acknowledged, {} told, {changed} changed since, {} streams in {:.0?}",
            orders.seed,
            orders.ground.nodes,
            if orders.ground.servers { "MongoDB and Redis" } else { "SQLite and memory" },
            orders.ground.flags,
            count(|entry| matches!(entry, Entry::Stored { .. })),
            count(|entry| matches!(entry, Entry::Saw { stream: Some(_), .. })),
            count(|entry| matches!(entry, Entry::Ready { .. })),
            record.ended,
        );
        for (fault, count) in &self.counts {
            let _ = writeln!(text, "  {count:>4} × {fault}");
        }
        let (slowest, step) = &self.slowest;
        let _ = writeln!(text, "all was everywhere within {slowest:.1?} (after {step})");
        let _ = writeln!(text, "{} violations", violations.len());
        for (kind, count) in check::by_kind(violations) {
            let _ = writeln!(text, "  {count:>4} × {kind:?}");
            for violation in violations.iter().filter(|v| v.kind == kind).take(5) {
                let _ = writeln!(text, "         {violation}");
            }
        }
        text
    }
}
