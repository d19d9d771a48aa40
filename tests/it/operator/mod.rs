//! What an operator sees of the real program: its metrics, its probes, its traces, its log.

mod docs;
mod metrics;
mod nodes;
mod probes;
mod spans;
mod traced;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use adda::proto;

use crate::infra::adda::Adda;
use crate::infra::process::free_port;
use crate::world::{Api, Backends, Live, api, eventually, hello, token};

/// A server with a port for operators, in a process of its own: its figures are of it alone.
struct Watched {
    server: Adda,
    admin: SocketAddr,
    _dir: Option<tempfile::TempDir>,
}

/// Makes a test of each function on each pair of backends.
macro_rules! on_both_backends {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $($crate::operator::on_backends!(Sqlite, $name);)*
        }
        mod mongo {
            $($crate::operator::on_backends!(MongoRedis, $name);)*
        }
    };
}

/// One test of [`on_both_backends`].
macro_rules! on_backends {
    ($backends:ident, $name:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let backends = $crate::world::Backends::$backends;
            if let Some(watched) = $crate::operator::Watched::start(backends, &[]).await {
                super::$name(watched).await;
            }
        }
    };
}

use {on_backends, on_both_backends};

impl Watched {
    /// `None`: the machine has no such backends.
    async fn start(backends: Backends, flags: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (store, bus) = match backends {
            Backends::Sqlite => {
                let path = dir.path().join("adda.db");
                (format!("sqlite:{}", path.display()), "memory:".to_owned())
            }
            Backends::MongoRedis => {
                (crate::infra::mongo::fresh_uri().await?, crate::infra::redis::fresh_url().await?)
            }
        };
        Some(Self { _dir: Some(dir), ..Self::on(&store, &bus, flags).await })
    }

    /// On these backends.
    async fn on(store: &str, bus: &str, flags: &[&str]) -> Self {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = admin.to_string();
        let flags = [&["--admin-listen", &listen], flags].concat();
        let server = Adda::start(store, bus, &flags).await;
        Self { server, admin, _dir: None }
    }

    async fn api(&self, user: &str) -> Api {
        api(self.server.addr(), token(user)).await
    }

    async fn connect(&self, user: &str, device: &str) -> Live {
        Live::open(self.api(user).await, hello(device)).await.unwrap()
    }

    async fn direct(&self, user: &str, other: &str) -> String {
        let request = proto::CreateChatRequest {
            kind: proto::ChatKind::Direct.into(),
            member_ids: vec![other.to_owned()],
            ..proto::CreateChatRequest::default()
        };
        let answer = self.api(user).await.create_chat(request).await.unwrap().into_inner();
        answer.chat.unwrap().chat_id
    }

    /// What the operator's port answers.
    async fn get(&self, path: &str) -> (u16, String) {
        get(&format!("http://{}{path}", self.admin)).await
    }

    /// All series, by name and labels as they are written.
    async fn scrape(&self) -> Scrape {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Scrape::of(&text)
    }

    /// Waits until a series stands at this.
    async fn reaches(&self, series: &str, value: f64) {
        eventually(&format!("{series} reaches {value}"), async || {
            let is = self.scrape().await.value(series);
            ((is - value).abs() < 1e-9).then_some(())
        })
        .await;
    }

    /// Waits until a series that counts stands higher than at this.
    async fn grows(&self, series: &str, before: u64) {
        eventually(&format!("{series} grows over {before}"), async || {
            (self.scrape().await.count(series) > before).then_some(())
        })
        .await;
    }
}

/// An answer over plain HTTP.
async fn get(url: &str) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// What `/metrics` told.
#[derive(Debug)]
struct Scrape {
    series: BTreeMap<String, f64>,
}

impl Scrape {
    fn of(text: &str) -> Self {
        assert!(text.ends_with("# EOF\n"), "{text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        });
        Self { series: series.collect() }
    }

    /// That of one series; 0 if it was not told.
    fn value(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or(0.0)
    }

    /// The same, of what counts whole things.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is looked at")]
    fn count(&self, series: &str) -> u64 {
        let value = self.value(series);
        assert!(value >= 0.0 && value.fract() == 0.0, "{series}: {value}");
        value as u64
    }
}
