//! Sends what a sample sends and holds the answer against the sample's, member by member.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::http::Method;
use serde_json::Value;

use crate::client::{Answer, send, with, with_json};
use crate::world::World;

/// Members that clients take as missing when they are null.
const NULLABLE: [&str; 6] = ["admin", "phone_number", "openid_display_name", "dns", "token", "totp_secret"];

fn sample(name: &str) -> Value {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/defguard/wire").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).expect("a sample")).expect("JSON")
}

impl World {
    /// Sends the request of a sample, with the cookie and the members that are given in place of its own. The answer has
    /// the sample's status, the same members of the same types, and says the same about cookies.
    pub(crate) async fn replay(&self, name: &str, cookie: Option<&str>, own: &[(&str, &str)]) -> Answer {
        let sample = sample(name);
        let (sent, expected) = (&sample["request"], &sample["response"]);
        let method: Method = sent["method"].as_str().expect("a method").parse().expect("a method");
        let mut body = sent["body"].clone();
        for (member, value) in own {
            assert!(body.get(*member).is_some(), "{name} has no {member}");
            body[*member] = Value::from(*value);
        }
        let mut request = with_json(method, sent["path"].as_str().expect("a path"), &body);
        assert_eq!(cookie.is_some(), sent["headers"].get("cookie").is_some(), "{name}: cookie");
        if let Some(cookie) = cookie {
            request = with(request, "cookie", cookie);
        }
        let answer = send(&self.public, request).await;
        assert_eq!(Some(u64::from(answer.status.as_u16())), expected["status"].as_u64(), "{name}: {}", answer.text());
        match &expected["body"] {
            Value::String(text) => assert_eq!(answer.text(), *text, "{name}"),
            expected => {
                assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
                alike(expected, &answer.json(), name);
            }
        }
        let expected = expected["headers"].get("set-cookie").map(|value| value.as_str().expect("a text"));
        same_cookie(expected, answer.header("set-cookie"), name);
        answer
    }
}

/// Whether two answers have the same members of the same types.
fn alike(expected: &Value, got: &Value, at: &str) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            let members = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(members(expected), members(got), "{at}");
            for (member, expected) in expected {
                let got = &got[member];
                if NULLABLE.contains(&member.as_str()) && (got.is_null() || (expected.is_null() && got.is_string())) {
                    continue;
                }
                alike(expected, got, &format!("{at}.{member}"));
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            assert_eq!(expected.is_empty(), got.is_empty(), "{at}: {got:?}");
            for item in got {
                alike(&expected[0], item, &format!("{at}[]"));
            }
        }
        (Value::Number(expected), Value::Number(got)) => {
            let whole = got.as_i64().is_some_and(|got| (0..1 << 53).contains(&got));
            assert!(whole && expected.is_i64(), "{at}: {got}");
        }
        (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) | (Value::Null, Value::Null) => {}
        _ => assert_eq!(expected, got, "{at}"),
    }
}

fn same_cookie(expected: Option<&str>, got: Option<&str>, at: &str) {
    assert_eq!(expected.is_some(), got.is_some(), "{at}: cookie");
    let (Some(expected), Some(got)) = (expected, got) else { return };
    let value = |line: &str| {
        let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
        assert_eq!(name, "defguard_proxy", "{at}");
        value.to_owned()
    };
    assert_eq!(value(expected).is_empty(), value(got).is_empty(), "{at}: {got}");
    let attributes = got.split_once("; ").expect("attributes").1;
    let age = if value(got).is_empty() { "Max-Age=0" } else { "Max-Age=600" };
    assert_eq!(attributes, format!("Path=/api/v1; {age}; HttpOnly; SameSite=Strict; Secure"), "{at}");
}
