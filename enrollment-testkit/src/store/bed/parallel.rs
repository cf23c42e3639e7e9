//! Tasks that run at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use enrollment_core::port::{Change, Store};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Verdict, applied};
use crate::verdict::{Failure, Running};

/// Runs tasks in parallel, all started at one moment, and gathers their answers in order.
pub(in crate::store) async fn together<T, F>(tasks: Vec<F>) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(tasks.len()));
    let mut running = JoinSet::new();
    for (place, task) in tasks.into_iter().enumerate() {
        let start = Arc::clone(&start);
        running.spawn(async move {
            start.wait().await;
            (place, task.await)
        });
    }
    let mut answers = Vec::new();
    while let Some(done) = running.join_next().await {
        let (place, answer) = done.map_err(|error| Failure::caused("the store panicked", error))?;
        answers.push((place, answer?));
    }
    answers.sort_by_key(|(place, _)| *place);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Reads through both handles for as long as a writer works through its changes, and once more after it.
pub(in crate::store) async fn beside_writer<R, F>(
    handles: &[Arc<dyn Store>; 2],
    changes: Vec<Change>,
    read: R,
) -> Verdict
where
    R: Fn(Arc<dyn Store>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Verdict> + Send + 'static,
{
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks: Vec<Running> = Vec::new();
    for store in handles.iter().cloned() {
        let (read, over) = (read.clone(), Arc::clone(&over));
        tasks.push(Box::pin(async move {
            while !over.load(Ordering::Acquire) {
                read(Arc::clone(&store)).await?;
                tokio::task::yield_now().await;
            }
            read(store).await
        }));
    }
    let store = Arc::clone(&handles[0]);
    tasks.push(Box::pin(async move {
        let mut verdict = Ok(());
        for change in changes {
            verdict = applied(&store, &change).await;
            if verdict.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        over.store(true, Ordering::Release);
        verdict
    }));
    together(tasks).await.map(drop)
}
