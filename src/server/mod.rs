//! One port for everything: gRPC, gRPC-Web, and a little plain HTTP.
//!
//! [`bind`] takes the port, [`Bound::serve`] begins to take connections, and the token given to
//! it ends that: no new connection, then the open ones have the drain time, then they are cut.
//! Who stops a server ends its streams first, since an open stream keeps its connection.
//!
//! On its way in a request passes: the connection's bounds (`accept`), the gate for browsers
//! (`origin`), the choice between plain HTTP (`http_routes`, `files`, `page`) and gRPC, gRPC-Web,
//! the [edge](crate::rpc::edge), the [token](crate::auth), the service.
//!
//! Operators may have a port of their own (`admin`).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{StatusCode, Version};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, ServiceExt};

use address::Addresses;

use crate::auth::{AuthLayer, Signer, Verifier};
use crate::chat::Service;
use crate::clock::Clock;
use crate::config::Config;
use crate::rpc::EdgeLayer;
use crate::rpc::codec::MAX_REQUEST;
use crate::rpc::generated::admin_service_server::{AdminService, AdminServiceServer};
use crate::rpc::generated::attachment_service_server::{
    AttachmentService, AttachmentServiceServer,
};
use crate::rpc::generated::chat_service_server::{ChatService, ChatServiceServer};
use crate::rpc::generated::notification_service_server::{
    NotificationService, NotificationServiceServer,
};
use crate::rpc::generated::user_service_server::{UserService, UserServiceServer};
use crate::vital::Vital;

mod accept;
mod address;
mod admin;
mod drain;
mod files;
mod health;
mod http_routes;
mod node;
mod origin;
mod page;

/// How often addresses that have been quiet are forgotten.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

pub use health::Readiness;
pub use node::{Node, StartError};

/// What the edge of a server needs from inside.
pub struct Edge {
    /// Whose tokens are good.
    pub verifier: Arc<Verifier>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Whether the node is fit to serve, for `/readyz` and `grpc.health.v1`.
    pub readiness: watch::Receiver<Readiness>,
    /// Where its own tasks belong.
    pub vital: Vital,
    /// Whose files go in and out by plain HTTP; `None`: there are none.
    pub files: Option<Arc<Service>>,
}

/// A port that is ours; connections wait in the system's queue.
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

/// A server that takes connections.
pub struct Running {
    /// Where. The port is the real one, also where 0 was asked for.
    pub addr: SocketAddr,
    task: JoinHandle<()>,
    cut: CancellationToken,
}

/// Connections that wait to be taken, where the system allows as many: thousands may come at once.
const CONNECTIONS_WAITING: u32 = 4_096;

/// Takes the port.
pub fn bind(addr: SocketAddr) -> std::io::Result<Bound> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else a server that is started anew finds its port taken for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    let listener = socket.listen(CONNECTIONS_WAITING)?;
    let addr = listener.local_addr()?;
    Ok(Bound { listener, addr })
}

/// The chat service alone, as it is to be mounted.
pub fn routes<C: ChatService>(chat: Arc<C>) -> Routes {
    Routes::new(ChatServiceServer::from_arc(chat).max_decoding_message_size(MAX_REQUEST))
}

/// All services.
pub fn all_routes<D>(door: &Arc<D>) -> Routes
where
    D: ChatService + UserService + AttachmentService + NotificationService + AdminService,
{
    let own = || Arc::clone(door);
    routes(own())
        .add_service(UserServiceServer::from_arc(own()).max_decoding_message_size(MAX_REQUEST))
        .add_service(
            AttachmentServiceServer::from_arc(own()).max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            NotificationServiceServer::from_arc(own()).max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(AdminServiceServer::from_arc(own()).max_decoding_message_size(MAX_REQUEST))
}

impl Bound {
    /// Where; the port is the real one.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Begins to take connections, until `stop`.
    pub fn serve(
        self,
        config: &Config,
        edge: Edge,
        routes: Routes,
        stop: CancellationToken,
    ) -> Running {
        let cut = CancellationToken::new();
        let vital = edge.vital.clone();
        let acceptor = accept::Acceptor {
            listener: self.listener,
            tls: config.tls.as_ref().map(|tls| Arc::clone(&tls.0).into()),
            app: app(config, edge, routes),
            limits: config.connections,
            proxies: config.proxies.clone(),
            counted: true,
            drain: config.times.drain_timeout,
            stop,
            cut: cut.clone(),
        };
        Running { addr: self.addr, task: vital.spawn("accept loop", acceptor.run()), cut }
    }
}

impl Running {
    /// Waits until it has stopped: after `stop`, at most the drain time.
    pub async fn stopped(&mut self) {
        // It fails only by a panic, which has been told.
        let _ = (&mut self.task).await;
    }

    /// Cuts everything at once, as a crash would.
    pub fn kill(&self) {
        self.cut.cancel();
    }
}

/// All that answers on the port.
fn app(config: &Config, edge: Edge, routes: Routes) -> Router {
    let Edge { verifier, clock, readiness, vital, files } = edge;
    let mut routes = routes.add_service(health::service(readiness.clone(), &vital));
    if config.reflection {
        routes = health::with_reflection(routes);
    }
    let grpc = ServiceBuilder::new()
        .layer(GrpcWebLayer::new())
        .layer(EdgeLayer::new(Arc::clone(&clock)))
        .layer(AuthLayer::new(verifier))
        .service(routes.prepare());
    let page = config.page.clone();
    let fallback = move |request: Request| {
        let (grpc, page) = (grpc.clone(), page.clone());
        async move {
            if !is_grpc(&request) {
                return match page {
                    Some(page) => page::answer(&page, &request),
                    None => (StatusCode::NOT_FOUND, "nothing here\n").into_response(),
                };
            }
            let request = match request.version() {
                Version::HTTP_2 => request,
                _ => request.map(|body| Body::new(drain::Drained::new(body, drain::CALL))),
            };
            match grpc.oneshot(request).await {
                Ok(response) => response.into_response(),
                Err(never) => match never {},
            }
        }
    };
    let signer = if config.dev { Signer::of(&config.tokens) } else { None };
    let mut app = http_routes::router(readiness, signer, clock);
    if config.page.is_none() {
        app = app.merge(http_routes::hello());
    }
    if let Some(service) = files {
        app = app.merge(files::router(service));
    }
    let app = app.fallback(fallback);
    let addresses = Arc::new(Addresses::new(config));
    vital.spawn("addresses", sweep(Arc::clone(&addresses)));
    origin::guard(app.layer(from_fn_with_state(addresses, address::bounded)), config)
}

/// Forgets addresses that have been quiet, now and then.
async fn sweep(addresses: Arc<Addresses>) {
    let mut again = tokio::time::interval(SWEEP_EVERY);
    loop {
        again.tick().await;
        addresses.sweep();
    }
}

fn is_grpc(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
