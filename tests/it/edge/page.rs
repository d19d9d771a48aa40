//! The web page: what a browser gets, what it may keep, and that there is nothing else to get.

use std::fs;
use std::path::Path;

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::*;

/// A page of a few files, and a secret beside it.
fn built(folder: &Path) {
    fs::create_dir_all(folder.join("page/assets")).unwrap();
    for (name, text) in [
        ("secret.txt", "not for you"),
        ("page/index.html", "<!doctype html><title>adda</title>"),
        ("page/icon.svg", "<svg/>"),
        ("page/.hidden", "not for you"),
        ("page/assets/main-1a2b.js", "let plain;"),
        ("page/assets/main-1a2b.js.br", "BROTLI"),
        ("page/assets/main-1a2b.js.gz", "GZIP"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    std::os::unix::fs::symlink(folder, folder.join("page/up")).unwrap();
}

async fn with_a_page() -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    built(dir.path());
    let page = dir.path().join("page");
    (Server::start(&["--dev", "--page", page.to_str().unwrap()]).await, dir)
}

fn of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_page_comes_with_what_a_browser_needs_to_be_safe() {
    let (server, _dir) = with_a_page().await;
    for path in ["/", "/index.html", "/?server=x"] {
        let answer = client(false).get(server.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let headers = answer.headers().clone();
        assert_eq!(of(&headers, "content-type"), "text/html; charset=utf-8");
        assert_eq!(of(&headers, "cache-control"), "no-cache");
        assert_eq!(of(&headers, "x-content-type-options"), "nosniff");
        assert_eq!(of(&headers, "referrer-policy"), "no-referrer");
        let policy = of(&headers, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.text().await.unwrap(), "<!doctype html><title>adda</title>");
    }
    let icon = client(true).get(server.url("/icon.svg")).send().await.unwrap();
    assert_eq!(of(icon.headers(), "content-type"), "image/svg+xml", "over HTTP/2, too");
}

#[tokio::test]
async fn what_has_a_hash_is_kept_and_comes_as_small_as_the_browser_takes() {
    let (server, _dir) = with_a_page().await;
    let url = server.url("/assets/main-1a2b.js");
    for (takes, encoding, text) in [
        ("gzip, deflate, br, zstd", "br", "BROTLI"),
        ("gzip", "gzip", "GZIP"),
        ("br;q=0, gzip;q=0.5", "gzip", "GZIP"),
        ("identity", "", "let plain;"),
    ] {
        let answer = client(false).get(&url).header("accept-encoding", takes).send().await.unwrap();
        let headers = answer.headers().clone();
        assert_eq!(of(&headers, "content-encoding"), encoding, "{takes}");
        assert_eq!(of(&headers, "vary"), "accept-encoding");
        assert_eq!(of(&headers, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(of(&headers, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(answer.text().await.unwrap(), text);
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let (server, _dir) = with_a_page().await;
    let first = client(false).get(server.url("/")).send().await.unwrap();
    let tag = of(first.headers(), "etag").to_owned();
    let again = |tag: &str| client(false).get(server.url("/")).header("if-none-match", tag).send();
    let same = again(&tag).await.unwrap();
    assert_eq!((same.status().as_u16(), of(same.headers(), "etag")), (304, &*tag));
    assert_eq!(same.text().await.unwrap(), "");
    assert_eq!(again("W/\"another\"").await.unwrap().status(), 200);
}

#[tokio::test]
async fn head_tells_the_same_without_the_file_and_nothing_is_written() {
    let (server, _dir) = with_a_page().await;
    let head = client(false).head(server.url("/")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), of(head.headers(), "content-length")), (200, "34"));
    assert_eq!(head.text().await.unwrap(), "");
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = client(false).request(method, server.url("/")).body("x").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), of(answer.headers(), "allow")), (405, "GET, HEAD"));
    }
}

/// Sent as they are: a client library would tidy them up.
#[tokio::test]
async fn no_path_leads_out_of_the_page() {
    let (server, _dir) = with_a_page().await;
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/up/secret.txt",
        "/.hidden",
        "//secret.txt",
        "/assets",
        "/assets/",
        "/assets/main-1a2b.js.br",
        "/index.html/",
        "/index.html%00.js",
        "/no-such-file",
    ] {
        let mut stream = TcpStream::connect(server.running.addr).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(!answer.contains("not for you"), "{path}");
    }
}

#[tokio::test]
async fn calls_and_other_paths_go_on_beside_the_page() {
    let (server, _dir) = with_a_page().await;
    let token = server.token().await;
    let call = server.call(true, "GetChat", framed(&[])).bearer_auth(&token);
    let got: proto::GetChatResponse = message(call.send().await.unwrap()).await;
    assert_eq!(got.chat.unwrap().chat_id, "alice");
    assert_eq!(client(false).get(server.url("/readyz")).send().await.unwrap().status(), 200);
    let foreign = client(false).get(server.url("/")).header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn without_a_page_it_says_how_to_have_one() {
    let server = Server::dev().await;
    let answer = client(false).get(server.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("make run"));
}
