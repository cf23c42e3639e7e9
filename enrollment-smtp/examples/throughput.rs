//! How many mails per second go through the relay of `scripts/postfix`, by number of connections:
//!
//! ```sh
//! eval "$(scripts/postfix start)"
//! cargo run -p enrollment-smtp --example throughput
//! scripts/postfix stop
//! ```

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use enrollment_core::id::OutboxId;
use enrollment_core::port::{Message, Notifier, Recipient};
use enrollment_core::time::Timestamp;
use enrollment_smtp::{Credentials, SmtpNotifier, SmtpOptions, Tls};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

const MAILS: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    for connections in [1, 2, 4, 8, 16] {
        let notifier = Arc::new(SmtpNotifier::new(options(connections)?)?);
        let start = Instant::now();
        let mut running = JoinSet::new();
        for first in 0..connections as u64 {
            let notifier = Arc::clone(&notifier);
            running.spawn(async move {
                for n in (first..MAILS).step_by(connections) {
                    notifier.deliver(&message(n)?).await?;
                }
                Ok::<(), Box<dyn Error + Send + Sync>>(())
            });
        }
        while let Some(done) = running.join_next().await {
            done??;
        }
        let rate = MAILS as f64 / start.elapsed().as_secs_f64();
        writeln!(std::io::stdout(), "{connections:>2} connections: {rate:.0} mails/s")?;
    }
    Ok(())
}

fn options(connections: usize) -> Result<SmtpOptions, Box<dyn Error + Send + Sync>> {
    let folder = PathBuf::from(std::env::var("ENROLLMENT_TEST_SMTP")?);
    let ports = std::fs::read_to_string(folder.join("ports"))?;
    let port = ports.lines().find_map(|line| line.strip_prefix("starttls ")).ok_or("no port for STARTTLS")?;
    let mut options = SmtpOptions::new("localhost", Tls::StartTls, "vpn@sender.test".parse()?);
    options.port = port.parse()?;
    options.credentials = Some(Credentials::new("alice", "secret123"));
    options.roots = Some(std::fs::read_to_string(folder.join("cert.pem"))?);
    options.connections = connections;
    Ok(options)
}

fn message(n: u64) -> Result<Message, Box<dyn Error + Send + Sync>> {
    Ok(Message {
        id: OutboxId::from_uuid(Uuid::from_u64_pair(1, n)),
        from: None,
        to: Recipient::Email("throughput@example.test".parse()?),
        subject: "Your invitation".into(),
        text: "Hello,\n\nhttps://vpn.example.com/enroll/enr_7XKQ2M9D4T6WB8RHJ3NV5YCZ1PFG0SAE42KQ7\n".repeat(10),
        html: Some("<p>Hello, <a href=\"https://vpn.example.com\">begin</a></p>\n".repeat(20)),
        images: Vec::new(),
        queued: Timestamp::EPOCH,
    })
}
