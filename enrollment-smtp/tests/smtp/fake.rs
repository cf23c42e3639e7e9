//! A relay in this process that misbehaves as it is told, and remembers what it heard.

use std::sync::{Arc, Mutex, MutexGuard};

use enrollment_smtp::{SmtpNotifier, SmtpOptions, Tls};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How a connection is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// As it should be; recipients that begin with `never` are refused.
    Good,
    /// Hangs up instead of listening after this many mails.
    HangsUpAfter(usize),
    /// Says 421 to the command that follows this many mails.
    SaysGoodbyeAfter(usize),
    /// Takes this many mails, then one more, and hangs up instead of saying so.
    CutsAfterTheMail(usize),
    /// Says nothing at all.
    Silent,
    /// Says nothing more once it has a mail.
    SilentAfterTheMail,
    /// Answers a mail with the mail.
    EchoesTheMail,
    /// Says in the clear, together with its consent to encrypt, what should follow under TLS.
    SpeaksBeforeTls,
}

pub(crate) struct FakeRelay {
    pub(crate) port: u16,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) connections: usize,
    pub(crate) open: usize,
    pub(crate) most_open: usize,
    pub(crate) commands: Vec<String>,
    pub(crate) mails: Vec<String>,
}

impl FakeRelay {
    /// Serves the first connection by the first habit, the second by the second, all others by the last.
    pub(crate) async fn start(habits: &[Habit]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let heard = Arc::<Mutex<Heard>>::default();
        let (habits, all) = (habits.to_vec(), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let number = {
                    let mut heard = all.lock().expect("nobody panicked");
                    heard.connections += 1;
                    heard.open += 1;
                    heard.most_open = heard.most_open.max(heard.open);
                    heard.connections
                };
                let habit = *habits.get(number - 1).or(habits.last()).expect("a habit");
                let heard = Arc::clone(&all);
                tokio::spawn(async move {
                    // An error is the client's hanging up.
                    let _ = serve(socket, habit, &heard).await;
                    heard.lock().expect("nobody panicked").open -= 1;
                });
            }
        });
        Self { port, heard, task }
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("nobody panicked")
    }

    /// A notifier for it, in plain text, after a change of its options.
    pub(crate) fn notifier(&self, change: impl FnOnce(&mut SmtpOptions)) -> SmtpNotifier {
        let from = "vpn@sender.test".parse().expect("a mailbox");
        let mut options = SmtpOptions::new("127.0.0.1", Tls::DangerPlaintext, from);
        options.port = self.port;
        change(&mut options);
        SmtpNotifier::new(options).expect("options that work")
    }
}

impl Drop for FakeRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: TcpStream, habit: Habit, heard: &Mutex<Heard>) -> std::io::Result<()> {
    let mut client = BufReader::new(socket);
    let mut taken = 0;
    if habit == Habit::Silent {
        return client.read_line(&mut String::new()).await.map(drop);
    }
    client.write_all(b"220 fake\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if client.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.trim_end().to_owned();
        heard.lock().expect("nobody panicked").commands.push(command.clone());
        let greets = command.starts_with("EHLO");
        let answer: &[u8] = match habit {
            Habit::HangsUpAfter(mails) if taken == mails && !greets => return Ok(()),
            Habit::SaysGoodbyeAfter(mails) if taken == mails && !greets => b"421 4.4.2 goodbye\r\n",
            Habit::SpeaksBeforeTls if greets => b"250-fake\r\n250 STARTTLS\r\n",
            Habit::SpeaksBeforeTls => b"220 go ahead\r\n250-fake\r\n250 AUTH PLAIN\r\n",
            _ if command.starts_with("RCPT TO:<never") => b"550 5.1.1 mailbox unknown\r\n",
            _ if command == "DATA" => {
                client.write_all(b"354 go ahead\r\n").await?;
                let mail = read_mail(&mut client).await?;
                heard.lock().expect("nobody panicked").mails.push(mail.clone());
                taken += 1;
                match habit {
                    Habit::CutsAfterTheMail(mails) if taken > mails => return Ok(()),
                    Habit::SilentAfterTheMail => return client.read_line(&mut line).await.map(drop),
                    Habit::EchoesTheMail => {
                        client.write_all(mail.as_bytes()).await?;
                        b"\r\n"
                    }
                    _ => b"250 2.0.0 taken\r\n",
                }
            }
            _ => b"250 2.0.0 Ok\r\n",
        };
        client.write_all(answer).await?;
    }
}

async fn read_mail(client: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        if client.read_line(&mut mail).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(mail)
}
