//! A relay without TLS on the loopback. A mail is taken when it is noted here, before its sender hears so.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Listens until the test ends.
pub(crate) struct Relay {
    pub(crate) port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Taken {
    pub(crate) id: String,
    pub(crate) to: String,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let taken = Arc::<Mutex<Vec<Taken>>>::default();
        let all = Arc::clone(&taken);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                // A client that is killed ends its conversation in the middle.
                std::thread::spawn(move || converse(&client, &all).unwrap_or_default());
            }
        });
        Self { port, taken }
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().expect("nobody panics").clone()
    }
}

fn converse(client: &TcpStream, all: &Mutex<Vec<Taken>>) -> std::io::Result<()> {
    let mut say = client;
    let mut lines = BufReader::new(client).lines();
    say.write_all(b"220 ready\r\n")?;
    let mut to = String::new();
    while let Some(line) = lines.next().transpose()? {
        let command = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match command.as_str() {
            "RCPT" => line.split(['<', '>']).nth(1).unwrap_or_default().clone_into(&mut to),
            "DATA" => {
                say.write_all(b"354 go on\r\n")?;
                let mut id = String::new();
                loop {
                    let Some(line) = lines.next().transpose()? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    if let Some(named) = line.strip_prefix("Message-ID: ") {
                        named.clone_into(&mut id);
                    }
                }
                all.lock().expect("nobody panics").push(Taken { id, to: to.clone() });
            }
            "QUIT" => return say.write_all(b"221 bye\r\n"),
            _ => {}
        }
        say.write_all(b"250 ok\r\n")?;
    }
    Ok(())
}
