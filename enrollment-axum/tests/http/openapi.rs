//! The description of the API, and what tests draw from it.

use axum::http::Method;
use serde_json::Value;

use crate::client::{request, send};
use crate::world::world;

/// One operation of the description. Tests that go over all of them cover a new route without being touched.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// With `{…}` where a parameter stands.
    pub(crate) path: String,
    /// The members of its JSON body, if it takes one.
    pub(crate) members: Option<Vec<String>>,
    /// Whether it asks for nothing to be shown.
    pub(crate) open: bool,
}

impl Operation {
    /// The path with `value` in the place of its parameter.
    pub(crate) fn path_with(&self, value: &str) -> String {
        match self.path.split_once('{') {
            Some((before, rest)) => format!("{before}{value}{}", rest.split_once('}').expect("a closed brace").1),
            None => self.path.clone(),
        }
    }

    pub(crate) fn is_internal(&self) -> bool {
        self.path.starts_with("/api/admin/")
    }
}

/// All operations of both faces.
pub(crate) fn operations() -> Vec<Operation> {
    let api = serde_json::to_value(enrollment_axum::openapi()).expect("JSON");
    let mut operations = Vec::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let reference = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let members = reference.as_str().map(|reference| {
                let name = reference.rsplit('/').next().expect("a name");
                let properties = api["components"]["schemas"][name]["properties"].as_object();
                properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
            });
            let open = operation["security"] == serde_json::json!([{}]);
            operations.push(Operation { method, path: path.clone(), members, open });
        }
    }
    assert!(operations.len() > 30, "the description is whole");
    operations
}

/// The description as scripts and generators see it. A change here is a change of the API.
#[test]
fn the_description_is_this() {
    insta::assert_json_snapshot!(enrollment_axum::openapi());
}

#[tokio::test]
async fn the_internal_face_serves_the_description() {
    let world = world();
    let served: Value = send(&world.internal, request(Method::GET, "/api/openapi.json")).await.ok();
    assert_eq!(served, serde_json::to_value(enrollment_axum::openapi()).expect("JSON"));
}
