//! Unread counts against a model that counts by looking at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use adda::model::{ChatId, MessageId};
use adda::proto;
use adda::store::Store;
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::{group, seeded};
use crate::world::{Api, Backends, World, api, chat, run, send, token};

const USERS: [&str; 4] = ["alice", "bob", "carol", "dan"];
const STEPS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_counts_are_as_a_model_counts_them_on_sqlite() {
    let Some(world) = World::with(Backends::Sqlite, &[]).await else { return };
    Driver::new(&[world.addr(0)], world.store()).await.drive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_counts_are_as_a_model_counts_them_on_two_nodes() {
    let Some(world) = super::two_nodes(&[]).await else { return };
    Driver::new(&[world.addr(0), world.addr(1)], world.store()).await.drive().await;
}

/// One message, as the model has it.
struct Written {
    id: String,
    sender: &'static str,
    deleted: bool,
}

/// One chat, as the model has it.
struct Room {
    id: String,
    direct_by: Option<&'static str>,
    members: Vec<&'static str>,
    /// By seq, from 1; of a note the sender is nobody.
    log: Vec<Written>,
    read: BTreeMap<&'static str, BTreeSet<usize>>,
}

impl Room {
    fn unread(&self, user: &str) -> u32 {
        let read = self.read.get(user);
        let counts = (1..).zip(&self.log).filter(|(seq, message)| {
            let of_others = !message.sender.is_empty() && message.sender != user;
            of_others && !message.deleted && !read.is_some_and(|read| read.contains(seq))
        });
        u32::try_from(counts.count()).unwrap()
    }
}

struct Driver {
    random: StdRng,
    /// Of each user, at each node.
    apis: BTreeMap<&'static str, Vec<Api>>,
    store: Arc<dyn Store>,
    rooms: Vec<Room>,
    /// Acknowledgements that were given, to be given again.
    given: Vec<(usize, &'static str, Vec<proto::SeqRange>)>,
    sent: usize,
}

impl Driver {
    async fn new(nodes: &[SocketAddr], store: Arc<dyn Store>) -> Self {
        let mut apis = BTreeMap::new();
        for user in USERS {
            let mut of_user = Vec::new();
            for node in nodes {
                of_user.push(api(*node, token(user)).await);
            }
            apis.insert(user, of_user);
        }
        let mut rooms = Vec::new();
        for members in [&USERS[..], &USERS[..3], &USERS[1..]] {
            let id = group(nodes[0], members[0], &members[1..]).await;
            let note = Written { id: String::new(), sender: "", deleted: false };
            let (members, read) = (members.to_vec(), BTreeMap::new());
            rooms.push(Room { id, direct_by: None, members, log: vec![note], read });
        }
        for (one, other) in [("alice", "bob"), ("carol", "alice"), ("bob", "dan")] {
            let request = proto::CreateChatRequest {
                kind: proto::ChatKind::Direct.into(),
                member_ids: vec![other.to_owned()],
                ..Default::default()
            };
            let made = apis.get_mut(one).unwrap()[0].create_chat(request).await.unwrap();
            let id = made.into_inner().chat.unwrap().chat_id;
            let (members, read) = (vec![one, other], BTreeMap::new());
            rooms.push(Room { id, direct_by: Some(one), members, log: Vec::new(), read });
        }
        Self { random: seeded(), apis, store, rooms, given: Vec::new(), sent: 0 }
    }

    async fn drive(mut self) {
        for step in 0..STEPS {
            let room = self.random.random_range(0..self.rooms.len());
            let members = self.rooms[room].members.clone();
            let user = members[self.random.random_range(0..members.len())];
            let what = self.random.random_range(0..100);
            match what {
                _ if self.rooms[room].log.len() < 2 => self.sends(room, user).await,
                0..40 => self.sends(room, user).await,
                40..55 => self.reads_runs(room, user).await,
                55..62 => self.repeats().await,
                62..72 => self.reads_one(room, user).await,
                72..80 => self.reads_up_to(room, user).await,
                80..88 => self.receives(room, user).await,
                _ => self.deletes(room).await,
            }
            self.check(room, &format!("step {step} ({what})")).await;
        }
        eprintln!("{} messages in {STEPS} steps", self.sent);
    }

    /// The calls of a user at some node.
    fn api(&mut self, user: &str) -> &mut Api {
        let of_user = self.apis.get_mut(user).unwrap();
        let node = self.random.random_range(0..of_user.len());
        &mut of_user[node]
    }

    async fn sends(&mut self, room: usize, user: &'static str) {
        self.sent += 1;
        let (id, chat) = (format!("m{}", self.sent), self.rooms[room].id.clone());
        let outcome = send(self.api(user), &chat, &id, "text").await;
        let room = &mut self.rooms[room];
        room.log.push(Written { id: outcome.message_id, sender: user, deleted: false });
        assert_eq!(outcome.seq as usize, room.log.len());
    }

    fn some_runs(&mut self, room: usize) -> Vec<proto::SeqRange> {
        let last = u32::try_from(self.rooms[room].log.len()).unwrap();
        let count = self.random.random_range(1..4);
        let one = |random: &mut StdRng| {
            let first = random.random_range(1..=last);
            run(first, random.random_range(first..=last.min(first + 5)))
        };
        (0..count).map(|_| one(&mut self.random)).collect()
    }

    async fn reads_runs(&mut self, room: usize, user: &'static str) {
        let seqs = self.some_runs(room);
        self.given.push((room, user, seqs.clone()));
        self.acknowledges(room, user, seqs).await;
    }

    /// Late, and once more.
    async fn repeats(&mut self) {
        if self.given.is_empty() {
            return;
        }
        let (room, user, seqs) = self.given[self.random.random_range(0..self.given.len())].clone();
        self.acknowledges(room, user, seqs).await;
    }

    async fn acknowledges(&mut self, room: usize, user: &'static str, seqs: Vec<proto::SeqRange>) {
        let ack = proto::ReadAck { chat_id: self.rooms[room].id.clone(), seqs: seqs.clone() };
        let request = proto::AckReadRequest { ack: Some(ack) };
        let outcome = self.api(user).ack_read(request).await.unwrap().into_inner().outcome.unwrap();
        let read = self.rooms[room].read.entry(user).or_default();
        read.extend(seqs.iter().flat_map(|run| run.first as usize..=run.last as usize));
        self.is_left(room, user, &outcome);
    }

    async fn reads_one(&mut self, room: usize, user: &'static str) {
        let seq = self.random.random_range(1..=self.rooms[room].log.len());
        let message = &self.rooms[room].log[seq - 1];
        let (own, id) = (message.sender == user, message.id.clone());
        if id.is_empty() {
            return;
        }
        let request =
            proto::MarkMessageReadRequest { chat_id: self.rooms[room].id.clone(), message_id: id };
        let answer = self.api(user).mark_message_read(request).await.unwrap();
        if !own {
            self.rooms[room].read.entry(user).or_default().insert(seq);
        }
        let outcome = answer.into_inner().outcome.unwrap();
        assert!(outcome.total_unread_count.is_some());
        self.is_left(room, user, &outcome);
    }

    async fn reads_up_to(&mut self, room: usize, user: &'static str) {
        let last = self.rooms[room].log.len();
        let up_to = if self.random.random() { 0 } else { self.random.random_range(1..=last) };
        let request = proto::MarkChatReadRequest {
            chat_id: self.rooms[room].id.clone(),
            up_to_seq: u32::try_from(up_to).unwrap(),
        };
        let answer = self.api(user).mark_chat_read(request).await.unwrap();
        let to = if up_to == 0 { last } else { up_to };
        self.rooms[room].read.entry(user).or_default().extend(1..=to);
        let outcome = answer.into_inner().outcome.unwrap();
        assert!(outcome.total_unread_count.is_some());
        self.is_left(room, user, &outcome);
    }

    /// What was received and not read is unread.
    async fn receives(&mut self, room: usize, user: &'static str) {
        let (seqs, chat_id) = (self.some_runs(room), self.rooms[room].id.clone());
        let ack = Some(proto::DeliveredAck { chat_id, seqs });
        let device_id = "phone".to_owned();
        let request = proto::AckDeliveredRequest { ack, device_id };
        self.api(user).ack_delivered(request).await.unwrap();
    }

    async fn deletes(&mut self, room: usize) {
        let seq = self.random.random_range(1..=self.rooms[room].log.len());
        let (chat, message) = (self.rooms[room].id.clone(), &mut self.rooms[room].log[seq - 1]);
        let Some(id) = MessageId::parse(&message.id) else { return };
        message.deleted = true;
        let deleted = self.store.delete_message(ChatId::parse(&chat).unwrap(), id).await.unwrap();
        assert!(deleted.unwrap().deleted_at.is_some());
    }

    fn total(&self, user: &str) -> u32 {
        self.rooms.iter().filter(|r| r.members.contains(&user)).map(|r| r.unread(user)).sum()
    }

    fn is_left(&self, room: usize, user: &str, outcome: &proto::ReadOutcome) {
        let room = &self.rooms[room];
        assert_eq!(outcome.unread_count, room.unread(user));
        assert_eq!(outcome.last_seq as usize, room.log.len());
        if let Some(total) = outcome.total_unread_count {
            assert_eq!(total, self.total(user));
        }
    }

    /// All counts of all users, as answers tell them.
    async fn check(&mut self, room: usize, step: &str) {
        for user in USERS {
            let request = proto::ListChatsRequest::default();
            let inbox = self.api(user).list_chats(request).await.unwrap().into_inner();
            assert_eq!(inbox.total_unread_count, Some(self.total(user)), "{step}: {user}'s total");
            let told: BTreeMap<_, _> =
                inbox.chats.iter().map(|chat| (&chat.chat_id, chat.unread_count)).collect();
            let listed = |room: &&Room| {
                let silent = room.direct_by.is_some_and(|by| by != user) && room.log.is_empty();
                room.members.contains(&user) && !silent
            };
            let model: BTreeMap<_, _> = self
                .rooms
                .iter()
                .filter(listed)
                .map(|room| (&room.id, Some(room.unread(user))))
                .collect();
            assert_eq!(told, model, "{step}: the inbox of {user}");
        }
        let members = self.rooms[room].members.clone();
        let user = members[self.random.random_range(0..members.len())];
        let id = self.rooms[room].id.clone();
        let seen = chat(self.api(user), &id).await;
        let room = &self.rooms[room];
        assert_eq!(seen.unread_count, Some(room.unread(user)), "{step}: {user}'s chat");
        assert_eq!(seen.last_seq as usize, room.log.len());
    }
}
