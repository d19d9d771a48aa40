//! Connections and origins.

use super::*;

#[tokio::test]
async fn a_page_of_an_origin_that_is_not_allowed_is_refused() {
    let secret = ["--jwt-secret", "0123456789abcdef0123456789abcdef"];
    let origin = ["--cors-origin", "https://app.example"];
    let server = Server::start(&[&secret[..], &origin[..]].concat()).await;
    let preflight = |from: &str| {
        client(false)
            .request(reqwest::Method::OPTIONS, server.url("/adda.v1.ChatService/GetChat"))
            .header("origin", from)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,x-grpc-web")
    };
    let call = |from: &str| server.call(true, "GetChat", framed(&[])).header("origin", from);
    let cors = |response: &Response| {
        response.headers().keys().filter(|key| key.as_str().starts_with("access-control")).count()
    };
    let evil =
        ["https://evil.example", "https://app.example.evil.example", "null", "http://app.example"];
    for from in evil.into_iter().chain(["http://localhost:5173"]) {
        for request in [preflight(from), call(from)] {
            let response = request.send().await.unwrap();
            assert_eq!((response.status().as_u16(), cors(&response)), (403, 0), "{from}");
        }
    }
    let response = preflight("https://app.example").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(response.headers()["access-control-allow-headers"], "authorization,x-grpc-web");
    let response = call("https://app.example").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
    for header in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        assert!(exposed.contains(header), "{exposed}");
    }
    let same = call(&server.url("")).send().await.unwrap();
    assert_eq!(same.status(), 200, "a page of the server itself");

    let dev = Server::dev().await;
    let token = |from: &str| {
        let body = json!({"user": "alice"});
        client(false).post(dev.url("/dev/token")).header("origin", from).json(&body).send()
    };
    assert_eq!(token("http://localhost:5173").await.unwrap().status(), 200);
    assert_eq!(token("https://evil.example").await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_connection_is_told_its_bounds() {
    let server = Server::dev().await;
    let mut stream = TcpStream::connect(server.running.addr).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "SETTINGS come first");
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let setting = |id: u8| {
        let found = settings.chunks(6).find(|pair| pair[1] == id).expect("is set");
        u32::from_be_bytes(found[2..6].try_into().unwrap())
    };
    assert_eq!(setting(3), 32, "streams");
    assert_eq!(setting(6), 16 * 1024, "header list");
}

#[tokio::test]
async fn connections_over_the_bound_are_closed_and_others_go_on() {
    let server = Server::start(&["--dev", "--max-connections-per-address", "2"]).await;
    let one = TcpStream::connect(server.running.addr).await.unwrap();
    let _two = TcpStream::connect(server.running.addr).await.unwrap();
    let mut three = TcpStream::connect(server.running.addr).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(5), three.read(&mut [0; 1])).await;
    assert!(matches!(closed.unwrap(), Ok(0) | Err(_)));
    drop(one);
    tokio::time::timeout(Duration::from_secs(5), async {
        while client(false).get(server.url("/healthz")).send().await.is_err() {}
    })
    .await
    .expect("a place is free again");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_closed() {
    let server = Server::dev().await;
    let all = [&b""[..], b"PRI", b"POST /dev/token HTTP/1.1\r\n"].map(async |said| {
        let mut stream = TcpStream::connect(server.running.addr).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut rest));
        assert!(closed.await.is_ok(), "after {said:?}");
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn a_server_stops_after_its_calls_or_after_the_drain_time() {
    let mut server = Server::start(&["--dev", "--drain-timeout", "300ms"]).await;
    let token = server.token().await;
    let open = |web| server.call(web, "Subscribe", framed(&[])).bearer_auth(&token).send();
    let (mut native, mut web) = (open(false).await.unwrap(), open(true).await.unwrap());
    assert_eq!(native.chunk().await.unwrap().unwrap(), framed(&HEARTBEAT));
    assert_eq!(web.chunk().await.unwrap().unwrap(), framed(&HEARTBEAT));

    server.stop.cancel();
    let addr = server.running.addr;
    tokio::time::timeout(Duration::from_secs(5), server.running.stopped()).await.unwrap();
    assert!(native.chunk().await.is_err(), "cut, not ended well");
    assert!(web.chunk().await.is_err());
    assert!(TcpStream::connect(addr).await.is_err());

    let mut idle = Server::dev().await;
    client(true).get(idle.url("/healthz")).send().await.unwrap();
    idle.stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(5), idle.running.stopped()).await;
    assert!(stopped.is_ok(), "no stream is open, so nothing to wait for");
}

#[tokio::test]
async fn a_killed_server_is_gone_at_once() {
    let mut server = Server::dev().await;
    let token = server.token().await;
    let open = server.call(false, "Subscribe", framed(&[])).bearer_auth(&token).send();
    let mut stream = open.await.unwrap();
    stream.chunk().await.unwrap().unwrap();
    server.running.kill();
    assert!(stream.chunk().await.is_err());
    tokio::time::timeout(Duration::from_secs(5), server.running.stopped()).await.unwrap();
}

#[tokio::test]
async fn tls_speaks_both_versions() {
    let (cert, key) =
        ("tests/it/keys/test-only-tls.cert.pem", "tests/it/keys/test-only-tls.key.pem");
    let server = Server::start(&["--dev", "--tls-cert", cert, "--tls-key", key]).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(&std::fs::read(cert).unwrap()).unwrap();
    let url = format!("https://localhost:{}/healthz", server.running.addr.port());
    for (builder, version) in [
        (Client::builder(), reqwest::Version::HTTP_2),
        (Client::builder().http1_only(), reqwest::Version::HTTP_11),
    ] {
        let client = builder.no_proxy().tls_certs_only([root.clone()]).build().unwrap();
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
}
