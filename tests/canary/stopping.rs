//! The journey's end: a stop that finishes what is in flight, and a start on what is left.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::client::{Client, ENROLL, text};
use crate::enrollee::Enrollee;
use crate::journey::Journey;
use crate::server::{Server, command};

/// ADM-11, TOK-4, TOK-5, MFA-3, DEV-3, SYS-7: everything happens once, and outlives the process.
#[test]
fn the_whole_journey_outlives_a_stop() {
    let mut journey = Journey::whole();
    let data = journey.data();
    let sam = Enrollee::begin(&journey.public, &journey.unused_token, &mut journey.secrets).session;

    let mut request = InFlight::send(journey.server.public, &sam);
    journey.server.terminate();
    journey.server.has_said("stopping: requests in flight finish");
    let answer = request.finish();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    journey.server.finished();

    let server = Server::start(&data, "trace");
    let (public, internal) = (Client::new(server.public), Client::new(server.internal));
    let state = public.get(&format!("{ENROLL}/session"), &sam).ok();
    let missing = state["missing"].as_array().expect("a list");
    assert!(!missing.contains(&json!("profile")), "the request in flight was done: {state}");
    let devices = internal.get(&format!("/api/admin/v1/users/{}/devices", journey.alex), &journey.api_key).ok();
    assert_eq!(text(&devices["items"][0], "status"), "applied");
    assert!(!data.join("owner-link").exists(), "an Owner is enrolled: their link is gone");
    server.stop();

    let (verified, _) = command(&data, &["audit", "verify"]);
    assert!(verified.contains("entries are as they were sealed"), "{verified}");
}

/// A request the server has begun to handle, and that waits for its body.
struct InFlight(TcpStream);

impl InFlight {
    fn send(face: SocketAddr, session: &str) -> Self {
        let mut stream = TcpStream::connect(face).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        write!(
            stream,
            "PUT {ENROLL}/session/profile HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {session}\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        .expect("the server reads");
        // It says so when the handler asks for the body, not before (RFC 9110, section 10.1.1).
        let wanted = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut line = vec![0; wanted.len()];
        stream.read_exact(&mut line).expect("the server wants the body");
        assert_eq!(line, wanted);
        Self(stream)
    }

    fn finish(&mut self) -> String {
        self.0.write_all(b"{}").expect("the server reads");
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).expect("an answer, and the end");
        answer
    }
}
