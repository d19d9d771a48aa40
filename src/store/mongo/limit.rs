//! The driver alone: grouped inserts with majority and journal.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::docs::MessageDoc;
use super::failure::{broken, round};
use super::schema::Db;
use crate::clock::{Clock as _, SystemClock};
use crate::store::limit::{Messages, WRITERS};
use crate::store::{Result, StoreError};

/// See [`grouped_inserts`](crate::store::limit::grouped_inserts).
pub(in crate::store) async fn grouped_inserts(url: &str, time: Duration) -> Result<u64> {
    let name = format!("adda_limit_{}", SystemClock.new_id().simple());
    let db = Db::open_as(url, Some(&name)).await?;
    let until = Instant::now() + time;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let messages = db.messages.clone();
        writers.spawn(async move {
            let (mut own, mut count) = (Messages::new(), 0);
            while Instant::now() < until {
                let docs: Vec<_> =
                    own.group().iter().map(|(new, seq)| MessageDoc::new(new, *seq)).collect();
                let many = messages.insert_many(&docs).ordered(false);
                round(async { many.await }).await?;
                count += docs.len() as u64;
            }
            Ok::<u64, StoreError>(count)
        });
    }
    let mut total = 0;
    while let Some(count) = writers.join_next().await {
        total += count.map_err(|_| broken("a writer panicked"))??;
    }
    round(async { db.database.drop().await }).await?;
    Ok(total)
}
