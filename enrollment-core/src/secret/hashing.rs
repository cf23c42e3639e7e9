//! Hashing of passwords off the async threads, in bounded memory.

use std::time::Duration;

use argon2::Block;
use tracing::Instrument as _;

use super::password::Password;
use super::password_hash::{Argon2Params, OUTPUT, PasswordHash};
use super::pool::{Full, Pool};

/// How many may wait for each thread: a hundred and more people at a time on a small machine wait some seconds, and are not
/// sent away.
const WAITING: usize = 96;

/// How a [`HashingPool`] is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingOptions {
    /// What new hashes cost.
    pub params: Argon2Params,
    /// The most a stored hash may cost to be verified, each value for itself. A costlier one is refused unread and
    /// cannot be verified at all, so that no row of the database can ask for more memory or time than this. At least
    /// `params`.
    pub limit: Argon2Params,
    /// How many hashes are made at once. Each thread reserves `limit.m_kib` of memory.
    pub threads: usize,
    /// How many may wait beyond those.
    pub queue: usize,
}

impl HashingOptions {
    /// As many threads as the machine has cores, but no more than `memory_budget` bytes hold, and at least one; 96
    /// waiting for each, which is two to eight seconds at the default cost. Stored hashes may take the memory of
    /// [`Argon2Params::default`], eight passes and four lanes (or what new ones take, when that is more): a lower cost
    /// than before still verifies what was hashed at the default, so that it can be hashed again.
    #[must_use]
    pub fn new(params: Argon2Params, memory_budget: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let m_kib = params.m_kib.max(Argon2Params::default().m_kib);
        let affordable = memory_budget / (u64::from(m_kib) * 1024);
        let threads = cores.min(usize::try_from(affordable).unwrap_or(usize::MAX)).max(1);
        let limit = Argon2Params { m_kib, t: params.t.max(8), p: params.p.max(4) };
        Self { params, limit, threads, queue: threads.saturating_mul(WAITING) }
    }
}

impl Default for HashingOptions {
    /// [`Argon2Params::default`] in a budget of 128 MiB: at most six threads.
    fn default() -> Self {
        Self::new(Argon2Params::default(), 128 * 1024 * 1024)
    }
}

/// The pool cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Argon2 cannot work with these parameters.
    #[error("these parameters are not possible for Argon2")]
    Params(#[source] argon2::Error),
    /// New hashes could not be verified.
    #[error("the limit for stored hashes is below the cost of new ones")]
    Limit,
    /// No thread or no place in the queue.
    #[error("the pool needs at least one thread and room for one waiting job")]
    Empty,
    /// The machine has not so much memory.
    #[error("not enough memory for {threads} threads with {m_kib} KiB each")]
    Memory {
        /// How many threads were asked for.
        threads: usize,
        /// Memory of each.
        m_kib: u32,
    },
    /// The operating system starts no thread.
    #[error("a thread for hashing could not be started")]
    Thread(#[from] std::io::Error),
}

/// No hash was made or verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// So many wait already. Nothing happened; trying again after this time is reasonable.
    #[error("too many passwords are being checked right now; try again in {} s", retry_after.as_secs())]
    Overloaded {
        /// When those who wait now will have been served; whole seconds, at least one.
        retry_after: Duration,
    },
    /// The stored hash costs more than [`HashingOptions::limit`].
    #[error("the stored hash is costlier than allowed here")]
    TooCostly,
    /// The work could not be done; not to be expected of costs that were checked.
    #[error("the password could not be hashed")]
    Argon2(#[source] argon2::Error),
    /// The thread that did the work has failed.
    #[error("hashing has stopped")]
    Stopped,
}

/// The answer of [`HashingPool::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whether it is this password.
    pub matches: bool,
    /// Whether the hash was made at another cost than today's, and should be made again from the right password.
    pub needs_rehash: bool,
}

/// How busy a [`HashingPool`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingLoad {
    /// Hashes made at once, at most.
    pub threads: usize,
    /// Hashes being made.
    pub running: usize,
    /// Hashes that wait, at most; past that the answer is [`HashingError::Overloaded`].
    pub queue: usize,
    /// Hashes that wait.
    pub waiting: usize,
}

/// Makes and verifies password hashes on threads of its own. Memory is bounded: threads × `limit.m_kib`, reserved at the
/// start, of which as many parts come into use as hashes are ever made at once, whatever is asked of it; past a full queue
/// it answers [`HashingError::Overloaded`] at once.
///
/// Work whose caller has gone before it began is skipped. Dropping the pool waits for the hashes being made, no longer
/// than one takes.
#[derive(Debug)]
pub struct HashingPool {
    pool: Pool<Memory>,
    params: Argon2Params,
    limit: Argon2Params,
}

impl HashingPool {
    /// Starts the threads and reserves their memory.
    ///
    /// # Errors
    /// When the options contradict themselves, or the machine cannot serve them.
    pub fn start(options: HashingOptions) -> Result<Self, StartError> {
        let HashingOptions { params, limit, threads, queue } = options;
        for cost in [params, limit] {
            cost.for_output(OUTPUT).map_err(StartError::Params)?;
        }
        if !params.within(&limit) {
            return Err(StartError::Limit);
        }
        if threads == 0 || queue == 0 {
            return Err(StartError::Empty);
        }
        let memories = (0..threads).map(|_| Memory::reserved(limit.m_kib)).collect::<Option<Vec<_>>>();
        let memories = memories.ok_or(StartError::Memory { threads, m_kib: limit.m_kib })?;
        Ok(Self { pool: Pool::start(memories, queue)?, params, limit })
    }

    /// Hashes `password` at today's cost with `salt`, 128 random bits of the caller's.
    ///
    /// # Errors
    /// When the queue is full.
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HashingError> {
        self.hash_holding((), password, salt).await
    }

    /// The same, holding on to something until the work has ended, whoever waits for it by then.
    pub(crate) async fn hash_holding(
        &self,
        held: impl Send + 'static,
        password: Password,
        salt: [u8; 16],
    ) -> Result<PasswordHash, HashingError> {
        let params = self.params;
        self.run(held, move |memory| PasswordHash::make(&password, salt, params, memory)).await
    }

    /// Compares `password` with a stored hash, in constant time once hashed.
    ///
    /// # Errors
    /// When the queue is full, or the stored hash is costlier than allowed.
    pub async fn verify(&self, password: Password, against: &PasswordHash) -> Result<Verified, HashingError> {
        self.verify_holding((), password, against).await
    }

    /// The same, holding on to something until the work has ended, whoever waits for it by then.
    pub(crate) async fn verify_holding(
        &self,
        held: impl Send + 'static,
        password: Password,
        against: &PasswordHash,
    ) -> Result<Verified, HashingError> {
        if !against.cost().within(&self.limit) {
            return Err(HashingError::TooCostly);
        }
        let needs_rehash = against.is_weaker_or_other_than(self.params);
        let against = against.clone();
        let matches = self.run(held, move |memory| against.is_of(&password, memory)).await?;
        Ok(Verified { matches, needs_rehash })
    }

    /// How busy it is at this moment.
    #[must_use]
    pub fn load(&self) -> HashingLoad {
        let (waiting, running) = self.pool.load();
        HashingLoad { threads: self.pool.threads(), running, queue: self.pool.capacity(), waiting }
    }

    async fn run<T: Send + 'static>(
        &self,
        held: impl Send + 'static,
        work: impl FnOnce(&mut [Block]) -> Result<T, argon2::Error> + Send + 'static,
    ) -> Result<T, HashingError> {
        let work = move |memory: &mut Memory| {
            let done = work(memory.blocks());
            drop(held);
            done
        };
        let answer = self.pool.submit(work).map_err(|full| self.overloaded(&full))?;
        let answer = answer.instrument(tracing::debug_span!("password"));
        answer.await.map_err(|_| HashingError::Stopped)?.map_err(HashingError::Argon2)
    }

    /// An estimate without a clock, for all who wait and those being served: two microseconds per KiB and pass, which
    /// was measured on a small machine busy with other work as well; an idle one takes half of it.
    fn overloaded(&self, full: &Full) -> HashingError {
        let one = Duration::from_micros(2 * u64::from(self.params.m_kib) * u64::from(self.params.t));
        let rounds = u32::try_from(full.waiting / self.pool.threads() + 1).unwrap_or(u32::MAX);
        HashingError::Overloaded { retry_after: Duration::from_secs(one.saturating_mul(rounds).as_secs() + 1) }
    }
}

/// The memory of one hash. Reserved at once, so that too little shows at the start; written to only by who hashes, so
/// that a server starts quickly and one that rarely hashes stays small.
struct Memory {
    blocks: Vec<Block>,
    count: usize,
}

impl Memory {
    /// For a cost of `m_kib`; `None` when there is not so much.
    fn reserved(m_kib: u32) -> Option<Self> {
        let count = usize::try_from(m_kib).ok()?;
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(count).ok()?;
        Some(Self { blocks, count })
    }

    fn blocks(&mut self) -> &mut [Block] {
        // Within what is reserved: nothing is allocated.
        self.blocks.resize(self.count, Block::new());
        &mut self.blocks
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Cheap, so that the tests look at the pool and not at Argon2.
    const CHEAP: Argon2Params = Argon2Params { m_kib: 64, t: 1, p: 1 };

    fn pool(threads: usize, queue: usize) -> HashingPool {
        let limit = Argon2Params { m_kib: 128, t: 4, p: 2 };
        HashingPool::start(HashingOptions { params: CHEAP, limit, threads, queue }).expect("a pool")
    }

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).expect("a password")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn parallel_callers_each_get_their_own_answer() {
        let pool = Arc::new(pool(2, 64));
        let callers: Vec<_> = (0..32_u8)
            .map(|caller| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move {
                    let own = format!("password of {caller}");
                    let hash = pool.hash(password(&own), [caller; 16]).await.expect("room");
                    let right = pool.verify(password(&own), &hash).await.expect("room");
                    let wrong = pool.verify(password("password of nobody"), &hash).await.expect("room");
                    (right, wrong)
                })
            })
            .collect();
        for caller in callers {
            let (right, wrong) = caller.await.expect("no panic");
            assert_eq!(right, Verified { matches: true, needs_rehash: false });
            assert_eq!(wrong, Verified { matches: false, needs_rehash: false });
        }
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_verified_and_calls_for_rehashing() {
        let old = pool(1, 4).hash(password("a fine password"), [1; 16]).await.expect("room");
        let raised = Argon2Params { m_kib: 128, t: 2, p: 1 };
        let pool = HashingPool::start(HashingOptions { threads: 1, ..HashingOptions::new(raised, 1 << 20) });
        let pool = pool.expect("a pool");
        let verified = pool.verify(password("a fine password"), &old).await.expect("room");
        assert_eq!(verified, Verified { matches: true, needs_rehash: true });
    }

    #[tokio::test]
    async fn a_stored_hash_cannot_ask_for_more_than_the_limit() {
        let pool = pool(1, 4);
        let stored = pool.hash(password("a fine password"), [1; 16]).await.expect("room").expose();
        for (from, to) in [("m=64", "m=4194304"), ("m=64", "m=129"), ("t=1", "t=5"), ("t=1", "t=4294967295")] {
            let bomb = PasswordHash::parse(&stored.replace(from, to)).expect("a hash");
            assert_eq!(pool.verify(password("a fine password"), &bomb).await, Err(HashingError::TooCostly), "{to}");
        }
        let dear = PasswordHash::parse(&stored.replace("m=64,t=1,p=1", "m=128,t=4,p=2")).expect("a hash");
        assert!(pool.verify(password("a fine password"), &dear).await.is_ok(), "the limit itself");
    }

    /// PWD-3
    #[tokio::test]
    async fn a_lower_cost_than_the_default_still_verifies_what_was_hashed_before() {
        let before = HashingPool::start(HashingOptions { threads: 1, ..HashingOptions::default() }).expect("a pool");
        let stored = before.hash(password("a fine password"), [1; 16]).await.expect("room");
        let after = HashingPool::start(HashingOptions::new(CHEAP, 1 << 20)).expect("a pool");
        let verified = after.verify(password("a fine password"), &stored).await;
        assert_eq!(verified, Ok(Verified { matches: true, needs_rehash: true }));
    }

    #[tokio::test]
    async fn a_full_queue_answers_overloaded_at_once() {
        let pool = pool(1, 1);
        let (release, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let busy = pool.pool.submit(move |_| {
            begun.send(()).expect("the test listens");
            wait.recv()
        });
        has_begun.recv().expect("the thread has begun");
        let mut waiting = pin!(pool.hash(password("one who waits"), [1; 16]));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        let mut refused = pin!(pool.hash(password("one too many"), [2; 16]));
        let overloaded = HashingError::Overloaded { retry_after: Duration::from_secs(1) };
        assert_eq!(refused.as_mut().poll(&mut context), Poll::Ready(Err(overloaded)));
        drop(release);
        assert!(waiting.await.is_ok());
        assert!(busy.expect("room").await.is_ok());
    }

    #[test]
    fn the_advised_wait_grows_with_the_queue() {
        let pool = HashingPool::start(HashingOptions { threads: 1, ..HashingOptions::default() }).expect("a pool");
        let wait = |waiting| match pool.overloaded(&Full { waiting }) {
            HashingError::Overloaded { retry_after } => retry_after.as_secs(),
            other => panic!("{other}"),
        };
        assert_eq!([wait(1), wait(32), wait(256)], [1, 3, 21], "78 ms each, rounded up");
    }

    #[test]
    fn options_that_contradict_themselves_are_refused() {
        let fine = HashingOptions::new(CHEAP, 1 << 20);
        let start = |options| HashingPool::start(options).err();
        assert!(matches!(start(HashingOptions { threads: 0, ..fine }), Some(StartError::Empty)));
        assert!(matches!(start(HashingOptions { queue: 0, ..fine }), Some(StartError::Empty)));
        let below = Argon2Params { m_kib: 32, ..CHEAP };
        assert!(matches!(start(HashingOptions { limit: below, ..fine }), Some(StartError::Limit)));
        let impossible = Argon2Params { m_kib: 1, ..CHEAP };
        assert!(matches!(start(HashingOptions { params: impossible, ..fine }), Some(StartError::Params(_))));
    }

    #[test]
    fn threads_fit_the_memory_budget() {
        let mib = 1024 * 1024;
        let options = |budget| HashingOptions::new(Argon2Params::default(), budget);
        assert_eq!(options(0).threads, 1, "at least one");
        assert_eq!(options(2 * 19 * mib - 1).threads, 1);
        assert!(options(2 * 19 * mib).threads <= 2);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(options(u64::MAX).threads, cores);
        assert_eq!(options(u64::MAX).queue, cores * WAITING);
    }
}
