//! What is harmed: nodes, a replica set, Redis, and the links between them and to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::phone::{Asked, Phone};
use super::plan::Fault;
use super::record::{Harm, Way};
use crate::infra::adda::Adda;
use crate::infra::mongod::ReplicaSet;
use crate::infra::proxy::{Mode, Proxy};
use crate::infra::redis::{self, Redis};

/// On what a field stands, and how its nodes are started.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) nodes: usize,
    pub(crate) nets: usize,
    /// A replica set and Redis; else a file, and memory.
    pub(crate) servers: bool,
    pub(crate) flags: Vec<&'static str>,
    /// `NAME=VALUE`, for nodes alone.
    pub(crate) variables: Vec<String>,
}

/// A deployment.
pub(crate) struct Field {
    nodes: Vec<Adda>,
    /// By net, then by node.
    doors: Vec<Vec<Proxy>>,
    /// By node.
    bus_links: Vec<Proxy>,
    redis: Option<Redis>,
    set: Option<ReplicaSet>,
    /// The member that a fault has, until it is undone.
    harmed: usize,
    files: tempfile::TempDir,
}

impl Field {
    /// All that is wanted, up; `None`: the machine lacks it, as was said.
    pub(crate) async fn start(ground: &Ground) -> Option<Self> {
        let mut field = Self {
            nodes: Vec::new(),
            doors: Vec::new(),
            bus_links: Vec::new(),
            redis: None,
            set: None,
            harmed: 0,
            files: tempfile::tempdir().unwrap(),
        };
        let mut store = format!("sqlite:{}", field.files.path().join("adda.db").display());
        if ground.servers {
            field.redis = Some(redis::own().await?);
            field.set = Some(ReplicaSet::own_behind_links(3).await?);
            store = field.set.as_ref()?.uri();
        }
        for _ in 0..ground.nodes {
            let mut bus = "memory:".to_owned();
            if let Some(redis) = &field.redis {
                let link = Proxy::to(redis.port()).await;
                bus = format!("redis://{}", link.addr());
                field.bus_links.push(link);
            }
            let node = Adda::start_in(&ground.variables, &store, &bus, &ground.flags).await;
            field.nodes.push(node);
        }
        for _ in 0..ground.nets {
            let mut doors = Vec::new();
            for node in &field.nodes {
                doors.push(Proxy::to(node.addr().port()).await);
            }
            field.doors.push(doors);
        }
        Some(field)
    }

    /// A node itself, past all links.
    pub(crate) fn node(&self, node: usize) -> SocketAddr {
        self.nodes[node].addr()
    }

    /// Where a client comes to.
    pub(crate) fn door(&self, way: Way) -> SocketAddr {
        self.doors[way.net][way.node].addr()
    }

    /// What the checker must know of a fault.
    pub(crate) fn marks(fault: Fault) -> Vec<Harm> {
        match fault {
            Fault::KillNode(node) | Fault::EndNode(node) => vec![Harm::NodeGone { node }],
            Fault::HangNode(node) => vec![Harm::NodeHangs { node }, Harm::Disturbed],
            Fault::Door(way, Mode::HalfOpen) => vec![Harm::Silent(way)],
            Fault::Door(_, Mode::Cut) | Fault::Replay(_) | Fault::Leave(_) | Fault::Crash(_) => {
                Vec::new()
            }
            Fault::KillPrimary
            | Fault::HangPrimary
            | Fault::StepDown
            | Fault::StoreLink(_)
            | Fault::KillRedis
            | Fault::FlushRedis
            | Fault::BusLink(..)
            | Fault::Door(..)
            | Fault::NotRead(_) => vec![Harm::Disturbed],
        }
    }

    /// Does it.
    pub(crate) async fn begin(&mut self, fault: Fault, phones: &[Arc<Phone>]) {
        match fault {
            Fault::KillNode(node) => self.nodes[node].kill(),
            Fault::EndNode(node) => self.nodes[node].leave().await,
            Fault::HangNode(node) => self.nodes[node].pause(),
            Fault::KillPrimary | Fault::HangPrimary | Fault::StoreLink(_) | Fault::StepDown => {
                self.harm_primary(fault).await;
            }
            Fault::KillRedis => self.redis().kill(),
            Fault::FlushRedis => self.redis().flush().await,
            Fault::BusLink(node, mode) => self.bus_links[node].set(mode),
            Fault::Door(way, mode) => self.doors[way.net][way.node].set(mode),
            Fault::NotRead(phone) => phones[phone].ask(Asked::NotRead),
            Fault::Leave(phone) => phones[phone].ask(Asked::Leave),
            Fault::Crash(phone) => phones[phone].ask(Asked::Die),
            Fault::Replay(phone) => {
                let node = phone % self.nodes.len();
                super::talk::replay(&phones[phone], self.node(node)).await;
            }
        }
    }

    async fn harm_primary(&mut self, fault: Fault) {
        let set = self.set.as_mut().expect("a fault of what there is");
        self.harmed = set.primary().await;
        match fault {
            Fault::KillPrimary => set.kill(self.harmed),
            Fault::HangPrimary => set.pause(self.harmed),
            Fault::StoreLink(mode) => set.links[self.harmed].set(mode),
            // It may have lost its place just now: then that is done.
            _ => drop(tokio::time::timeout(Duration::from_secs(15), set.try_step_down()).await),
        }
    }

    /// Undoes it.
    pub(crate) async fn end(&mut self, fault: Fault, phones: &[Arc<Phone>]) {
        match fault {
            Fault::KillNode(node) | Fault::EndNode(node) => self.nodes[node].restart().await,
            Fault::HangNode(node) => self.nodes[node].resume(),
            Fault::KillPrimary => {
                let set = self.set.as_mut().expect("a fault of what there is");
                set.restart(self.harmed).await;
                set.primary().await;
            }
            Fault::HangPrimary => self.set.iter().for_each(|set| set.resume(self.harmed)),
            Fault::StoreLink(_) => {
                self.set.iter().for_each(|set| set.links[self.harmed].set(Mode::Pass));
            }
            Fault::StepDown => {
                self.set.as_ref().expect("a fault of what there is").primary().await;
            }
            Fault::KillRedis => self.redis().restart().await,
            Fault::BusLink(node, _) => self.bus_links[node].set(Mode::Pass),
            Fault::Door(way, _) => self.doors[way.net][way.node].set(Mode::Pass),
            Fault::NotRead(phone) | Fault::Leave(phone) | Fault::Crash(phone) => {
                phones[phone].ask(Asked::Here);
            }
            Fault::FlushRedis | Fault::Replay(_) => {}
        }
    }

    fn redis(&self) -> &Redis {
        self.redis.as_ref().expect("a fault of what there is")
    }
}
