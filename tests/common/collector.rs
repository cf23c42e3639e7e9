//! A collector of traces on the loopback, which keeps every batch it is sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Nothing here takes this long on the slowest machine; whatever does hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector that takes whatever comes, until the test ends.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<(Mutex<Vec<Vec<u8>>>, Condvar)>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("just bound");
        let taken = Arc::<(Mutex<Vec<Vec<u8>>>, Condvar)>::default();
        let takes = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let body = answer(stream.expect("a connection"));
                takes.0.lock().expect("nobody panics").push(body);
                takes.1.notify_all();
            }
        });
        Self { address, taken }
    }

    /// The table of the configuration that has a server send its spans here.
    pub(crate) fn table(&self) -> String {
        table(self.address)
    }

    /// Every batch so far.
    pub(crate) fn taken(&self) -> Vec<Vec<u8>> {
        self.taken.0.lock().expect("nobody panics").clone()
    }

    /// Waits until what was taken is enough.
    pub(crate) fn wait_until(&self, enough: impl Fn(&[Vec<u8>]) -> bool) {
        let taken = self.taken.0.lock().expect("nobody panics");
        let (taken, _) =
            self.taken.1.wait_timeout_while(taken, PATIENCE, |taken| !enough(taken)).expect("nobody panics");
        assert!(enough(&taken), "{} batches are not enough", taken.len());
    }
}

/// The table of the configuration that has a server send its spans there.
pub(crate) fn table(collector: SocketAddr) -> String {
    format!("[tracing]\nendpoint = \"http://{collector}\"\n")
}

/// Takes one request, which must be a batch of spans, and says so.
fn answer(stream: TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).expect("text"), 0, "the head ends early: {head}");
    }
    let head = head.to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{head}");
    let length = head.split_once("content-length: ").expect("a length").1.lines().next().expect("a line");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("the whole body");
    (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").expect("it is sent");
    body
}
