//! An administrator with a browser: signing in, and the pages behind it.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::Method;

use crate::client::{Answer, Client};
use crate::secrets::Secrets;

/// A browser that keeps cookies, follows no redirect by itself and notes every secret it is given.
pub(crate) struct Browser<'a> {
    face: &'a Client,
    secrets: &'a mut Secrets,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) const fn new(face: &'a Client, secrets: &'a mut Secrets) -> Self {
        Self { face, secrets, cookies: BTreeMap::new() }
    }

    /// Both steps; before them somebody without a right to it tries, with a password that is almost right.
    pub(crate) fn sign_in(&mut self, username: &str, password: &str, code: &str) {
        let mistyped = password.to_lowercase();
        self.secrets.text("mistyped password", &mistyped);
        let refused = self.post("/admin/sign-in", &[("username", "alex"), ("password", &mistyped)]);
        assert_eq!((refused.status, self.cookies.len()), (401, 0), "{}", refused.text());

        let asked = self.post("/admin/sign-in", &[("username", username), ("password", password)]);
        assert_eq!((asked.status, self.cookies.len()), (303, 1), "{}", asked.text());
        self.secrets.code(code);
        let inside = self.post("/admin/sign-in/code", &[("code", code)]);
        assert_eq!((inside.status, self.cookies.len()), (303, 2), "{}: a session and a browser", inside.text());
    }

    /// A page of theirs.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, None)
    }

    /// A form they send.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pair = |(name, value): &(&str, &str)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        let pairs: Vec<_> = fields.iter().map(pair).collect();
        self.ask(Method::POST, path, Some(&pairs.join("&")))
    }

    fn ask(&mut self, method: Method, path: &str, form: Option<&str>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = [
            ("accept", "text/html"),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", &cookies.join("; ")),
        ];
        let answer = self.face.send(method, path, &headers, form);
        for set in answer.head.split("\"set-cookie\": \"").skip(1) {
            let (name, rest) = set.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.secrets.token("administrator's cookie", value);
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}
