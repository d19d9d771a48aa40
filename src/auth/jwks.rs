//! A key set that is read again when it may have changed.
//!
//! It is read at most once a minute for all callers together, in a task of its own, so that a
//! caller who goes away stops nothing. A read that fails leaves the keys as they are.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jsonwebtoken::Algorithm;
use parking_lot::Mutex;

use super::keys::{self, Key};
use crate::clock::{Clock, Timestamp};
use crate::config::JwksSource;

/// At most one read in this time.
const PAUSE: Duration = Duration::from_secs(60);

/// Keys older than this are read anew beside the call that notices: what was taken out of the
/// set is not trusted for ever.
const STALE: Duration = Duration::from_secs(600);

/// A read that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A set larger than this has failed.
const MAX_SIZE: usize = 256 * 1024;

type Read = Shared<BoxFuture<'static, ()>>;

/// The set, as last read.
pub(super) struct Jwks(Arc<Set>);

struct Set {
    source: JwksSource,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    /// `None`: never read yet.
    keys: Mutex<Option<Arc<Vec<Key>>>>,
    /// When it was read last, or tried to, and that read.
    last: Mutex<Option<(Timestamp, Read)>>,
}

/// Why a set could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("cannot be fetched: {0}")]
    Http(#[source] reqwest::Error),
    #[error("cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("has more than {MAX_SIZE} bytes")]
    Size,
    #[error("{0}")]
    Content(&'static str),
}

impl From<reqwest::Error> for ReadError {
    /// The URL may hold a password.
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

impl Jwks {
    /// Reads the set for the first time. A file must be good; a URL may become so later.
    pub(super) async fn open(source: JwksSource, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        // Fails only where one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::limited(3))
            .build()?;
        let keys = Mutex::new(None);
        let shared = Arc::new(Set { source, http, clock, keys, last: Mutex::new(None) });
        if matches!(shared.source, JwksSource::File(_)) {
            let keys = shared.load().await?;
            *shared.keys.lock() = Some(Arc::new(keys));
        } else {
            shared.read().await;
        }
        Ok(Self(shared))
    }

    /// The keys a token may be signed with. Of one that is not known the set is read again, if
    /// the last time was not just now. `None`: the set could never be read.
    pub(super) async fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<Vec<Key>> {
        let found = self.known(kid, algorithm);
        if found.as_ref().is_some_and(|keys| !keys.is_empty() || kid.is_none()) {
            if self.0.age() > STALE {
                // The read goes on without us.
                drop(self.0.read());
            }
            return found;
        }
        self.0.read().await;
        self.known(kid, algorithm)
    }

    fn known(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<Vec<Key>> {
        let keys = self.0.keys.lock().clone()?;
        let fits =
            |key: &&Key| key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid);
        Some(keys.iter().filter(fits).cloned().collect())
    }
}

impl Set {
    fn age(&self) -> Duration {
        let last = self.last.lock().as_ref().map(|(at, _)| *at);
        last.map_or(Duration::MAX, |at| self.clock.now().since(at))
    }

    /// The read under way, or the last one, or another if that was long enough ago.
    fn read(self: &Arc<Self>) -> Read {
        let now = self.clock.now();
        let mut last = self.last.lock();
        match &*last {
            Some((at, read)) if now.since(*at) < PAUSE => read.clone(),
            _ => {
                let read = tokio::spawn(Arc::clone(self).reload()).map(drop).boxed().shared();
                *last = Some((now, read.clone()));
                read
            }
        }
    }

    async fn reload(self: Arc<Self>) {
        match self.load().await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "read the key set");
                *self.keys.lock() = Some(Arc::new(keys));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read the key set (--jwks); it stays as it was");
            }
        }
    }

    async fn load(&self) -> Result<Vec<Key>, ReadError> {
        let json = match &self.source {
            JwksSource::Url(url) => self.fetch(url.expose()).await?,
            JwksSource::File(path) => {
                let size = tokio::fs::metadata(path).await?.len();
                if size > MAX_SIZE as u64 {
                    return Err(ReadError::Size);
                }
                tokio::fs::read(path).await?
            }
        };
        keys::of_set(&json).map_err(ReadError::Content)
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, ReadError> {
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut json = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if json.len() + chunk.len() > MAX_SIZE {
                return Err(ReadError::Size);
            }
            json.extend_from_slice(&chunk);
        }
        Ok(json)
    }
}
