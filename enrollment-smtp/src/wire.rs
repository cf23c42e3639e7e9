//! The bytes under the conversation: a socket that does not wait, encrypted before anything is said over it.
//!
//! lettre could do both, but it leaves Nagle's algorithm on (40 ms for every mail), and what comes with the answer to
//! STARTTLS in plain text it takes for something said under TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::commands::{Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::{Cause, Failure, Step};
use crate::options::{Protection, Tls};

/// No reply is longer than this, however many lines it has.
const LONGEST_REPLY: u64 = 64 * 1024;

/// A connection to the relay over which SMTP can begin: the relay's greeting comes next.
pub(crate) async fn connect(
    host: &str,
    port: u16,
    tls: Tls,
    protection: Option<&Protection>,
    hello: &ClientId,
) -> Result<Box<dyn AsyncTokioStream>, Failure> {
    let mut socket = reach(host, port).await.map_err(|error| Failure::broken(Step::Connect, error))?;
    let Some(protection) = protection else { return Ok(Box::new(socket)) };
    let greeting: &[u8] = match tls {
        Tls::StartTls => {
            ask_for_tls(&mut socket, hello).await?;
            // The relay has greeted already, and lettre still waits for it.
            b"220 encrypted\r\n"
        }
        Tls::Implicit | Tls::DangerPlaintext => b"",
    };
    let connector = TlsConnector::from(protection.config.clone());
    let stream = connector.connect(protection.name.clone(), socket).await.map_err(handshake)?;
    Ok(Box::new(Encrypted { greeting, stream }))
}

async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).await?;
    // A mail is written in two pieces. Without this the second waits until the relay confirms the first.
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Everything up to the relay's consent to begin the handshake (RFC 3207).
async fn ask_for_tls(socket: &mut TcpStream, hello: &ClientId) -> Result<(), Failure> {
    let mut relay = BufReader::new(socket);
    reply(&mut relay, Step::Connect).await?;
    say(&mut relay, &Ehlo::new(hello.clone()).to_string()).await?;
    let offered = reply(&mut relay, Step::Connect).await?;
    if !offered.message().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(Failure { step: Step::Encrypt, cause: Cause::Missing("STARTTLS") });
    }
    say(&mut relay, &Starttls.to_string()).await?;
    reply(&mut relay, Step::Encrypt).await?;
    if relay.buffer().is_empty() {
        Ok(())
    } else {
        // Said by somebody in between, to be taken for the relay's words under TLS.
        let cause = Cause::Untrusted("it went on in plain text after it agreed to encrypt".into());
        Err(Failure { step: Step::Encrypt, cause })
    }
}

async fn say(relay: &mut BufReader<&mut TcpStream>, command: &str) -> Result<(), Failure> {
    relay.write_all(command.as_bytes()).await.map_err(|error| Failure::broken(Step::Encrypt, error))
}

/// One reply, of however many lines (RFC 5321, section 4.2).
async fn reply(relay: &mut BufReader<&mut TcpStream>, step: Step) -> Result<Response, Failure> {
    let broken = |error: io::Error| Failure::broken(step, error);
    let mut text = String::new();
    let mut lines = relay.take(LONGEST_REPLY);
    loop {
        let start = text.len();
        lines.read_line(&mut text).await.map_err(broken)?;
        let line = &text[start..];
        if !line.ends_with('\n') {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            break;
        }
    }
    let response: Response = text.parse().map_err(|error| Failure::smtp(step, error))?;
    if response.is_positive() {
        Ok(response)
    } else {
        let text = response.message().collect::<Vec<_>>().join(" ");
        Err(Failure { step, cause: Cause::Answer { code: response.code().into(), text } })
    }
}

/// A handshake that failed over what was said is a matter of trust; one that was cut may go well the next time.
fn handshake(error: io::Error) -> Failure {
    let untrusted = error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>());
    let cause = if untrusted { Cause::Untrusted(error.into()) } else { Cause::Broken(error.into()) };
    Failure { step: Step::Encrypt, cause }
}

/// An encrypted connection, and what is heard from it first.
#[derive(Debug)]
struct Encrypted {
    greeting: &'static [u8],
    stream: TlsStream<TcpStream>,
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let (now, later) = self.greeting.split_at(buf.remaining().min(self.greeting.len()));
        buf.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn no_mail_waits_for_the_algorithm_of_nagle() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        assert!(reach("127.0.0.1", port).await.expect("reached").nodelay().expect("a socket option"));
    }
}
