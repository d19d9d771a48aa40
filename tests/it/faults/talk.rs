//! Who talks with whom, and what they do while it lasts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adda::model::Run;
use adda::proto;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::phone::Phone;
use super::record::Message;
use crate::world::{api, token, unique};

/// Sends that may wait in one outbox.
const WAITING: usize = 6;

/// A chat of the run.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) members: Vec<&'static str>,
    pub(crate) group: bool,
    /// How often it is chosen, against others: some chats are quiet for long.
    weight: u32,
}

pub(crate) const USERS: [&str; 7] = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus"];

/// Makes the chats: groups and direct ones.
pub(crate) async fn rooms(node: SocketAddr) -> Vec<Room> {
    let groups: [(&[&str], u32); 3] = [(&USERS, 8), (&USERS[..3], 8), (&USERS[3..], 1)];
    let pairs = [("ann", "bob"), ("ann", "dan"), ("cyd", "eve"), ("fay", "gus"), ("bob", "eve")];
    let mut rooms = Vec::new();
    for (members, weight) in groups {
        let id = make(node, proto::ChatKind::Group, members).await;
        rooms.push(Room { id, members: members.to_vec(), group: true, weight });
    }
    for ((one, other), weight) in pairs.into_iter().zip([6, 1, 6, 1, 2]) {
        let id = make(node, proto::ChatKind::Direct, &[one, other]).await;
        rooms.push(Room { id, members: vec![one, other], group: false, weight });
    }
    rooms
}

async fn make(node: SocketAddr, kind: proto::ChatKind, members: &[&str]) -> String {
    let group = kind == proto::ChatKind::Group;
    let request = proto::CreateChatRequest {
        kind: kind.into(),
        member_ids: members[1..].iter().map(ToString::to_string).collect(),
        title: if group { "Adda".to_owned() } else { String::new() },
        client_chat_id: if group { unique() } else { String::new() },
        ..Default::default()
    };
    let mut api = api(node, token(members[0])).await;
    api.create_chat(request).await.unwrap().into_inner().chat.unwrap().chat_id
}

/// What the user of a phone does until told to stop.
pub(crate) async fn talk(
    phone: Arc<Phone>,
    rooms: Arc<Vec<Room>>,
    seed: u64,
    stop: Arc<AtomicBool>,
) {
    let mut random = StdRng::seed_from_u64(seed);
    let user = phone.owner.user.as_str();
    let own: Vec<&Room> = rooms.iter().filter(|room| room.members.contains(&user)).collect();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let room = choose(&mut random, &own);
        match random.random_range(0..10) {
            0..7 if phone.disk.lock().outbox.len() < WAITING => {
                count += 1;
                let id = format!("{}-{}-{count}", phone.name().replace('/', "-"), &room.id[28..]);
                phone.write(&room.id, &id, &format!("আড্ডা {count} by {}", phone.name()));
            }
            0..7 => {}
            7 => change(&phone, &room.id, &mut random).await,
            _ => look(&phone, &room.id, &mut random),
        }
        let pause = Duration::from_millis(random.random_range(100..900));
        tokio::time::sleep(pause).await;
    }
}

fn choose<'r>(random: &mut StdRng, rooms: &[&'r Room]) -> &'r Room {
    let mut ticket = random.random_range(0..rooms.iter().map(|room| room.weight).sum());
    for room in rooms {
        if ticket < room.weight {
            return room;
        }
        ticket -= room.weight;
    }
    unreachable!("a ticket is below the sum of all weights")
}

/// Looks at some of what is held: mostly at the end, now and then further up.
fn look(phone: &Phone, room: &str, random: &mut StdRng) {
    let top = phone.disk.lock().chats.get(room).map_or(0, super::phone::disk::Held::solid);
    if top == 0 {
        return;
    }
    let up = if random.random_bool(0.8) { top } else { random.random_range(1..=top) };
    let lines = random.random_range(1..30).min(up);
    phone.read(room, Run { first: up - lines + 1, last: up });
}

/// Edits, deletes, or reacts to one of the last messages. What fails may have been done, or not.
async fn change(phone: &Phone, room: &str, random: &mut StdRng) {
    let held: Vec<Message> = {
        let disk = phone.disk.lock();
        let held = disk.chats.get(room).map(|held| held.messages.values().rev().take(20));
        held.into_iter()
            .flatten()
            .filter(|it| !it.sender.is_empty() && !it.deleted)
            .cloned()
            .collect()
    };
    if held.is_empty() {
        return;
    }
    let message = &held[random.random_range(0..held.len())];
    let (_, node) = phone.owner.ways[random.random_range(0..phone.owner.ways.len())];
    let emoji = ["👍", "❤️", "😂"][random.random_range(0..3)].to_owned();
    let (kind, number) = (random.random_range(0..10), random.random_range(0..1_000));
    let (chat_id, message_id) = (room.to_owned(), message.id.clone());
    let changed = async {
        let Ok(mut api) = crate::world::try_api(node, token(&phone.owner.user)).await else {
            return;
        };
        let came = match kind {
            0..5 if message.sender == phone.owner.user => {
                let text = format!("{} ({number})", message.text);
                phone.edits(room, &message.client_id, &text);
                let edit =
                    proto::EditMessageRequest { chat_id, message_id, text, ..Default::default() };
                api.edit_message(edit).await.map(drop)
            }
            5 if message.sender == phone.owner.user => {
                let scope = proto::DeleteScope::Everyone.into();
                let delete = proto::DeleteMessageRequest { chat_id, message_id, scope };
                api.delete_message(delete).await.map(drop)
            }
            9 => {
                let reaction = proto::RemoveReactionRequest { chat_id, message_id, emoji };
                api.remove_reaction(reaction).await.map(drop)
            }
            _ => {
                let reaction = proto::AddReactionRequest { chat_id, message_id, emoji };
                api.add_reaction(reaction).await.map(drop)
            }
        };
        // The stream tells what has become of it.
        drop(came);
    };
    drop(tokio::time::timeout(Duration::from_secs(5), changed).await);
}

/// Sends again what was sent long ago, at another node perhaps, and writes down what was said.
pub(crate) async fn replay(phone: &Phone, node: SocketAddr) {
    let sent: Vec<proto::MessageSend> = {
        let disk = phone.disk.lock();
        disk.sent.iter().step_by(disk.sent.len() / 20 + 1).cloned().collect()
    };
    let Ok(api) = crate::world::try_api(node, token(&phone.owner.user)).await else { return };
    for send in sent {
        let request = proto::SendMessageRequest { message: Some(send.clone()) };
        let mut api = api.clone();
        let answer = api.send_message(request);
        // Where it fails nothing is learned; the stream does what must be done.
        let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(5), answer).await else {
            continue;
        };
        if let Some(outcome) = answer.into_inner().outcome {
            phone.answered_again(&send, &outcome);
        }
    }
}
