//! The ways that a message takes to users who are away, one of each in a round.

use std::net::SocketAddr;
use std::time::Duration;

use adda::clock::{Clock as _, SystemClock, Timestamp};
use adda::proto::{self, ChatKind, NotificationKind as Kind};
use tokio::time::Instant;

use crate::push::fake::{Does, Fcm};
use crate::push::{at, device};
use crate::world::{Api, Live, api, eventually, message, run, send, token};

const MINUTE: i64 = 60_000;
/// What the node has sent is read by then.
const SETTLES: Duration = Duration::from_millis(50);

/// One round.
pub(super) struct Ways {
    /// Who must be pushed, and not before when.
    rings: Vec<(String, Timestamp)>,
    /// Who has read, and so must not be pushed any more.
    silent: Vec<String>,
    /// When no push could be under way any more that was sent before that.
    since: Instant,
    /// Who must have which notifications of which message.
    noted: Vec<(String, Kind, String)>,
    /// Streams that are open until the node is killed.
    live: Vec<Live>,
}

impl Ways {
    /// All is stored, and what is read is read, when this answers.
    pub(super) async fn begin(addr: SocketAddr, fcm: &Fcm, round: u64) -> Self {
        let mut ways = Self {
            rings: Vec::new(),
            silent: Vec::new(),
            since: Instant::now(),
            noted: Vec::new(),
            live: Vec::new(),
        };
        let user = |sort: &str| format!("{sort}-{round}");
        // One for all rounds would be in more chats than a user may be.
        let mut alice = api(addr, token(&user("alice"))).await;
        ways.noted(addr, user("author"), user("noted")).await;
        ways.quiet(addr, &mut alice, user("quiet")).await;
        ways.acknowledged(addr, &mut alice, user("held")).await;
        ways.connected(addr, &mut alice, user("open")).await;
        ways.put_off(addr, &mut alice, fcm, user("later")).await;
        ways.read(addr, &mut alice, fcm, user("reader"), round).await;
        // Last, as it is the shortest.
        ways.away(addr, &mut alice, user("away")).await;
        ways
    }

    /// Without any stream: pushed at once.
    async fn away(&mut self, addr: SocketAddr, alice: &mut Api, user: String) {
        let chat = with_phone(addr, alice, &user).await;
        self.send(alice, &chat, user).await;
    }

    /// With a stream that says nothing: the first look.
    async fn connected(&mut self, addr: SocketAddr, alice: &mut Api, user: String) {
        let chat = with_phone(addr, alice, &user).await;
        self.live.push(connect(addr, &user, "phone").await);
        self.send(alice, &chat, user).await;
    }

    /// Held back by a laptop in the foreground that has it: the second look.
    async fn acknowledged(&mut self, addr: SocketAddr, alice: &mut Api, user: String) {
        let chat = with_phone(addr, alice, &user).await;
        let mut laptop = connect(addr, &user, "laptop").await;
        self.send(alice, &chat, user).await;
        laptop.message().await;
        laptop.mark(&chat, vec![run(1, 1)], false).await;
        self.live.push(laptop);
    }

    /// Refused for now, twice: jobs.
    async fn put_off(&mut self, addr: SocketAddr, alice: &mut Api, fcm: &Fcm, user: String) {
        let chat = with_phone(addr, alice, &user).await;
        fcm.script(&user, &[Does::Unavailable; 2]);
        self.send(alice, &chat, user).await;
    }

    /// In quiet hours that end with this minute: a job for their end.
    async fn quiet(&mut self, addr: SocketAddr, alice: &mut Api, user: String) {
        let chat = with_phone(addr, alice, &user).await;
        let now = SystemClock.now().0;
        let end = (now / MINUTE + 1) * MINUTE;
        let minute = |at: i64| u32::try_from(at / MINUTE % 1_440).unwrap();
        let hours = proto::QuietHours {
            weekdays: Vec::new(),
            start_minute: minute(end - 2 * MINUTE),
            end_minute: minute(end),
        };
        let preferences =
            proto::NotificationPreferences { quiet_hours: vec![hours], ..Default::default() };
        let request = proto::UpdatePreferencesRequest { preferences: Some(preferences) };
        at(addr, &user).await.update_preferences(request).await.unwrap();
        send(alice, &chat, "m1", "hello").await;
        // What is stored after their end rings at once.
        self.rings.push((user, Timestamp(end)));
    }

    /// Has read it on the laptop, before a look or another try, by turns.
    async fn read(
        &mut self,
        addr: SocketAddr,
        alice: &mut Api,
        fcm: &Fcm,
        user: String,
        round: u64,
    ) {
        let chat = with_phone(addr, alice, &user).await;
        if round.is_multiple_of(2) {
            self.live.push(connect(addr, &user, "phone").await);
        } else {
            fcm.script(&user, &[Does::Unavailable]);
        }
        send(alice, &chat, "m1", "hello").await;
        let ack = proto::ReadAck { chat_id: chat, seqs: vec![run(1, 1)] };
        let request = proto::AckReadRequest { ack: Some(ack) };
        api(addr, token(&user)).await.ack_read(request).await.unwrap();
        self.silent.push(user);
    }

    /// Added to a group, mentioned, missed a message; and has reacted to one.
    async fn noted(&mut self, addr: SocketAddr, author: String, user: String) {
        let mut theirs = api(addr, token(&author)).await;
        let create = proto::CreateChatRequest {
            kind: ChatKind::Group.into(),
            member_ids: vec![user.clone()],
            title: "group".to_owned(),
            ..Default::default()
        };
        let chat = theirs.create_chat(create).await.unwrap().into_inner().chat.unwrap().chat_id;
        let first = send(&mut theirs, &chat, "m1", "hello").await.message_id;
        let mention = proto::MessageSend {
            mentions: vec![user.clone()],
            ..message(&chat, "m2", &format!("@{user} look"))
        };
        let request = proto::SendMessageRequest { message: Some(mention) };
        let second = theirs.send_message(request).await.unwrap().into_inner().outcome.unwrap();
        let react = proto::AddReactionRequest {
            chat_id: chat,
            message_id: first.clone(),
            emoji: "👍".to_owned(),
        };
        api(addr, token(&user)).await.add_reaction(react).await.unwrap();
        self.noted.push((author, Kind::Reaction, first));
        self.noted.push((user.clone(), Kind::Added, String::new()));
        self.noted.push((user.clone(), Kind::Mention, second.message_id.clone()));
        self.noted.push((user, Kind::Messages, second.message_id));
    }

    async fn send(&mut self, alice: &mut Api, chat: &str, user: String) {
        send(alice, chat, "m1", "hello").await;
        self.rings.push((user, Timestamp(0)));
    }

    /// The node is gone: what it had sent is taken by now.
    pub(super) async fn killed(&mut self) {
        self.live.clear();
        tokio::time::sleep(SETTLES).await;
        self.since = Instant::now();
    }

    /// Waits until all have been told; answers how many were pushed more than once.
    pub(super) async fn came_true(&self, addr: SocketAddr, fcm: &Fcm) -> u32 {
        let mut twice = 0;
        for (user, from) in &self.rings {
            let left = from.since(SystemClock.now());
            tokio::time::sleep(left).await;
            let got = eventually(user, async || {
                let got = fcm.got(user);
                (!got.is_empty()).then_some(got)
            });
            let got = got.await;
            twice += u32::from(got.len() > 1);
            let first = SystemClock.now().minus(got[0].at.elapsed());
            // To the millisecond that both clocks are read in.
            assert!(first.plus(Duration::from_millis(2)) >= *from, "{user} was pushed too early");
        }
        for (user, kind, message) in &self.noted {
            let what = format!("{kind:?} for {user}");
            eventually(&what, async || {
                let request =
                    proto::ListNotificationsRequest { page_size: 100, ..Default::default() };
                let listed = at(addr, user).await.list_notifications(request).await.unwrap();
                let of = listed.into_inner().notifications.into_iter();
                let of = of.filter(|of| {
                    of.kind() == *kind && (message.is_empty() || of.message_id == *message)
                });
                let of = of.count();
                assert!(of <= 1, "{what} was noted {of} times");
                (of == 1).then_some(())
            })
            .await;
        }
        twice
    }

    /// Who had read it was not pushed it since.
    pub(super) fn was_silent(&self, fcm: &Fcm) {
        for user in &self.silent {
            let late = fcm
                .got(user)
                .into_iter()
                .find(|got| got.at > self.since && got.data("kind") == "message");
            assert!(late.is_none(), "{user} was pushed what was read: {late:?}");
        }
    }
}

/// The chat of a user who has registered a phone, whose token is the user's name.
async fn with_phone(addr: SocketAddr, alice: &mut Api, user: &str) -> String {
    at(addr, user).await.register_device(device("phone", user)).await.unwrap();
    let create = proto::CreateChatRequest {
        kind: ChatKind::Direct.into(),
        member_ids: vec![user.to_owned()],
        ..Default::default()
    };
    alice.create_chat(create).await.unwrap().into_inner().chat.unwrap().chat_id
}

async fn connect(addr: SocketAddr, user: &str, device: &str) -> Live {
    let hello = proto::Hello { device_id: device.to_owned(), ..proto::Hello::default() };
    let mut live = Live::open(api(addr, token(user)).await, hello).await.unwrap();
    live.caught_up().await;
    live
}
