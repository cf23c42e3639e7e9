//! The two faces never mix (SYS-1).

use serde_json::{Value, json};
use ureq::http::Method;

use crate::client::{Answer, Client};
use crate::journey::Journey;

/// SYS-1: every route of the description is there on its own face, and on the other there is nothing at its address.
#[test]
fn each_face_has_its_own_routes_only() {
    let journey = Journey::start();
    let description = journey.internal.get("/api/openapi.json", &journey.api_key).ok();
    let mut routes = [0; 2];
    for (path, method) in described(&description) {
        let (index, own, other) = match path.as_str() {
            path if path.starts_with("/api/enroll/") => (0, &journey.public, &journey.internal),
            path if path.starts_with("/api/admin/") => (1, &journey.internal, &journey.public),
            _ => continue,
        };
        routes[index] += 1;
        for bearer in [journey.api_key.as_str(), "nothing"] {
            ask(other, &method, &path, bearer).refused(404, "not_found");
        }
        assert_ne!(ask(own, &method, &path, "nothing").status, 404, "{method} {path}");
    }
    assert!(routes[0] >= 10 && routes[1] >= 20, "{routes:?}");

    let pages = [
        (&journey.internal, "/enroll"),
        (&journey.internal, "/enroll/enr_0"),
        (&journey.public, "/api/openapi.json"),
        (&journey.public, "/metrics"),
    ];
    for (face, path) in pages {
        face.get(path, &journey.api_key).refused(404, "not_found");
    }
    for (face, door) in [(&journey.public, "/enroll"), (&journey.internal, "/admin")] {
        let start = face.get("/", "nothing");
        let leads = start.head.contains(&format!("\"location\": \"{door}\""));
        assert!(start.status == 303 && leads, "{} {}", start.status, start.head);
    }
}

fn ask(face: &Client, method: &Method, path: &str, bearer: &str) -> Answer {
    match *method {
        Method::GET | Method::DELETE => {
            face.send(method.clone(), path, &[("authorization", &format!("Bearer {bearer}"))], None)
        }
        _ => face.json(method.clone(), path, bearer, &json!({})),
    }
}

/// Every path with its methods, identifiers filled in.
fn described(description: &Value) -> Vec<(String, Method)> {
    let paths = description["paths"].as_object().expect("paths");
    let methods = paths.iter().flat_map(|(path, item)| {
        let named = item.as_object().expect("a path's methods").keys().map(move |method| (path, method));
        named.filter_map(|(path, method)| Some((path, method.to_uppercase().parse::<Method>().ok()?)))
    });
    let id = "01920000-0000-7000-8000-000000000001";
    let filled = methods.map(|(path, method)| (path.replace("{id}", id).replace("{name}", "onboarding"), method));
    filled.collect()
}
