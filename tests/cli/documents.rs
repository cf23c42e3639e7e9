//! What programs read: the documents of the API.

use serde_json::Value;

use crate::terminal::Terminal;

/// The members of the schema of this name in the description of the API.
fn members(schema: &str) -> Vec<String> {
    let api = serde_json::to_value(enrollment::axum::openapi()).expect("a document");
    let mut members = Vec::new();
    let schema = &api["components"]["schemas"][schema];
    assert!(schema.is_object(), "no schema of this name");
    for part in schema["allOf"].as_array().into_iter().flatten().chain([schema]) {
        let part = match part["$ref"].as_str() {
            Some(path) => &api["components"]["schemas"][path.rsplit('/').next().expect("a name")],
            None => part,
        };
        members.extend(part["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    members
}

fn has_members_of(document: &Value, schema: &str) {
    let expected = members(schema);
    let names: Vec<&String> = document.as_object().expect("an object").keys().collect();
    assert!(!names.is_empty(), "{schema}");
    for name in names {
        assert!(expected.contains(name), "{schema} has no {name}: {document}");
    }
}

#[test]
fn json_is_the_document_of_the_api() {
    let terminal = Terminal::furnished();
    for (arguments, schema) in [
        (&["user", "show", "anna"][..], "UserDto"),
        (&["user", "add", "carl", "--invite"], "CreateUserAnswer"),
        (&["invite", "anna"], "IssuedDto"),
        (&["location", "show", "office"], "LocationDto"),
        (&["location", "peers", "office"], "LocationPeersDto"),
        (&["location", "change", "office", "--keepalive", "0"], "LocationDto"),
        (&["settings", "show"], "SettingsDto"),
        (&["settings", "set", "--no-sender"], "SettingsDto"),
        (&["template", "show", "onboarding"], "TemplateDto"),
        (&["template", "preview", "onboarding"], "PreviewDto"),
        (&["mail", "status"], "MailStatusDto"),
        (&["audit", "verify"], "ReportDto"),
        (&["api-key", "create", "--role", "owner"], "CreateApiKeyAnswer"),
    ] {
        has_members_of(&terminal.json(arguments), schema);
    }
    for (arguments, schema) in [
        (&["user", "list"][..], "UserDto"),
        (&["pending"], "EnrollmentDto"),
        (&["location", "list"], "LocationDto"),
        (&["template", "list"], "TemplateDto"),
        (&["audit", "list"], "EntryDto"),
        (&["api-key", "list"], "ApiKeyDto"),
    ] {
        let list = terminal.json(arguments);
        let items = list["items"].as_array().expect("items");
        assert!(!items.is_empty(), "{arguments:?}");
        items.iter().for_each(|item| has_members_of(item, schema));
    }
}

/// A page has 500 items; what comes after it is read too.
#[test]
fn a_list_of_several_pages_is_one_document() {
    let terminal = Terminal::new();
    let audit = || terminal.json(&["audit", "list", "--limit", "1000"])["items"].as_array().map_or(0, Vec::len);
    let before = audit();
    let page = terminal.json(&["audit", "list", "--limit", "1"]);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(before.min(1)));
    terminal.ok(&["user", "add", "anna"]);
    terminal.ok(&["user", "add", "berta"]);
    let first = terminal.json(&["audit", "list", "--limit", "1"]);
    let cursor = first["next"].as_str().expect("there is more");
    let second = terminal.json(&["audit", "list", "--limit", "1", "--cursor", cursor]);
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
}
