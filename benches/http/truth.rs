//! What the database says, once the server was started anew, and whether everybody believes it.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};

use super::Error;
use super::client::Client;
use super::people::Belief;
use super::server::Server;

/// Prints both, and whether they are the same.
pub(crate) async fn agrees(server: &Server, belief: &Belief) -> Result<bool, Error> {
    let mut client = Client::new(server.internal);
    let users = all(&mut client, server, "/users?limit=500").await?;
    let users: Vec<&Value> = users.iter().filter(|user| is_ours(&user["username"])).collect();
    let enrolled: BTreeSet<String> =
        users.iter().filter(|user| user["enrolled"] == true).map(|user| name(&user["username"])).collect();
    let mut begun = enrolled.clone();
    for pending in all(&mut client, server, "/enrollments?limit=500").await? {
        if is_ours(&pending["user"]["username"]) && pending["progress"]["stage"] == "in_session" {
            begun.insert(name(&pending["user"]["username"]));
        }
    }
    let path = format!("/api/admin/v1/locations/{}/peers", server.location);
    let peers = client.ask(Method::GET, &path, &server.api_key, &json!({})).await?;
    let count = |state: &str| peers[state].as_u64().unwrap_or_default();
    let devices = ["applied", "pending", "failed", "staged"].into_iter().map(count).sum::<u64>();

    let (believed_begun, believed_enrolled) = belief.sets();
    println!("\n| | clients believe | the database says |\n|---|--:|--:|");
    println!("| people invited | {} | {} |", belief.people(), users.len());
    println!("| sessions begun | {} | {} |", believed_begun.len(), begun.len());
    println!("| enrollments complete | {} | {} |", believed_enrolled.len(), enrolled.len());
    println!("| devices | {} | {devices} |", belief.devices());
    Ok(belief.people() == users.len()
        && believed_begun == begun
        && believed_enrolled == enrolled
        && u64::try_from(belief.devices()) == Ok(devices))
}

async fn all(client: &mut Client, server: &Server, path: &str) -> Result<Vec<Value>, Error> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/admin/v1{path}{cursor}");
        let mut page = client.ask(Method::GET, &path, &server.api_key, &json!({})).await?;
        if let Value::Array(some) = page["items"].take() {
            items.extend(some);
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(items),
        }
    }
}

fn is_ours(username: &Value) -> bool {
    username.as_str().is_some_and(|username| username.starts_with("person"))
}

fn name(username: &Value) -> String {
    username.as_str().unwrap_or_default().to_owned()
}
