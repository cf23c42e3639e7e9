//! A bounded pool of threads, each with memory of its own. It needs no async runtime.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures_channel::oneshot;

/// Threads that each own one `M`, and a queue of at most so many waiting jobs.
///
/// A job nobody waits for any more is skipped, and makes room in a full queue. Dropping the pool finishes the jobs
/// that run, forgets those that wait, and returns when every thread has ended.
pub(super) struct Pool<M> {
    shared: Arc<Shared<M>>,
    threads: Vec<JoinHandle<()>>,
}

/// The queue is full: so many jobs wait.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) waiting: usize,
}

struct Shared<M> {
    state: Mutex<State<M>>,
    changed: Condvar,
    capacity: usize,
}

struct State<M> {
    waiting: VecDeque<Box<dyn Job<M>>>,
    stopping: bool,
}

trait Job<M>: Send {
    fn is_wanted(&self) -> bool;
    fn run(self: Box<Self>, memory: &mut M);
}

struct Task<T, F> {
    work: F,
    answer: oneshot::Sender<T>,
}

impl<M, T: Send, F: FnOnce(&mut M) -> T + Send> Job<M> for Task<T, F> {
    fn is_wanted(&self) -> bool {
        !self.answer.is_canceled()
    }

    fn run(self: Box<Self>, memory: &mut M) {
        // Whoever asked may have left meanwhile; then nobody misses the answer.
        let _ = self.answer.send((self.work)(memory));
    }
}

impl<M: Send + 'static> Pool<M> {
    /// Starts one thread for each of `memories`.
    pub(super) fn start(memories: Vec<M>, capacity: usize) -> std::io::Result<Self> {
        let state = Mutex::new(State { waiting: VecDeque::with_capacity(capacity), stopping: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), capacity });
        let mut pool = Self { shared, threads: Vec::with_capacity(memories.len()) };
        for mut memory in memories {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name("password-hash".to_owned());
            // On an error the pool is dropped, which ends the threads already started.
            pool.threads.push(thread.spawn(move || {
                while let Some(job) = shared.next() {
                    // The memory holds no state between jobs; a panic costs its caller the answer, not us the thread.
                    let _ = catch_unwind(AssertUnwindSafe(|| job.run(&mut memory)));
                }
            })?);
        }
        Ok(pool)
    }

    /// Queues `work`; its answer comes through the receiver. Dropping the receiver before the work starts cancels it.
    pub(super) fn submit<T, F>(&self, work: F) -> Result<oneshot::Receiver<T>, Full>
    where
        T: Send + 'static,
        F: FnOnce(&mut M) -> T + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.shared.lock();
        if state.waiting.len() >= self.shared.capacity {
            state.waiting.retain(|job| job.is_wanted());
        }
        if state.waiting.len() >= self.shared.capacity {
            return Err(Full { waiting: state.waiting.len() });
        }
        state.waiting.push_back(Box::new(Task { work, answer }));
        drop(state);
        self.shared.changed.notify_one();
        Ok(receiver)
    }

    pub(super) fn threads(&self) -> usize {
        self.threads.len()
    }
}

impl<M> Shared<M> {
    /// The next job somebody waits for; `None` when the pool stops.
    fn next(&self) -> Option<Box<dyn Job<M>>> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            match state.waiting.pop_front() {
                Some(job) if job.is_wanted() => return Some(job),
                Some(_) => {}
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// No code panics while it holds the lock, and a queue is whole after every statement anyway.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Drop for Pool<M> {
    fn drop(&mut self) {
        let forgotten = {
            let mut state = self.shared.lock();
            state.stopping = true;
            std::mem::take(&mut state.waiting)
        };
        drop(forgotten);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Threads catch the panics of their jobs, so there is no error to learn of.
            let _ = thread.join();
        }
    }
}

impl<M> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}
