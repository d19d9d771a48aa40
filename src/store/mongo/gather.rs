//! Reads that many ask for at once, gathered: what is asked while commands are under way goes
//! together in the next one, each key once. A thousand streams that open at once would else ask
//! mongod a thousand times for each thing that one stream needs.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot};

use super::super::{Result, StoreError};
use super::failure::unavailable;
use crate::vital::Vital;

/// Keys in one command.
const AT_ONCE: usize = 256;
/// Who asks for more than this asks alone.
pub(super) const FEW: usize = 32;
/// Commands of one sort under way.
const UNDER_WAY: usize = 2;
/// Questions that may wait. More are Busy.
const WAITING: usize = 8_192;
/// How long a question may take in all: its turn, then one exchange.
const PATIENCE: Duration = Duration::from_secs(8);

type Read<K, V> = Arc<dyn Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<V>>> + Send + Sync>;
type Answer<V> = oneshot::Sender<Result<Vec<V>>>;

/// One sort of read: rows by key.
pub(super) struct Gather<K, V> {
    asks: mpsc::Sender<Ask<K, V>>,
    read: Read<K, V>,
}

struct Ask<K, V> {
    keys: Vec<K>,
    answer: Answer<V>,
}

impl<K, V> Gather<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `read` answers all rows of these keys, and `key` is the key of a row.
    pub(super) fn start<F>(
        vital: &Vital,
        task: &'static str,
        key: fn(&V) -> K,
        read: impl Fn(Vec<K>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<V>>> + Send + 'static,
    {
        let read: Read<K, V> = Arc::new(move |keys| Box::pin(read(keys)));
        let (asks, asked) = mpsc::channel(WAITING);
        vital.spawn(task, run(asked, key, Arc::clone(&read)));
        Self { asks, read }
    }

    /// All rows of these keys, in no order.
    pub(super) async fn rows(&self, keys: &[K]) -> Result<Vec<V>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        if keys.len() > FEW {
            return (self.read)(keys.to_vec()).await;
        }
        let (answer, rows) = oneshot::channel();
        self.asks.try_send(Ask { keys: keys.to_vec(), answer }).map_err(
            |refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Busy,
                mpsc::error::TrySendError::Closed(_) => unavailable("the store is closed"),
            },
        )?;
        match tokio::time::timeout(PATIENCE, rows).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(_)) => Err(unavailable("the store is closed")),
            Err(_) => Err(unavailable("the read took too long")),
        }
    }
}

/// Reads until nobody is there to ask.
async fn run<K, V>(mut asks: mpsc::Receiver<Ask<K, V>>, key: fn(&V) -> K, read: Read<K, V>)
where
    K: Clone + Eq + Hash,
    V: Clone,
{
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            first = asks.recv(), if under_way.len() < UNDER_WAY => {
                let Some(first) = first else { return };
                let mut count = first.keys.len();
                let mut some = vec![first];
                while count < AT_ONCE && let Ok(ask) = asks.try_recv() {
                    count += ask.keys.len();
                    some.push(ask);
                }
                under_way.push(answer(some, key, Arc::clone(&read)));
            }
            Some(()) = under_way.next() => {}
        }
    }
}

/// Answers these with one command.
async fn answer<K, V>(mut asks: Vec<Ask<K, V>>, key: fn(&V) -> K, read: Read<K, V>)
where
    K: Clone + Eq + Hash,
    V: Clone,
{
    // Who has given up needs no answer.
    asks.retain(|ask| !ask.answer.is_closed());
    let keys: HashSet<K> = asks.iter().flat_map(|ask| ask.keys.iter().cloned()).collect();
    if keys.is_empty() {
        return;
    }
    let found = read(keys.into_iter().collect()).await;
    match found {
        Ok(rows) => {
            let mut by_key: HashMap<K, Vec<V>> = HashMap::new();
            for row in rows {
                by_key.entry(key(&row)).or_default().push(row);
            }
            for ask in asks {
                let keys: HashSet<&K> = ask.keys.iter().collect();
                let rows = keys.into_iter().filter_map(|key| by_key.get(key)).flatten().cloned();
                drop(ask.answer.send(Ok(rows.collect())));
            }
        }
        // What cannot be read of one must not keep the others from theirs.
        Err(StoreError::Broken(_)) if asks.len() > 1 => {
            for ask in asks {
                drop(ask.answer.send(read(ask.keys).await));
            }
        }
        Err(error) => {
            for ask in asks {
                drop(ask.answer.send(Err(again(&error))));
            }
        }
    }
}

/// One failure, told to all who wait for it.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(cause) => StoreError::Unavailable(cause.to_string().into()),
        StoreError::Busy => StoreError::Busy,
        StoreError::Broken(cause) => StoreError::Broken(cause.to_string().into()),
    }
}
