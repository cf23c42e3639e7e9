//! A bounded pool of threads, and a memory for each that runs. It needs no async runtime.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures_channel::oneshot;

/// Threads, as many memories `M`, and a queue of at most so many waiting jobs.
///
/// Each job runs with the memory that was used last, so that one job at a time touches one memory, whichever thread it
/// falls to. A job nobody waits for any more is skipped, and makes room in a full queue. Dropping the pool finishes the jobs
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
    /// What no job uses now; the one used last comes last.
    idle: Vec<M>,
    running: usize,
    stopping: bool,
}

trait Job<M>: Send {
    fn is_wanted(&self) -> bool;
    /// Does it, and returns what tells whoever waits.
    fn run(self: Box<Self>, memory: &mut M) -> Box<dyn FnOnce()>;
}

struct Task<T, F> {
    work: F,
    answer: oneshot::Sender<T>,
}

impl<M, T: Send + 'static, F: FnOnce(&mut M) -> T + Send> Job<M> for Task<T, F> {
    fn is_wanted(&self) -> bool {
        !self.answer.is_canceled()
    }

    fn run(self: Box<Self>, memory: &mut M) -> Box<dyn FnOnce()> {
        let Self { work, answer } = *self;
        let done = work(memory);
        // Whoever asked may have left meanwhile; then nobody misses the answer.
        Box::new(move || drop(answer.send(done)))
    }
}

impl<M: Send + 'static> Pool<M> {
    /// Starts one thread for each of `memories`.
    pub(super) fn start(memories: Vec<M>, capacity: usize) -> std::io::Result<Self> {
        let threads = memories.len();
        let waiting = VecDeque::with_capacity(capacity);
        let state = Mutex::new(State { waiting, idle: memories, running: 0, stopping: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), capacity });
        let mut pool = Self { shared, threads: Vec::with_capacity(threads) };
        for _ in 0..threads {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name("password-hash".to_owned());
            // On an error the pool is dropped, which ends the threads already started.
            pool.threads.push(thread.spawn(move || {
                while let Some((job, mut memory)) = shared.next() {
                    // The memory holds no state between jobs; a panic costs its caller the answer, not us the thread.
                    let done = catch_unwind(AssertUnwindSafe(|| job.run(&mut memory)));
                    // Before the answer: who asks again at once is served with the same memory.
                    shared.give_back(memory);
                    if let Ok(tell) = done {
                        tell();
                    }
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

    /// How many jobs wait, whether or not anybody still waits for them, and how many run.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.waiting.len(), state.running)
    }

    pub(super) fn capacity(&self) -> usize {
        self.shared.capacity
    }

    pub(super) fn threads(&self) -> usize {
        self.threads.len()
    }
}

impl<M> Shared<M> {
    /// The next job somebody waits for, and a memory to run it with; `None` when the pool stops.
    fn next(&self) -> Option<(Box<dyn Job<M>>, M)> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            match state.waiting.pop_front() {
                Some(job) if job.is_wanted() => {
                    // As many as threads, and each thread that runs has taken one.
                    let memory = state.idle.pop()?;
                    state.running += 1;
                    return Some((job, memory));
                }
                Some(_) => {}
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn give_back(&self, memory: M) {
        let mut state = self.lock();
        state.idle.push(memory);
        state.running -= 1;
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A pool whose threads are all busy until the returned sender is used once per thread, or dropped.
    fn busy(threads: usize, capacity: usize) -> (Pool<u32>, mpsc::Sender<()>, Vec<oneshot::Receiver<()>>) {
        let pool = Pool::start(vec![0; threads], threads.max(capacity)).expect("threads");
        let (release, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let (begun, has_begun) = mpsc::channel();
        let receivers = (0..threads)
            .map(|_| {
                let (wait, begun) = (Arc::clone(&wait), begun.clone());
                pool.submit(move |_| {
                    begun.send(()).expect("the test listens");
                    let _ = wait.lock().expect("no panic").recv();
                })
                .expect("room")
            })
            .collect();
        for _ in 0..threads {
            has_begun.recv().expect("a thread has begun");
        }
        (pool, release, receivers)
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_takes_work_again_later() {
        let (pool, release, begun) = busy(1, 2);
        let first = pool.submit(|_| 1).expect("room");
        let second = pool.submit(|_| 2).expect("room");
        assert_eq!(pool.submit(|_| 3).err().map(|full| full.waiting), Some(2));
        assert_eq!((pool.load(), pool.capacity()), ((2, 1), 2));
        drop(release);
        assert_eq!((first.await, second.await), (Ok(1), Ok(2)));
        assert_eq!(pool.submit(|_| 4).expect("room").await, Ok(4));
        assert_eq!(begun.len(), 1);
    }

    #[tokio::test]
    async fn work_nobody_waits_for_is_skipped_and_makes_room() {
        let (pool, release, begun) = busy(1, 2);
        let (tell, told) = mpsc::channel();
        let skipped = pool.submit({
            let tell = tell.clone();
            move |_| tell.send("skipped")
        });
        drop(skipped);
        let kept = pool.submit({
            let tell = tell.clone();
            move |_| tell.send("kept")
        });
        let after = pool.submit(move |_| tell.send("after")).expect("the cancelled one made room");
        drop(release);
        assert!(kept.expect("room").await.is_ok() && after.await.is_ok());
        assert_eq!(told.iter().collect::<Vec<_>>(), ["kept", "after"]);
        assert_eq!(begun.len(), 1);
    }

    #[tokio::test]
    async fn cancelled_work_is_skipped_without_a_full_queue_too() {
        let (pool, release, begun) = busy(1, 9);
        let (tell, told) = mpsc::channel::<()>();
        drop(pool.submit(move |_| tell.send(())).expect("room"));
        drop(release);
        assert_eq!(pool.submit(|_| 1).expect("room").await, Ok(1));
        assert_eq!(told.recv(), Err(mpsc::RecvError), "dropped without being run");
        assert_eq!(begun.len(), 1);
    }

    #[test]
    fn dropping_the_pool_ends_every_thread() {
        let (pool, release, begun) = busy(3, 8);
        let mut waiting = pool.submit(|_| ()).expect("room");
        let shared = Arc::downgrade(&pool.shared);
        drop(release);
        drop(pool);
        assert_eq!(shared.strong_count(), 0, "every thread held one");
        assert!(begun.into_iter().all(|mut receiver| receiver.try_recv() == Ok(Some(()))), "running work is finished");
        assert_ne!(waiting.try_recv(), Ok(None), "done or forgotten, not left open");
    }

    /// PWD-3
    #[tokio::test]
    async fn one_job_at_a_time_uses_one_memory_whichever_thread_it_falls_to() {
        let pool = Pool::start(vec![0_u32; 3], 8).expect("threads");
        for count in 1..=30 {
            let work = |memory: &mut u32| {
                *memory += 1;
                *memory
            };
            assert_eq!(pool.submit(work).expect("room").await, Ok(count));
        }
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer_and_no_thread() {
        let pool = Pool::start(vec![()], 8).expect("a thread");
        assert!(pool.submit(|_| panic!("expected in this test")).expect("room").await.is_err());
        assert_eq!(pool.submit(|_| 1).expect("room").await, Ok(1));
    }
}
