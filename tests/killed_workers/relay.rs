//! The parent's side: workers as child processes, and what it took from each.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a line begins with by which a mail is taken.
pub(crate) const TOOK: &str = "took: ";

const FOLDER: &str = "ENROLLMENT_WORKER_FOLDER";
const LATER: &str = "ENROLLMENT_WORKER_MINUTES_LATER";

/// What a child is told.
pub(crate) struct Task {
    pub(crate) folder: PathBuf,
    /// By how many minutes its clock is set forward.
    pub(crate) later: u64,
}

/// What this process is to do, when it is a child.
pub(crate) fn child() -> Option<Task> {
    let folder = std::env::var_os(FOLDER)?.into();
    let later = std::env::var(LATER).expect("minutes").parse().expect("a number");
    Some(Task { folder, later })
}

/// A worker that was.
pub(crate) struct Worker {
    pub(crate) killed: bool,
    /// The mails taken from it, in order: id and recipient.
    pub(crate) taken: Vec<(String, String)>,
    child: Option<Child>,
}

/// Where the mails go.
pub(crate) struct Relay {
    workers: Vec<Worker>,
    lines: Receiver<(usize, Option<String>)>,
    to_lines: Sender<(usize, Option<String>)>,
}

impl Default for Relay {
    fn default() -> Self {
        let (to_lines, lines) = channel();
        Self { workers: Vec::new(), lines, to_lines }
    }
}

impl Relay {
    /// Starts a worker.
    pub(crate) fn employ(&mut self, folder: &Path, test: &str, later: u64) {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture"])
            .env(FOLDER, folder)
            .env(LATER, later.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let (out, lines, nth) = (child.stdout.take().expect("a pipe"), self.to_lines.clone(), self.workers.len());
        std::thread::spawn(move || follow(out, &lines, nth));
        self.workers.push(Worker { killed: false, taken: Vec::new(), child: Some(child) });
    }

    /// Takes the next mail. `false`: all workers have ended.
    pub(crate) fn take_one(&mut self) -> bool {
        while self.workers.iter().any(|worker| worker.child.is_some()) {
            let (nth, line) = self.lines.recv().expect("this end has a sender, too");
            let worker = &mut self.workers[nth];
            let Some(line) = line else {
                let mut child = worker.child.take().expect("its output ends once");
                let status = child.wait().expect("a child of ours");
                assert!(worker.killed || status.success(), "a worker failed: {status}");
                continue;
            };
            // The test harness of the child begins its line, and does not end it, before the first mail.
            if let Some((_, mail)) = line.split_once(TOOK) {
                let (id, recipient) = mail.split_once(' ').expect("an id and a recipient");
                worker.taken.push((id.to_owned(), recipient.to_owned()));
                return true;
            }
        }
        false
    }

    /// The numbers of those at work.
    pub(crate) fn at_work(&self) -> Vec<usize> {
        let working = |nth: &usize| self.workers[*nth].child.is_some() && !self.workers[*nth].killed;
        (0..self.workers.len()).filter(working).collect()
    }

    /// Ends a worker at once. What it had said before is still heard.
    pub(crate) fn kill(&mut self, nth: usize) {
        let worker = &mut self.workers[nth];
        let child = worker.child.as_mut().expect("it is at work");
        child.kill().expect("a child of ours");
        worker.killed = true;
    }

    pub(crate) fn into_workers(self) -> Vec<Worker> {
        self.workers
    }
}

fn follow(out: ChildStdout, to: &Sender<(usize, Option<String>)>, nth: usize) {
    let mut out = BufReader::new(out);
    loop {
        let mut line = String::new();
        let whole = out.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n');
        let said = whole.then(|| line.trim_end().to_owned());
        let ended = said.is_none();
        // The parent listens until all have ended.
        if to.send((nth, said)).is_err() || ended {
            return;
        }
    }
}
