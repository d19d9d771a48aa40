//! Calls: over gRPC and gRPC-Web alike, and a little plain HTTP.

use super::*;

#[tokio::test]
async fn a_caller_is_known_on_either_wire() {
    let server = Server::dev().await;
    let token = server.token().await;
    for web in [false, true] {
        let call = server.call(web, "GetChat", framed(&[])).bearer_auth(&token);
        let got: proto::GetChatResponse = message(call.send().await.unwrap()).await;
        assert_eq!(got.chat.unwrap().chat_id, "alice");
    }
}

#[tokio::test]
async fn without_a_token_nothing_goes() {
    let server = Server::dev().await;
    let token = server.token().await;
    for web in [false, true] {
        let call = || server.call(web, "SendMessage", framed(&[]));
        let missing = (Code::Unauthenticated, "TOKEN_MISSING".to_owned());
        let invalid = (Code::Unauthenticated, "TOKEN_INVALID".to_owned());
        assert_eq!(refusal(call()).await, missing);
        assert_eq!(refusal(call().header("authorization", &token)).await, missing);
        assert_eq!(refusal(call().header("authorization", "Bearer ")).await, missing);
        assert_eq!(refusal(call().header("authorization", "Basic YTpi")).await, missing);
        assert_eq!(refusal(call().bearer_auth("a.b.c")).await, invalid);
        assert_eq!(refusal(call().bearer_auth(&token).bearer_auth(&token)).await, invalid);
        let unknown = server.raw(web, "/adda.v1.Nothing/Here", framed(&[]));
        assert_eq!(refusal(unknown).await, missing, "a stranger learns nothing");
    }
}

#[tokio::test]
async fn what_tonic_refuses_has_a_reason() {
    let server = Server::dev().await;
    let token = server.token().await;
    let two_gb = [&[0][..], &0x7fff_ffff_u32.to_be_bytes()].concat();
    let not_text = proto::GetChatRequest { chat_id: "12".to_owned() }.encode_to_vec();
    let not_text = [&not_text[..2], &[0xff, 0xfe]].concat();
    for web in [false, true] {
        let call = |method, body| refusal(server.call(web, method, body).bearer_auth(&token));
        let large = (Code::ResourceExhausted, "TOO_LARGE".to_owned());
        let wrong = (Code::InvalidArgument, "FIELD_INVALID".to_owned());
        let unknown = (Code::Unimplemented, "UNKNOWN_COMMAND".to_owned());
        let late = (Code::DeadlineExceeded, "TIMED_OUT".to_owned());
        assert_eq!(call("SendMessage", framed(&vec![0; 65_537])).await, large);
        assert_eq!(call("CreateChat", framed(&vec![0; 1_048_577])).await, large);
        assert_eq!(call("SendMessage", two_gb.clone()).await, large);
        assert_eq!(call("GetChat", framed(&not_text)).await, wrong);
        assert_eq!(call("GetChat", framed(&[0xff; 9])).await, wrong);
        assert_eq!(call("GetChat", vec![]).await, wrong);
        assert_eq!(call("GetChat", vec![1, 0, 0, 0, 0]).await, wrong, "says it is compressed");
        assert_eq!(call("NoSuchCall", framed(&[])).await, unknown);
        let slow = server.call(web, "ListChats", framed(&[])).header("grpc-timeout", "50m");
        assert_eq!(refusal(slow.bearer_auth(&token)).await, late);
        let other = server.raw(web, "/adda.v1.Nothing/Here", framed(&[]));
        assert_eq!(refusal(other.bearer_auth(&token)).await, unknown);

        let request = proto::CreateChatRequest {
            member_ids: (0..10_000).map(|n| format!("{n:064}")).collect(),
            ..Default::default()
        };
        let call = server.call(web, "CreateChat", framed(&request.encode_to_vec()));
        let _: proto::CreateChatResponse =
            message(call.bearer_auth(&token).send().await.unwrap()).await;
    }
}

#[tokio::test]
async fn health_follows_readiness() {
    let server = Server::dev().await;
    let ready = async || {
        let answer = client(false).get(server.url("/readyz")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // HealthCheckRequest.service and HealthCheckResponse.status are field 1.
    let serving = async |service: &str| {
        let body = if service.is_empty() {
            vec![]
        } else {
            [&[10, u8::try_from(service.len()).unwrap()], service.as_bytes()].concat()
        };
        let call = server.raw(false, "/grpc.health.v1.Health/Check", framed(&body));
        let answer = call.send().await.unwrap().bytes().await.unwrap();
        answer[5..7] == [8, 1]
    };
    let all = async || {
        let mut all = Vec::new();
        for service in ["", "adda.v1.ChatService", "adda.store", "adda.bus"] {
            all.push(serving(service).await);
        }
        all
    };
    for (readiness, status, text, health) in [
        (Readiness::READY, 200, "ready", [true, true, true, true]),
        (
            Readiness { bus: false, ..Readiness::READY },
            200,
            "degraded: bus",
            [true, true, true, false],
        ),
        (
            Readiness { store: false, ..Readiness::READY },
            503,
            "away: store",
            [false, false, false, true],
        ),
        (
            Readiness { draining: true, ..Readiness::READY },
            503,
            "draining",
            [false, false, true, true],
        ),
    ] {
        server.readiness.send_replace(readiness);
        assert_eq!(ready().await, (status, format!("{text}\n")));
        // Health hears of it by a task of its own.
        tokio::time::timeout(Duration::from_secs(10), async {
            while all().await != health {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("health follows");
    }
    let alive = client(false).get(server.url("/healthz")).send().await.unwrap();
    assert_eq!(alive.status(), 200);
    let home = client(true).get(server.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(home.contains("grpcurl"));
    assert_eq!(client(false).get(server.url("/none")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn signing_in_by_name_is_for_development_alone() {
    let server = Server::start(&["--jwt-secret", "0123456789abcdef0123456789abcdef"]).await;
    let body = json!({"user": "alice"});
    let answer = client(false).post(server.url("/dev/token")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let answer = server.raw(false, reflection, framed(&[])).send().await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "12", "no reflection unless asked for");
    // The secret that everybody knows opens nothing here.
    let clock = SystemClock;
    let signer = adda::auth::Signer::new(DEV_SECRET.into(), None, None);
    let user = adda::model::UserId::new("alice");
    let (token, _) = signer.sign(&user, None, Duration::from_secs(60), &clock);
    let call = server.call(false, "GetChat", framed(&[])).bearer_auth(token);
    assert_eq!(refusal(call).await.1, "TOKEN_INVALID");

    let dev = Server::dev().await;
    for body in ["", "{}", "{\"user\":\"a b\"}", &format!("{{\"user\":\"{}\"}}", "x".repeat(5000))]
    {
        let post = client(false).post(dev.url("/dev/token"));
        let answer = post.header("content-type", "application/json").body(body.to_owned());
        assert_eq!(answer.send().await.unwrap().status(), 400);
    }
}
