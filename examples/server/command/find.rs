//! Things by the names that people know them by.

use enrollment::core::domain::username::Username;
use serde_json::Value;

use super::api::{Api, List};
use super::refusal::Refusal;
use crate::Error;

/// How alike two names must be for one to be meant by the other.
const ALIKE: f64 = 0.75;

/// The user of this name.
pub(crate) async fn user(api: &Api, username: &Username) -> Result<Value, Error> {
    let prefix = username.as_str();
    let (mut users, _) = api.page(&List::all("/users").only("q", Some(prefix)), None).await?;
    if let Some(at) = users.iter().position(|user| user["username"] == prefix) {
        return Ok(users.swap_remove(at));
    }
    // Mistyped names mostly begin right. A page of them will do: this is a courtesy.
    let initial: String = prefix.chars().take(1).collect();
    let (users, _) = api.page(&List::all("/users").only("q", Some(&initial)), None).await?;
    Err(unknown("user", prefix, users.iter().filter_map(|user| user["username"].as_str())))
}

/// The id of the user of this name.
pub(crate) async fn user_id(api: &Api, username: &Username) -> Result<String, Error> {
    Ok(id(&user(api, username).await?))
}

/// The location of this name or id.
pub(crate) async fn location(api: &Api, name: &str) -> Result<Value, Error> {
    named(api, "/locations", "location", name).await
}

/// Where the machines of the location of this name are.
pub(crate) async fn machines(api: &Api, location_name: &str) -> Result<String, Error> {
    Ok(format!("/locations/{}/machines", id(&location(api, location_name).await?)))
}

/// The machine of this name or id at a location.
pub(crate) async fn machine(api: &Api, location_name: &str, name: &str) -> Result<Value, Error> {
    let (path, mut cursor) = (machines(api, location_name).await?, None);
    let mut known = Vec::new();
    loop {
        let (items, next) = api.page(&List::all(&path), cursor.as_deref()).await?;
        known.extend(items);
        let is_it = |item: &Value| {
            item["name"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)) || item["id"] == name
        };
        if let Some(at) = known.iter().position(is_it) {
            return Ok(known.swap_remove(at));
        }
        cursor = next;
        if cursor.is_none() {
            return Err(unknown("machine", name, known.iter().filter_map(|item| item["name"].as_str())));
        }
    }
}

/// The text of this name.
pub(crate) async fn template(api: &Api, name: &str) -> Result<Value, Error> {
    named(api, "/templates", "text", name).await
}

/// The id of what was found.
pub(crate) fn id(found: &Value) -> String {
    found["id"].as_str().unwrap_or_default().to_owned()
}

async fn named(api: &Api, list: &str, what: &str, name: &str) -> Result<Value, Error> {
    let (mut items, _) = api.page(&List::all(list), None).await?;
    let is_it = |item: &Value| {
        item["name"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)) || item["id"] == name
    };
    match items.iter().position(is_it) {
        Some(at) => Ok(items.swap_remove(at)),
        None => Err(unknown(what, name, items.iter().filter_map(|item| item["name"].as_str()))),
    }
}

/// There is none of this name; perhaps another was meant.
fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let alike = |known: &'a str| (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()), known);
    let best = known.map(alike).filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = best.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default();
    Refusal::not_found(format!("there is no {what} {name}{hint}")).into()
}
