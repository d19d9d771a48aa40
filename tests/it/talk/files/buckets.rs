//! Attachments in buckets: the real program with S3 (moto) and with Azure (Azurite).

use image::ImageFormat;
use reqwest::Method;

use super::{Files, pdf, picture};
use crate::infra::adda::Adda;
use crate::infra::buckets::Bucket;
use crate::world::{Refusal, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_files() {
    if let Some(bucket) = Bucket::s3().await {
        keeps_files(&bucket).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_keeps_files() {
    if let Some(bucket) = Bucket::azure().await {
        keeps_files(&bucket).await;
    }
}

async fn keeps_files(bucket: &Bucket) {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let flags = ["--attachments", bucket.url];
    let server = Adda::start_in(&bucket.variables, &store, "memory:", &flags).await;
    let mut files = Files::at(server.addr(), "alice").await;

    // Over several pieces, with a range over two of them.
    let bytes = pdf(2_500_000);
    let id = files.upload("a.pdf", &bytes).await.unwrap().attachment_id;
    let url = files.ask(&id, "").await.unwrap().url;
    assert!(files.bytes(&url).await == bytes);
    let part = files.http(Method::GET, &url).header("range", "bytes=1000000-1100000");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert!(part.bytes().await.unwrap() == bytes[1_000_000..=1_100_000]);

    // In parts, and with a preview.
    let large = pdf(super::PART + 1000);
    let opened = files.create("large.pdf", large.len()).await;
    for (first, last) in [(0, super::PART - 1), (super::PART, large.len() - 1)] {
        let range = format!("bytes {first}-{last}/{}", large.len());
        let put = files.http(Method::PUT, &opened.upload_url).header("content-range", range);
        let put = put.body(large[first..=last].to_vec()).send().await.unwrap();
        assert!(put.status().is_success(), "{}", put.status());
    }
    let got = files.ask(&opened.attachment_id, "").await.unwrap();
    assert!(files.bytes(&got.url).await == large);
    let seen = files.upload("a.png", &picture(ImageFormat::Png)).await.unwrap().attachment_id;
    let seen = eventually("a preview", async || {
        let seen = files.ask(&seen, "").await.unwrap();
        (!seen.thumbnail_url.is_empty()).then_some(seen)
    })
    .await;
    assert_eq!(files.get(&seen.thumbnail_url).await.status(), 200);

    // Refused after pieces were written.
    let mut lie = vec![b'a'; 3_000_000];
    lie.push(0);
    let refused = Refusal::from(files.upload("a.txt", &lie).await);
    assert_eq!(refused.reason, "ATTACHMENT_TYPE_REFUSED");
    assert!(!server.log().contains("is taken away later"), "{}", server.log());
}
