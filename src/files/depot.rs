//! Where the bytes are: a folder, or a bucket.
//!
//! A file is kept in pieces of [`PIECE`] bytes, `ID/BODY/00000` and so on, each an object of its
//! own that is written at once or not at all. So an upload needs the memory of one piece, whatever
//! the backend; a cut one leaves no half-open multipart upload that nobody sees and everybody
//! pays; one that another node began is gone on with; and a range reads what it needs. All that
//! was ever written for a file stands under its id, and goes with it.
//!
//! Errors of the backend are never passed on as they are: they may quote a URL with a signature.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _, RetryConfig};
use uuid::Uuid;

pub use bytes::Bytes;

/// Bytes of a piece: what an upload holds in memory.
pub const PIECE: usize = 1024 * 1024;

/// How long one request to a bucket may take, and how long all its repeats together.
const REQUEST: Duration = Duration::from_secs(20);
const WITH_REPEATS: Duration = Duration::from_secs(30);

/// Where the bytes of attachments are.
#[derive(Clone, Debug)]
pub struct Depot {
    store: Arc<dyn ObjectStore>,
    /// Of a folder: where it is.
    folder: Option<PathBuf>,
}

/// Which of the bytes that belong to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Uuid,
    /// Who wrote them: each attempt has a place of its own.
    pub body: Uuid,
    /// Which part.
    pub part: Part,
}

/// A part of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A piece, by its number from 0.
    Piece(u32),
    /// The smaller picture.
    Thumbnail,
}

impl Place {
    fn path(self) -> Path {
        let Self { file, body, part } = self;
        match part {
            Part::Piece(number) => Path::from(format!("{file}/{body}/{number:05}")),
            Part::Thumbnail => Path::from(format!("{file}/{body}/thumbnail")),
        }
    }
}

/// The depot did not do something: what sort of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    what: &'static str,
    /// Whether it said that there is no such object.
    pub is_absent: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the depot of attachments: {}", self.what)
    }
}

impl std::error::Error for Failure {}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error::{
            Generic, NotFound, NotImplemented, PermissionDenied, Unauthenticated,
        };
        let what = match error {
            NotFound { .. } => "there is no such object",
            PermissionDenied { .. } => "it does not permit this",
            Unauthenticated { .. } => "it does not take the credentials",
            NotImplemented { .. } => "it cannot do this",
            Generic { .. } => "it cannot be reached, or failed",
            _ => "it failed",
        };
        Self { what, is_absent: matches!(error, NotFound { .. }) }
    }
}

/// Why a depot could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of no kind we know.
    #[error(
        "not a place for attachments; use file:PATH, s3://, gs:// or az://BUCKET/PREFIX, or off"
    )]
    Url,
    /// The folder cannot be made or used.
    #[error("the folder of attachments cannot be used: {0}")]
    Folder(std::io::Error),
    /// The settings of the bucket, from its own environment names, do not do.
    #[error("the bucket of attachments cannot be used: {0}")]
    Bucket(Failure),
}

impl Depot {
    /// Opens what a URL names: `file:PATH`, or `s3://`, `gs://`, `az://` with a bucket and a
    /// prefix, whose secrets are in the environment under the names that each has.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        if let Some(path) = url.strip_prefix("file:") {
            return Self::in_folder(PathBuf::from(path));
        }
        let (scheme, rest) = url.split_once("://").ok_or(OpenError::Url)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(OpenError::Url);
        }
        let store = bucket_of(scheme, bucket)?.map_err(|error| OpenError::Bucket(error.into()))?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)), folder: None })
    }

    fn in_folder(folder: PathBuf) -> Result<Self, OpenError> {
        std::fs::create_dir_all(&folder).map_err(OpenError::Folder)?;
        let local = LocalFileSystem::new_with_prefix(&folder);
        let local = local.map_err(|error| OpenError::Folder(std::io::Error::other(error)))?;
        // What was acknowledged is on the disk, as in the store.
        Ok(Self { store: Arc::new(local.with_fsync(true)), folder: Some(folder) })
    }

    /// Keeps some bytes, in place of what was there.
    pub async fn put(&self, place: Place, bytes: Bytes) -> Result<(), Failure> {
        self.store.put(&place.path(), bytes.into()).await?;
        Ok(())
    }

    /// Reads these bytes of a part.
    pub async fn get(&self, place: Place, range: Range<u64>) -> Result<Bytes, Failure> {
        Ok(self.store.get_range(&place.path(), range).await?)
    }

    /// Reads all of a part.
    pub async fn get_all(&self, place: Place) -> Result<Bytes, Failure> {
        Ok(self.store.get(&place.path()).await?.bytes().await?)
    }

    /// How many bytes a part has.
    pub async fn size(&self, place: Place) -> Result<u64, Failure> {
        Ok(self.store.head(&place.path()).await?.size)
    }

    /// Takes away all that was ever written for a file. What is not there is no failure.
    pub async fn remove(&self, file: Uuid) -> Result<(), Failure> {
        self.remove_under(&[file.to_string()]).await
    }

    /// Takes away what one attempt has written for a file.
    pub async fn remove_body(&self, file: Uuid, body: Uuid) -> Result<(), Failure> {
        self.remove_under(&[file.to_string(), body.to_string()]).await?;
        if let Some(folder) = &self.folder {
            // Unless others have written for it, too: then it is not empty.
            let _not_empty = tokio::fs::remove_dir(folder.join(file.to_string())).await;
        }
        Ok(())
    }

    async fn remove_under(&self, names: &[String]) -> Result<(), Failure> {
        if let Some(folder) = &self.folder {
            // With what a crash has left in the middle of a write, too.
            let folder = names.iter().fold(folder.clone(), |path, name| path.join(name));
            return match tokio::fs::remove_dir_all(folder).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Failure { what: "a folder cannot be removed", is_absent: false })
                }
                _ => Ok(()),
            };
        }
        let prefix = Path::from(names.join("/"));
        let found = self.store.list(Some(&prefix)).map_ok(|object| object.location).boxed();
        let removed = self.store.delete_stream(found).map(|gone| match gone {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            gone => gone.map(drop),
        });
        Ok(removed.try_collect().await?)
    }
}

/// The bucket of this name; its errors are told when it is used.
fn bucket_of(
    scheme: &str,
    bucket: &str,
) -> Result<object_store::Result<Arc<dyn ObjectStore>>, OpenError> {
    let retry = RetryConfig { max_retries: 5, retry_timeout: WITH_REPEATS, ..Default::default() };
    Ok(match scheme {
        "s3" => AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(Connector)
            .with_retry(retry)
            .build()
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>),
        "gs" => GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(Connector)
            .with_retry(retry)
            .build()
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>),
        "az" => MicrosoftAzureBuilder::from_env()
            .with_container_name(bucket)
            .with_http_connector(Connector)
            .with_retry(retry)
            .build()
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>),
        _ => return Err(OpenError::Url),
    })
}

/// One client for all buckets, on the TLS that everything here uses.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        // Fails only where one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(REQUEST)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let client = client.map_err(|error| object_store::Error::Generic {
            store: "HTTP",
            source: Box::new(error),
        })?;
        Ok(HttpClient::new(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_keeps_and_forgets() {
        let dir = tempfile::tempdir().unwrap();
        let depot = Depot::open(&format!("file:{}/in/it", dir.path().display())).unwrap();
        let (file, body) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let at = |part| Place { file, body, part };
        depot.put(at(Part::Piece(0)), Bytes::from_static(b"0123456789")).await.unwrap();
        depot.put(at(Part::Piece(0)), Bytes::from_static(b"abcdefghij")).await.unwrap();
        depot.put(at(Part::Thumbnail), Bytes::from_static(b"t")).await.unwrap();
        assert_eq!(depot.get(at(Part::Piece(0)), 2..5).await.unwrap(), "cde");
        assert_eq!(depot.get_all(at(Part::Thumbnail)).await.unwrap(), "t");
        depot.remove_body(file, Uuid::from_u128(3)).await.unwrap();
        depot.remove_body(file, body).await.unwrap();
        assert!(depot.get_all(at(Part::Piece(0))).await.unwrap_err().is_absent);
        depot.put(at(Part::Piece(1)), Bytes::from_static(b"x")).await.unwrap();
        depot.remove(file).await.unwrap();
        depot.remove(file).await.unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("in/it")).unwrap().count(), 0);
    }

    #[test]
    fn only_places_that_are_known_open() {
        for bad in ["", "attachments", "ftp://a/b", "s3://", "s3:///prefix"] {
            assert!(matches!(Depot::open(bad), Err(OpenError::Url)), "{bad}");
        }
    }
}
