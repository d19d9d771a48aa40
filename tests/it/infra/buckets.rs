//! What speaks as S3 and as Azure do: moto and Azurite, one of each test's own, with one bucket.
//!
//! `scripts/tools.sh` fetches them into `.tools`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::process::{Process, folder, free_port, on_path, until};

/// What Azurite's own documentation says the account and the key of everyone are.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server with a bucket called `adda`.
pub(crate) struct Bucket {
    /// For `--attachments`.
    pub(crate) url: &'static str,
    /// What a program needs to reach it: `NAME=VALUE`.
    pub(crate) variables: Vec<String>,
    port: u16,
    log: PathBuf,
    _process: Process,
}

impl Bucket {
    /// S3, by moto.
    pub(crate) async fn s3() -> Option<Self> {
        let program = tool("moto/bin/moto_server");
        let Some(program) = program else {
            super::skipped("no moto");
            return None;
        };
        let port = free_port();
        let args = ["-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
        let variables = [
            format!("AWS_ENDPOINT=http://127.0.0.1:{port}"),
            "AWS_ALLOW_HTTP=true".to_owned(),
            "AWS_ACCESS_KEY_ID=test".to_owned(),
            "AWS_SECRET_ACCESS_KEY=test".to_owned(),
            "AWS_REGION=us-east-1".to_owned(),
        ];
        let bucket = Self::start("s3://adda/files", &program, &args, port, variables.to_vec());
        bucket.ready(|request| request).await;
        Some(bucket)
    }

    /// Azure, by Azurite.
    pub(crate) async fn azure() -> Option<Self> {
        let script = tool("azurite/node_modules/.bin/azurite-blob");
        let (Some(node), Some(script)) = (on_path("node"), script) else {
            super::skipped("no azurite");
            return None;
        };
        let port = free_port();
        let data = folder(&format!("azurite-{port}"));
        let script = script.canonicalize().unwrap();
        let args = [
            script.to_str().unwrap(),
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            &port.to_string(),
            "--location",
            data.to_str().unwrap(),
            "--skipApiVersionCheck",
            "--disableTelemetry",
        ]
        .map(str::to_owned);
        let variables = [
            "AZURE_STORAGE_USE_EMULATOR=true".to_owned(),
            format!("AZURITE_BLOB_STORAGE_URL=http://127.0.0.1:{port}"),
            format!("AZURE_STORAGE_ACCOUNT_NAME={ACCOUNT}"),
            format!("AZURE_STORAGE_ACCOUNT_KEY={KEY}"),
        ];
        let bucket = Self::start("az://adda/files", &node, &args, port, variables.to_vec());
        bucket.ready(signed).await;
        Some(bucket)
    }

    fn start(
        url: &'static str,
        program: &Path,
        args: &[String],
        port: u16,
        variables: Vec<String>,
    ) -> Self {
        let log = folder(&format!("bucket-{port}")).join("log");
        let process = Process::start(program, args, &log);
        Self { url, variables, port, log, _process: process }
    }

    /// Makes the bucket, once there is a server.
    async fn ready(&self, sign: impl Fn(reqwest::RequestBuilder) -> reqwest::RequestBuilder) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let azure = self.url.starts_with("az");
        let path = if azure { format!("{ACCOUNT}/adda?restype=container") } else { "adda".into() };
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let made = async || {
            let request = sign(http.put(&url).header("content-length", 0));
            request.send().await.is_ok_and(|answer| answer.status().is_success())
        };
        assert!(until(made).await, "no bucket; see {}", self.log.display());
    }
}

fn tool(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools").join(path);
    path.is_file().then_some(path)
}

/// As Azure wants the making of a container signed: Shared Key, version 2021-08-06.
fn signed(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = format!("x-ms-date:{date}\nx-ms-version:2021-08-06");
    let resource = format!("/{ACCOUNT}/{ACCOUNT}/adda\nrestype:container");
    let text = format!("PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}\n{resource}");
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(text.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    request
        .header("x-ms-date", date)
        .header("x-ms-version", "2021-08-06")
        .header("authorization", format!("SharedKey {ACCOUNT}:{signature}"))
}
