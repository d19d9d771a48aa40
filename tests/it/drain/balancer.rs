//! What stands before the nodes of a deployment, at its simplest: a connection goes to the next
//! node that says it is ready, and stays there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// How often each node is asked whether it is ready.
const ASKED_EVERY: Duration = Duration::from_millis(200);

/// One address for several nodes.
pub(crate) struct Balancer {
    addr: SocketAddr,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Balancer {
    /// Before these.
    pub(crate) async fn before(nodes: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let ready = Arc::new(Mutex::new(nodes.to_vec()));
        let asks = tokio::spawn(ask(nodes.to_vec(), Arc::clone(&ready)));
        let carries = tokio::spawn(carry(listener, ready));
        Self { addr, _tasks: [asks, carries].map(AbortOnDropHandle::new) }
    }

    /// Where clients come to.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

async fn ask(nodes: Vec<SocketAddr>, ready: Arc<Mutex<Vec<SocketAddr>>>) {
    loop {
        let mut now = Vec::new();
        for node in &nodes {
            let answer = tokio::time::timeout(Duration::from_secs(1), is_ready(*node)).await;
            if matches!(answer, Ok(Ok(true))) {
                now.push(*node);
            }
        }
        *ready.lock() = now;
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

async fn is_ready(node: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(node).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

async fn carry(listener: TcpListener, ready: Arc<Mutex<Vec<SocketAddr>>>) {
    let mut turn = 0;
    while let Ok((mut client, _)) = listener.accept().await {
        turn += 1;
        let nodes = ready.lock().clone();
        tokio::spawn(async move {
            for at in 0..nodes.len() {
                let node = nodes[(turn + at) % nodes.len()];
                if let Ok(mut node) = TcpStream::connect(node).await {
                    // Either may end as it likes.
                    drop(client.set_nodelay(true).and(node.set_nodelay(true)));
                    drop(tokio::io::copy_bidirectional(&mut client, &mut node).await);
                    return;
                }
            }
        });
    }
}
