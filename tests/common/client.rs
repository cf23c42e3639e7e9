//! Requests and answers of one face.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderValue, Method, Request};

/// Where the two APIs lie.
pub(crate) const ENROLL: &str = "/api/enroll/v1";
pub(crate) const ADMIN: &str = "/api/admin/v1";

/// A client of one face. It keeps no cookies and follows no redirect.
pub(crate) struct Client {
    agent: Agent,
    base: String,
}

impl Client {
    pub(crate) fn new(face: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            // A server that refuses a request before it has read all of it closes the connection: the next request
            // would find out by going lost.
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { agent: config.new_agent(), base: format!("http://{face}") }
    }

    /// Sends a request as it is given, to a server that answers.
    pub(crate) fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        self.try_send(method, path, headers, body).expect("an answer")
    }

    fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).expect("a request")),
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer?;
        let head = format!("{:?}", answer.headers());
        let body = answer.body_mut().read_to_vec()?;
        Ok(Answer { status: answer.status().as_u16(), head, body })
    }

    /// Sends JSON, with a Bearer token.
    pub(crate) fn json(&self, method: Method, path: &str, bearer: &str, body: &Value) -> Answer {
        self.try_json(method, path, bearer, body).expect("an answer")
    }

    /// The same to a server that may go away meanwhile. A GET has no body.
    pub(crate) fn try_json(
        &self,
        method: Method,
        path: &str,
        bearer: &str,
        body: &Value,
    ) -> Result<Answer, ureq::Error> {
        let bearer = format!("Bearer {bearer}");
        let headers = [("content-type", "application/json"), ("authorization", &bearer)];
        let body = (method != Method::GET).then(|| body.to_string());
        self.try_send(method, path, &headers, body.as_deref())
    }

    pub(crate) fn post(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, bearer, body)
    }

    pub(crate) fn put(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        self.json(Method::PUT, path, bearer, body)
    }

    pub(crate) fn get(&self, path: &str, bearer: &str) -> Answer {
        self.send(Method::GET, path, &[("authorization", &format!("Bearer {bearer}"))], None)
    }
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of a success.
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The problem document of a refusal with this status and code.
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert!(self.head.contains("application/problem+json"), "{} {} {}", self.status, self.head, self.text());
        let problem: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{problem}");
        problem
    }
}

/// A text in an answer.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    let text = value[field].as_str();
    assert!(text.is_some(), "no text {field}: {value}");
    text.unwrap_or_default()
}
