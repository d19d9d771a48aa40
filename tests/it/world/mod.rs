//! Users with devices at real nodes: what the behaviour tests are written in.
//!
//! A world has one store, one bus and any number of nodes in this process, each on a port of its
//! own; users sign in with real tokens and speak through real streams.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use adda::auth::Signer;
use adda::clock::{Clock, SystemClock};
use adda::config::{Cli, Command, Config, DEV_SECRET, Secret};
use adda::model::UserId;
use adda::proto;
use adda::proto::chat_service_client::ChatServiceClient;
use adda::proto::notification_service_client::NotificationServiceClient;
use adda::proto::user_service_client::UserServiceClient;
use adda::server::Node;
use adda::store::Store;
use clap::Parser as _;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

mod live;
mod raw;
mod refusal;
mod web;

pub(crate) use live::{Came, Live, hello, request};
pub(crate) use raw::{AsTheyAre, RawConnect};
pub(crate) use refusal::Refusal;
pub(crate) use web::{Part, Web, WebStream};

/// How long a condition may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Which backends a world is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backends {
    Sqlite,
    MongoRedis,
}

/// Makes a test of each function on each pair of backends, each in a fresh world of one node;
/// `with` gives the node further flags.
#[macro_export]
macro_rules! on_both_backends {
    (with $flags:expr; $($name:ident),* $(,)?) => {
        mod sqlite {
            $($crate::on_backends!(Sqlite, $flags, $name);)*
        }
        mod mongo {
            $($crate::on_backends!(MongoRedis, $flags, $name);)*
        }
    };
    ($($name:ident),* $(,)?) => {
        $crate::on_both_backends! { with &[]; $($name),* }
    };
}

/// One test of [`on_both_backends`].
#[macro_export]
macro_rules! on_backends {
    ($backends:ident, $flags:expr, $name:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let backends = $crate::world::Backends::$backends;
            if let Some(world) = $crate::world::World::with(backends, $flags).await {
                super::$name(world).await;
            }
        }
    };
}

/// A deployment.
pub(crate) struct World {
    nodes: Vec<Option<Node>>,
    addrs: Vec<SocketAddr>,
    pub(crate) store: String,
    pub(crate) bus: String,
    dir: tempfile::TempDir,
}

/// A client of one user at one node.
pub(crate) type Api = ChatServiceClient<InterceptedService<Channel, Bearer>>;

/// The calls about people of one user at one node.
pub(crate) type People = UserServiceClient<InterceptedService<Channel, Bearer>>;

/// The calls about notifications of one user at one node.
pub(crate) type Notifications = NotificationServiceClient<InterceptedService<Channel, Bearer>>;

/// Puts a token on every call.
#[derive(Clone)]
pub(crate) struct Bearer(pub(crate) String);

impl tonic::service::Interceptor for Bearer {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        let value = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

/// A token for a user, good for an hour.
pub(crate) fn token(user: &str) -> String {
    token_for(user, Duration::from_secs(3600))
}

pub(crate) fn token_for(user: &str, ttl: Duration) -> String {
    let name = format!("{}{}", user[..1].to_uppercase(), &user[1..]);
    token_named(user, &name, ttl)
}

/// A token that gives its user this name.
pub(crate) fn token_named(user: &str, name: &str, ttl: Duration) -> String {
    let signer = Signer::new(Secret::new(DEV_SECRET), None, None);
    signer.sign(&UserId::parse(user).unwrap(), Some(name), ttl, &SystemClock).0
}

/// The configuration of a node on these backends; `more` are further flags.
pub(crate) fn config(store: &str, bus: &str, more: &[&str]) -> Config {
    let line = ["adda", "serve", "--dev", "--listen", "127.0.0.1:0"];
    // Tests write faster than people.
    let limited = more.iter().any(|flag| ["--max-messages", "--rate-limits"].contains(flag));
    let limits: &[&str] = if limited { &[] } else { &["--rate-limits", "off"] };
    // Looking for whom to push costs the store something, and most tests are of something else.
    let told = more.iter().any(|flag| flag.starts_with("--push") || flag.starts_with("--fcm"));
    let pushes: &[&str] = if told { &[] } else { &["--push", "off"] };
    let line = line
        .into_iter()
        .chain(limits.iter().copied())
        .chain(pushes.iter().copied())
        .chain(["--store", store, "--bus", bus])
        .chain(more.iter().copied());
    let Command::Serve(args) = Cli::try_parse_from(line).unwrap().command else { panic!() };
    Config::check(&args, |_| None).unwrap()
}

impl World {
    /// A deployment of one node with these flags; `None`: the machine has no such backends.
    pub(crate) async fn with(backends: Backends, flags: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (store, bus) = match backends {
            Backends::Sqlite => {
                let path: PathBuf = dir.path().join("adda.db");
                (format!("sqlite:{}", path.display()), "memory:".to_owned())
            }
            Backends::MongoRedis => {
                (crate::infra::mongo::fresh_uri().await?, crate::infra::redis::fresh_url().await?)
            }
        };
        let mut world = Self { nodes: Vec::new(), addrs: Vec::new(), store, bus, dir };
        world.add_node(flags).await;
        Some(world)
    }

    /// A deployment on a bus of its own.
    pub(crate) async fn on(store: String, bus: String, nodes: usize, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut world = Self { nodes: Vec::new(), addrs: Vec::new(), store, bus, dir };
        for _ in 0..nodes {
            world.add_node(flags).await;
        }
        world
    }

    /// One more node.
    pub(crate) async fn add_node(&mut self, flags: &[&str]) -> usize {
        self.add_node_at(Arc::new(SystemClock), flags).await
    }

    /// The folder of attachments, the same for all nodes.
    pub(crate) fn attachments(&self) -> PathBuf {
        self.dir.path().join("attachments")
    }

    /// One more node, whose time is this clock's.
    pub(crate) async fn add_node_at(&mut self, clock: Arc<dyn Clock>, flags: &[&str]) -> usize {
        let attachments = format!("file:{}", self.attachments().display());
        let mut flags = flags.to_vec();
        if !flags.contains(&"--attachments") {
            flags.extend(["--attachments", &attachments]);
        }
        let config = config(&self.store, &self.bus, &flags);
        let node = Node::start(&config, clock).await.unwrap();
        self.addrs.push(node.addr());
        self.nodes.push(Some(node));
        if self.nodes.len() > 1 {
            self.all_hear().await;
        }
        self.nodes.len() - 1
    }

    /// Waits until all nodes hear the bus, unless it stays away: what one says before another listens
    /// comes late.
    async fn all_hear(&self) {
        let began = tokio::time::Instant::now();
        for (node, addr) in self.nodes.iter().zip(&self.addrs) {
            while node.is_some() && crate::hard::readyz(*addr).await.1 == "degraded: bus" {
                if began.elapsed() > Duration::from_secs(10) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// A node leaves, as on SIGTERM.
    pub(crate) async fn leave(&mut self, node: usize) {
        self.nodes[node].take().unwrap().leave().await.unwrap();
    }

    /// How many nodes there have been.
    pub(crate) fn nodes_made(&self) -> usize {
        self.nodes.len()
    }

    /// What a node keeps its data in: for what no call does yet.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        let node = self.nodes.iter().flatten().next().unwrap();
        Arc::clone(node.store())
    }

    /// Whether nodes share what they know.
    pub(crate) fn has_several_nodes(&self) -> bool {
        self.store.starts_with("mongodb")
    }

    /// Where a node listens.
    pub(crate) fn addr(&self, node: usize) -> SocketAddr {
        self.addrs[node]
    }

    /// The calls of a user at a node.
    pub(crate) async fn api_at(&self, node: usize, user: &str) -> Api {
        api(self.addrs[node], token(user)).await
    }

    /// The calls of a user at the first node.
    pub(crate) async fn api(&self, user: &str) -> Api {
        self.api_at(0, user).await
    }

    /// The calls about people of a user at a node.
    pub(crate) async fn people_at(&self, node: usize, user: &str) -> People {
        people(self.addrs[node], token(user)).await
    }

    /// The calls about people of a user at the first node.
    pub(crate) async fn people(&self, user: &str) -> People {
        self.people_at(0, user).await
    }

    /// The calls about notifications of a user at a node.
    pub(crate) async fn notifications_at(&self, node: usize, user: &str) -> Notifications {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.addrs[node])).unwrap();
        let channel = endpoint.connect().await.unwrap();
        NotificationServiceClient::with_interceptor(channel, Bearer(token(user)))
    }

    /// A stream of a user's device at a node.
    pub(crate) async fn connect_at(&self, node: usize, user: &str, device: &str) -> Live {
        let hello = proto::Hello { device_id: device.to_owned(), ..proto::Hello::default() };
        Live::open(self.api_at(node, user).await, hello).await.unwrap()
    }

    /// A stream of a user's device at the first node, caught up.
    pub(crate) async fn connect(&self, user: &str, device: &str) -> Live {
        self.connect_at(0, user, device).await
    }

    /// A direct chat of two users.
    pub(crate) async fn direct(&self, user: &str, other: &str) -> String {
        let request = proto::CreateChatRequest {
            kind: proto::ChatKind::Direct.into(),
            member_ids: vec![other.to_owned()],
            ..proto::CreateChatRequest::default()
        };
        let answer = self.api(user).await.create_chat(request).await.unwrap().into_inner();
        answer.chat.unwrap().chat_id
    }

    /// A group that `owner` makes with others.
    pub(crate) async fn group(&self, owner: &str, others: &[&str]) -> String {
        let request = proto::CreateChatRequest {
            kind: proto::ChatKind::Group.into(),
            member_ids: others.iter().map(ToString::to_string).collect(),
            title: "Group".to_owned(),
            ..proto::CreateChatRequest::default()
        };
        let answer = self.api(owner).await.create_chat(request).await.unwrap().into_inner();
        answer.chat.unwrap().chat_id
    }
}

/// A client with a token.
pub(crate) async fn api(addr: SocketAddr, token: String) -> Api {
    try_api(addr, token).await.unwrap()
}

/// A client for the calls about people, with a token.
pub(crate) async fn people(addr: SocketAddr, token: String) -> People {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    UserServiceClient::with_interceptor(channel, Bearer(token))
}

/// A client with a token, if anybody listens there.
pub(crate) async fn try_api(
    addr: SocketAddr,
    token: String,
) -> Result<Api, tonic::transport::Error> {
    let channel = Endpoint::from_shared(format!("http://{addr}")).unwrap().connect().await?;
    Ok(ChatServiceClient::with_interceptor(channel, Bearer(token)))
}

/// A send of this text under this id.
pub(crate) fn message(chat: &str, id: &str, text: &str) -> proto::MessageSend {
    proto::MessageSend {
        chat_id: chat.to_owned(),
        client_message_id: id.to_owned(),
        text: text.to_owned(),
        ..proto::MessageSend::default()
    }
}

/// Sends by the unary call.
pub(crate) async fn send(api: &mut Api, chat: &str, id: &str, text: &str) -> proto::SendOutcome {
    let message = Some(message(chat, id, text));
    let answer = api.send_message(proto::SendMessageRequest { message }).await.unwrap();
    answer.into_inner().outcome.unwrap()
}

/// All messages of a chat as a user sees them, by `seq`.
pub(crate) async fn history(api: &mut Api, chat: &str) -> Vec<proto::Message> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let request = proto::ListMessagesRequest {
            chat_id: chat.to_owned(),
            page_size: 200,
            page_token: token,
            anchor: Some(proto::list_messages_request::Anchor::AfterSeq(0)),
        };
        let page = api.list_messages(request).await.unwrap().into_inner();
        all.extend(page.messages);
        token = page.next_page_token;
        if token.is_empty() {
            return all;
        }
    }
}

/// One chat as a user sees it.
pub(crate) async fn chat(api: &mut Api, chat: &str) -> proto::Chat {
    let request = proto::GetChatRequest { chat_id: chat.to_owned() };
    api.get_chat(request).await.unwrap().into_inner().chat.unwrap()
}

/// Waits until a condition holds.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A seq range.
pub(crate) fn run(first: u32, last: u32) -> proto::SeqRange {
    proto::SeqRange { first, last }
}

/// Milliseconds of now, for ids that differ between tests on one store.
pub(crate) fn unique() -> String {
    SystemClock.new_id().to_string()
}
