//! A real HAProxy, with the file that deployments run.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::process::{Process, folder, free_port, on_path, until};

/// One, before two nodes.
#[derive(Debug)]
pub(crate) struct HaProxy {
    addr: SocketAddr,
    figures: SocketAddr,
    _process: Process,
}

impl HaProxy {
    /// Before these nodes, letting streams be silent for so long; `None`, said aloud, without a
    /// haproxy.
    pub(crate) async fn before(nodes: [SocketAddr; 2], silence: &str) -> Option<Self> {
        let Some(program) = on_path("haproxy") else {
            super::skipped("no haproxy");
            return None;
        };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/haproxy.cfg");
        let [addr, figures] = [0; 2].map(|_: u8| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let line = [
            format!("ADDA_PROXY_LISTEN={addr}"),
            format!("ADDA_PROXY_METRICS={figures}"),
            format!("ADDA_PROXY_SILENCE={silence}"),
            format!("ADDA_NODE_1={}", nodes[0]),
            format!("ADDA_NODE_2={}", nodes[1]),
            program.display().to_string(),
            "-db".to_owned(),
            "-f".to_owned(),
            file.display().to_string(),
        ];
        let log = folder(&format!("haproxy-{}", addr.port())).join("log");
        let process = Process::start(Path::new("env"), &line, &log);
        let up = async || TcpStream::connect(addr).await.is_ok();
        assert!(until(up).await, "haproxy did not come up; see {}", log.display());
        Some(Self { addr, figures, _process: process })
    }

    /// Where clients come to.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// To how many nodes it sends streams, by its own figures.
    pub(crate) async fn nodes(&self) -> usize {
        let figures = self.figures().await.expect("haproxy shows its figures");
        let up = |line: &&str| {
            line.starts_with("haproxy_server_status{proxy=\"streams\"")
                && line.ends_with("state=\"UP\"} 1")
        };
        figures.lines().filter(up).count()
    }

    async fn figures(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.figures).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
