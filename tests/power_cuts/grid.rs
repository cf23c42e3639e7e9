//! The server and its power supply.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use enrollment::core::port::{Entropy as _, SystemEntropy};

use crate::client::{Answer, Client};
use crate::server::{Server, command};

/// A server that is up now and then.
pub(crate) struct Grid {
    folder: PathBuf,
    state: Mutex<State>,
    came_up: Condvar,
    answered: (Mutex<Sender<()>>, Mutex<Receiver<()>>),
    /// How many requests went unanswered.
    interrupted: AtomicUsize,
    pub(crate) api_key: String,
}

#[derive(Default)]
struct State {
    server: Option<Server>,
    faces: Option<(SocketAddr, SocketAddr)>,
    over: bool,
}

/// Who is asked.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    Public,
    Internal,
}

impl Grid {
    /// A server on this data folder, with an API key.
    pub(crate) fn start(folder: &Path) -> Self {
        let (answered, answers) = channel();
        let mut grid = Self {
            folder: folder.to_owned(),
            state: Mutex::default(),
            came_up: Condvar::new(),
            answered: (Mutex::new(answered), Mutex::new(answers)),
            interrupted: AtomicUsize::new(0),
            api_key: String::new(),
        };
        grid.power_up(Server::start(folder, "info"));
        (grid.api_key, _) = command(folder, &["api-key", "create", "--role", "owner"]);
        let pools = ["--pool", "10.96.0.0/12", "--pool", "fd00:96::/64"];
        command(
            folder,
            &[["location", "add", "Office", "--endpoint", "vpn.example.com:51820"].as_slice(), &pools].concat(),
        );
        grid
    }

    /// Asks until the server has answered and says that it knows: a connection that ends, and an answer that nothing
    /// happened or that nobody knows, call for the same request again.
    pub(crate) fn ask(&self, face: Face, request: impl Fn(&Client) -> Result<Answer, ureq::Error>) -> Answer {
        loop {
            let Ok(answer) = request(&Client::new(self.address(face))) else {
                self.interrupted.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            self.answered.0.lock().expect("nobody panics").send(()).expect("the other end is here, too");
            if ![503, 504].contains(&answer.status) {
                return answer;
            }
        }
    }

    /// Where the server is. Waits for it to come up.
    fn address(&self, face: Face) -> SocketAddr {
        let down = |state: &mut State| state.faces.is_none();
        let state = self.came_up.wait_while(self.state.lock().expect("nobody panics"), down).expect("nobody panics");
        let (public, internal) = state.faces.expect("just waited for");
        match face {
            Face::Public => public,
            Face::Internal => internal,
        }
    }

    /// Kills the server after some answers and a little, and starts it again; now and then it dies while it starts.
    pub(crate) fn cut(&self) {
        self.wait(random(60), Duration::from_micros(random(3_000)));
        let mut state = self.state.lock().expect("nobody panics");
        state.faces = None;
        // Dropping it kills it.
        drop(state.server.take());
        drop(state);
        while random(8) == 0 {
            let starting = Server::spawn(&self.folder, "info");
            self.wait(0, Duration::from_micros(random(200_000)));
            drop(starting);
        }
        self.power_up(Server::start(&self.folder, "info"));
    }

    /// Waits for so many answers, and then for one more or this time.
    fn wait(&self, answers: u64, then: Duration) {
        let answered = self.answered.1.lock().expect("nobody panics");
        answered.try_iter().for_each(drop);
        (0..answers).for_each(|_| answered.recv().expect("the other end is here, too"));
        // Either will do: it is about some instant.
        let _ = answered.recv_timeout(then);
    }

    fn power_up(&self, server: Server) {
        let mut state = self.state.lock().expect("nobody panics");
        state.faces = Some((server.public, server.internal));
        state.server = Some(server);
        self.came_up.notify_all();
    }

    /// Nobody new is to enroll.
    pub(crate) fn finish(&self) {
        self.state.lock().expect("nobody panics").over = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().expect("nobody panics").over
    }

    /// Stops the server as an administrator would, and says how many requests went unanswered before.
    pub(crate) fn shut_down(self) -> usize {
        self.state.into_inner().expect("nobody panics").server.expect("it is up").stop();
        self.interrupted.into_inner()
    }
}

fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    u64::from_le_bytes(bytes) % below
}
