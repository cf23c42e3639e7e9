//! A mail relay on the loopback that takes everything and keeps it: a mail is kept before its sender hears so.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Nothing here takes this long on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A relay; what arrived is there until it is dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    mails: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mails: Arc<(Mutex<Vec<String>>, Condvar)> = Arc::default();
        let kept = Arc::clone(&mails);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                // A client that hangs up in the middle has sent nothing.
                std::thread::spawn(move || drop(serve(client, &kept)));
            }
        });
        Self { address, mails }
    }

    /// What was taken so far.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.mails.0.lock().expect("nobody panics").clone()
    }

    /// The code in the first mail that has one, waited for.
    pub(crate) fn code(&self) -> String {
        let (mails, news) = &*self.mails;
        let mails = mails.lock().expect("nobody panics");
        let waiting = |mails: &mut Vec<String>| mails.iter().all(|mail| code_in(mail).is_none());
        let (mails, _) = news.wait_timeout_while(mails, PATIENCE, waiting).expect("nobody panics");
        mails.iter().find_map(|mail| code_in(mail)).expect("a code arrives")
    }
}

fn code_in(mail: &str) -> Option<String> {
    Some(mail.split_once("Your code: ")?.1.chars().take_while(char::is_ascii_digit).collect())
}

/// As much of SMTP (RFC 5321) as a submission needs.
fn serve(client: TcpStream, kept: &(Mutex<Vec<String>>, Condvar)) -> std::io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let say = |answer: &str| (&client).write_all(format!("{answer}\r\n").as_bytes());
    say("220 relay.test ready")?;
    while let Some(line) = lines.next() {
        let verb = line?.split(' ').next().unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "DATA" => {
                say("354 go on")?;
                let mut mail = String::new();
                loop {
                    let Some(line) = lines.next() else { return Ok(()) };
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    mail += &line;
                    mail.push('\n');
                }
                kept.0.lock().expect("nobody panics").push(mail);
                kept.1.notify_all();
                say("250 2.0.0 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 relay.test")?,
        }
    }
    Ok(())
}
