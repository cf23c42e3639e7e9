//! One connection to a face, kept alive: a request, its answer, the next request.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::Error;

/// How often the same is asked again.
const REPEATS: u32 = 3;

/// A client of one face.
pub(crate) struct Client {
    face: SocketAddr,
    connection: Option<SendRequest<Body>>,
    sent: usize,
    other: Option<Box<Client>>,
}

impl Client {
    pub(crate) const fn new(face: SocketAddr) -> Self {
        Self { face, connection: None, sent: 0, other: None }
    }

    /// The connection of the same client to another face. One for each client and not for each person: a face serves so
    /// many at a time, and who comes after them waits until an idle one is closed.
    pub(crate) fn at(&mut self, face: SocketAddr) -> &mut Self {
        self.other.get_or_insert_with(|| Box::new(Self::new(face)))
    }

    /// Requests sent, to both.
    pub(crate) fn requests(&self) -> usize {
        self.sent + self.other.as_ref().map_or(0, |other| other.requests())
    }

    /// The JSON of a success; an error otherwise, and when there is no answer. Where the outcome is unknown the same is
    /// asked again, as clients are told to.
    pub(crate) async fn ask(&mut self, method: Method, path: &str, bearer: &str, body: &Value) -> Result<Value, Error> {
        let mut repeats = 0;
        loop {
            match self.send(method.clone(), path, bearer, body).await? {
                (status, answer) if (200..300).contains(&status) => return Ok(answer),
                (_, answer) if answer["code"] == "outcome_unknown" && repeats < REPEATS => repeats += 1,
                (status, answer) => return Err(format!("{path}: {status} {}", answer["code"]).into()),
            }
        }
    }

    /// Status and JSON of whatever is answered.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        bearer: &str,
        body: &Value,
    ) -> Result<(u16, Value), Error> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.face.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))?;
        let mut connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.ready().await?;
        self.sent += 1;
        let answer = connection.send_request(request).await?;
        let status = answer.status().as_u16();
        let bytes = to_bytes(Body::new(answer.into_body()), 64 * 1024 * 1024).await?;
        self.connection = Some(connection);
        Ok((status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? }))
    }

    async fn connect(&self) -> Result<SendRequest<Body>, Error> {
        let stream = TcpStream::connect(self.face).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends with its sender; what went wrong is what the sender hears.
        tokio::spawn(connection);
        Ok(sender)
    }
}
