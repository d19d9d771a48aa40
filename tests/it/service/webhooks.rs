//! What happened is told to the product's services: signed, at least once, with one id.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use adda::clock::{Clock, SystemClock, Timestamp};
use adda::config::Config;
use adda::model::{ChatId, MessageId, NodeId, UserId};
use adda::proto;
use adda::store::{NewMessage, Store};
use adda::vital::Vital;
use adda::webhook::{Key, Kind, Options, Webhooks};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;

use crate::world::{Backends, World, eventually, run, send};

const SECRET: &str = "a secret of 32 characters, or so";

/// What came to an endpoint.
#[derive(Clone, Debug)]
struct Hook {
    id: String,
    body: Value,
    signed: bool,
}

/// An endpoint of the product's.
struct Endpoint {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    came: Mutex<Vec<Hook>>,
    /// The answers to the next requests; then 204.
    answers: Mutex<Vec<StatusCode>>,
}

impl Endpoint {
    async fn open() -> Self {
        let shared = Arc::new(Shared::default());
        let app = Router::new()
            .fallback(
                |State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes| async move {
                    shared.came.lock().push(hook(&headers, &body));
                    let mut answers = shared.answers.lock();
                    if answers.is_empty() { StatusCode::NO_CONTENT } else { answers.remove(0) }
                },
            )
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url: format!("http://{addr}/hooks"), shared }
    }

    /// Those of a kind that have come.
    fn came(&self, kind: &str) -> Vec<Hook> {
        let all = self.shared.came.lock().clone();
        all.into_iter().filter(|hook| hook.body["type"] == kind).collect()
    }

    async fn wait(&self, kind: &str) -> Hook {
        eventually(kind, async || self.came(kind).first().cloned()).await
    }
}

fn hook(headers: &HeaderMap, body: &Bytes) -> Hook {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let id = header("webhook-id");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{id}.{}.", header("webhook-timestamp")).as_bytes());
    mac.update(body);
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let signed = header("webhook-signature") == signature;
    Hook { id, body: serde_json::from_slice(body).unwrap(), signed }
}

async fn world(backends: Backends, endpoint: &Endpoint) -> Option<World> {
    let flags = ["--webhook-url", &endpoint.url, "--webhook-secret", SECRET];
    World::with(backends, &flags).await
}

async fn all_that_happens_is_told(backends: Backends) {
    let endpoint = Endpoint::open().await;
    let Some(world) = world(backends, &endpoint).await else { return };
    let chat_id = world.direct("alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    let sent = send(&mut world.api("alice").await, &chat_id, "m1", "hello").await;
    bob.mark(&chat_id, vec![run(1, 1)], true).await;

    let hook = endpoint.wait("message.sent").await;
    assert!(hook.signed);
    assert_eq!(hook.id, hook.body["id"]);
    let data = &hook.body["data"];
    assert_eq!(data["message_id"], sent.message_id);
    assert_eq!((&data["seq"], &data["text"]), (&Value::from(1), &Value::from("hello")));
    assert_eq!((&data["sender_id"], &data["chat_id"]), (&"alice".into(), &chat_id.as_str().into()));
    let read = endpoint.wait("message.read").await.body["data"].clone();
    assert_eq!(read["user_id"], "bob");
    assert_eq!(read["seqs"], serde_json::json!([{ "first": 1, "last": 1 }]));
    let online = endpoint.wait("user.online").await.body["data"].clone();
    assert_eq!(online["user_id"], "bob");
    let chat = endpoint.wait("chat.updated").await.body["data"].clone();
    assert_eq!((&chat["chat_id"], &chat["kind"]), (&chat_id.as_str().into(), &"direct".into()));
    assert_eq!(chat["member_ids"], serde_json::json!(["alice", "bob"]));
    assert!(endpoint.shared.came.lock().iter().all(|hook| hook.signed));
}

async fn each_change_of_a_group_is_told(backends: Backends) {
    let endpoint = Endpoint::open().await;
    let Some(world) = world(backends, &endpoint).await else { return };
    let chat_id = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    let title = Some("Picnic".to_owned());
    let update = proto::UpdateChatRequest { chat_id: chat_id.clone(), title, avatar_url: None };
    alice.update_chat(update).await.unwrap();
    let remove = proto::RemoveMemberRequest { chat_id: chat_id.clone(), user_id: "bob".to_owned() };
    alice.remove_member(remove).await.unwrap();
    alice.delete_chat(proto::DeleteChatRequest { chat_id: chat_id.clone() }).await.unwrap();
    let told = eventually("all four are told", async || {
        let mut came = endpoint.came("chat.updated");
        came.sort_by_key(|hook| hook.body["data"]["revision"].as_u64());
        came.dedup_by_key(|hook| hook.id.clone());
        (came.len() == 4).then_some(came)
    });
    let told: Vec<Value> = told.await.iter().map(|hook| hook.body["data"].clone()).collect();
    assert_eq!(told[1]["title"], "Picnic");
    assert_eq!(told[2]["member_ids"], serde_json::json!(["alice"]));
    assert_eq!((&told[2]["deleted"], &told[3]["deleted"]), (&false.into(), &true.into()));
}

async fn what_is_refused_is_told_again_with_the_same_id(backends: Backends) {
    let endpoint = Endpoint::open().await;
    *endpoint.shared.answers.lock() = vec![StatusCode::INTERNAL_SERVER_ERROR];
    let flags = ["--webhook-url", &endpoint.url, "--webhook-secret", SECRET];
    let flags = [&flags[..], &["--webhook-events", "message.sent"]].concat();
    let Some(world) = World::with(backends, &flags).await else { return };
    let chat_id = world.direct("alice", "bob").await;
    send(&mut world.api("alice").await, &chat_id, "m1", "hello").await;
    send(&mut world.api("alice").await, &chat_id, "m1", "hello").await;
    let both = eventually("it comes again", async || {
        let came = endpoint.came("message.sent");
        (came.len() == 2).then_some(came)
    });
    let both = both.await;
    assert_eq!((&both[0].id, &both[0].body), (&both[1].id, &both[1].body));
    assert!(endpoint.came("chat.updated").is_empty(), "it was not asked for");
}

/// Ahead of the machine's clock by what a test says.
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }

    fn new_id(&self) -> Uuid {
        SystemClock.new_id()
    }
}

/// The node that stored it died before it noted anything.
async fn a_message_that_nobody_noted_is_told_from_the_log(backends: Backends) {
    let endpoint = Endpoint::open().await;
    let Some(world) = World::with(backends, &[]).await else { return };
    let chat_id = world.direct("alice", "bob").await;
    let store: Arc<dyn Store> = world.store();
    let clock = Arc::new(Ahead(AtomicI64::new(0)));
    let options = Options {
        urls: vec![endpoint.url.clone()],
        key: Key::parse(SECRET).unwrap(),
        kinds: vec![Kind::MessageSent],
    };
    let with = (Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>);
    let hooks = Webhooks::start(options, with, NodeId::new("n"), &Vital::default()).unwrap();
    eventually("the turn is taken", async || {
        let other = NodeId::new("other");
        let start = MessageId(SystemClock.new_id());
        let turn = store.take_turn("webhooks", &other, Duration::ZERO, start).await.unwrap();
        turn.is_none().then_some(())
    })
    .await;
    let message = NewMessage {
        id: MessageId(SystemClock.new_id()),
        chat: ChatId::parse(&chat_id).unwrap(),
        sender: UserId::parse("alice"),
        client_message_id: "m1".to_owned(),
        content_hash: [0; 16],
        text: "hello".to_owned(),
        attachments: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
        words: Vec::new(),
        note: None,
        member_as_of: 0,
    };
    let id = message.id.to_string();
    store.append(message).await.unwrap();
    clock.0.store(120_000, Ordering::SeqCst);
    let hook = endpoint.wait("message.sent").await;
    assert_eq!(hook.body["data"]["message_id"], id.as_str());
    hooks.stop().await;
    assert_eq!(endpoint.came("message.sent").len(), 1);
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Backends::Sqlite).await;
            })+
        }
        mod mongo {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Backends::MongoRedis).await;
            })+
        }
    };
}

on_both! {
    all_that_happens_is_told,
    each_change_of_a_group_is_told,
    what_is_refused_is_told_again_with_the_same_id,
    a_message_that_nobody_noted_is_told_from_the_log,
}

#[test]
fn a_wrong_option_is_refused_by_name() {
    let check = |flags: &[&str]| {
        let line = ["adda", "serve", "--dev"].iter().chain(flags);
        let adda::config::Command::Serve(args) =
            adda::config::Cli::try_parse_from(line).unwrap().command
        else {
            panic!()
        };
        Config::check(&args, |_| None).err().map(|refused| refused.to_string())
    };
    let flag = |name: &str, why: &str| Some(format!("{name}: {why}"));
    assert_eq!(check(&[]), None);
    assert_eq!(
        check(&["--webhook-url", "ftp://x", "--webhook-secret", SECRET]),
        flag("--webhook-url (ADDA_WEBHOOK_URL)", "write https://HOST/PATH")
    );
    let why = "whsec_ and base64 of 24 to 64 bytes, or 24 to 64 characters";
    let wrong = flag("--webhook-secret (ADDA_WEBHOOK_SECRET)", why);
    assert_eq!(check(&["--webhook-url", "https://x/"]), wrong);
    assert_eq!(check(&["--webhook-url", "https://x/", "--webhook-secret", "short"]), wrong);
}
