//! The tasks that a node cannot do without.
//!
//! A node that has lost its publisher, a lane of its store or its accept loop looks alive and is
//! not. So whatever is to run until the node leaves is begun here. If it panics, or comes to its
//! end before that, it is named in the log and to whoever waits for a [`Crash`], and the process
//! ends: another that starts is whole. What is done for one request or one stream is not begun
//! here: its panic is its own affair ([`guarded`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Why a node cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task `{task}` {how}")]
pub struct Crash {
    /// Which task.
    pub task: &'static str,
    /// What became of it.
    pub how: How,
}

/// How a task came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By a panic.
    Panicked,
    /// By itself, while it was needed.
    Ended,
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Panicked => "panicked",
            Self::Ended => "ended while it was needed",
        })
    }
}

/// All vital tasks of one node; a handle, to be cloned. A task that is dropped or aborted has not
/// crashed: who began it wants no more of it.
#[derive(Clone, Debug)]
pub struct Vital(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The node leaves: tasks may end.
    leaving: AtomicBool,
    first: watch::Sender<Option<Crash>>,
}

impl Default for Vital {
    fn default() -> Self {
        let first = watch::Sender::new(None);
        Self(Arc::new(Shared { leaving: AtomicBool::new(false), first }))
    }
}

impl Vital {
    /// Begins a task. Must be called within a runtime.
    pub fn spawn(
        &self,
        task: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        tokio::spawn(self.watched(task, work))
    }

    /// The work of a task that is begun elsewhere.
    pub fn watched(
        &self,
        task: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let vital = self.clone();
        async move {
            let how = guarded(work).await.map_or(How::Panicked, |()| How::Ended);
            vital.ended(task, how);
        }
    }

    /// Begins a thread of this name.
    pub fn thread(
        &self,
        task: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let vital = self.clone();
        std::thread::Builder::new().name(task.to_owned()).spawn(move || {
            let how = caught(work).map_or(How::Panicked, |()| How::Ended);
            vital.ended(task, how);
        })
    }

    /// From now on tasks may come to their end; a panic is a crash still.
    pub fn leaving(&self) {
        self.0.leaving.store(true, Ordering::Release);
    }

    /// The first crash, if there was one.
    pub fn crashed(&self) -> Option<Crash> {
        self.0.first.borrow().clone()
    }

    /// Waits for the first crash.
    pub async fn crash(&self) -> Crash {
        let mut first = self.0.first.subscribe();
        match first.wait_for(Option::is_some).await.map(|crash| crash.clone()) {
            Ok(Some(crash)) => crash,
            // The sender lives as long as this handle.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    fn ended(&self, task: &'static str, how: How) {
        if how == How::Ended && self.0.leaving.load(Ordering::Acquire) {
            return;
        }
        tracing::error!(task, %how, "a task crashed that this node cannot do without");
        self.0.first.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(Crash { task, how });
            is_first
        });
    }
}

/// What was to be done has panicked; where, the log says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a panic; the log says where")]
pub struct Panicked;

/// [`guarded`], of what does not wait.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// Does something whose panic is to stay its own. Nothing that it had half-way may be used after.
// As an `async fn` it would have room for the work twice.
pub fn guarded<T>(work: impl Future<Output = T>) -> impl Future<Output = Result<T, Panicked>> {
    AssertUnwindSafe(work).catch_unwind().map(|done| done.map_err(|_| Panicked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(task: &'static str, how: How) -> Crash {
        Crash { task, how }
    }

    #[tokio::test]
    async fn a_panic_is_told_by_the_name_of_its_task() {
        let vital = Vital::default();
        vital.spawn("calm", std::future::pending());
        assert_eq!(vital.crashed(), None);
        vital.spawn("one", async { panic!("oh") });
        assert_eq!(vital.crash().await, of("one", How::Panicked));
        vital.thread("two", || panic!("oh")).unwrap().join().unwrap();
        assert_eq!(vital.crash().await, of("one", How::Panicked), "the first is told");
        assert_eq!(vital.crash().await.to_string(), "the task `one` panicked");
    }

    #[tokio::test]
    async fn an_end_is_a_crash_but_where_the_node_leaves() {
        let vital = Vital::default();
        vital.spawn("aborted", std::future::pending()).abort();
        vital.spawn("ends", async {}).await.unwrap();
        assert_eq!(vital.crashed(), Some(of("ends", How::Ended)));

        let vital = Vital::default();
        vital.leaving();
        vital.spawn("ends", async {}).await.unwrap();
        vital.thread("ends", || {}).unwrap().join().unwrap();
        assert_eq!(vital.crashed(), None);
        vital.thread("thread", || panic!("oh")).unwrap().join().unwrap();
        assert_eq!(vital.crash().await, of("thread", How::Panicked));
    }

    #[tokio::test]
    async fn what_is_guarded_keeps_its_panic_to_itself() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(guarded(async { 1 }).await, Ok(1));
        assert_eq!(guarded(async { panic!("oh") }).await, Err::<(), _>(Panicked));
    }
}
