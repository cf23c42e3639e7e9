//! Everything the administrator's API can do, there is a command for.

use std::collections::BTreeMap;

use crate::terminal::Terminal;

/// The command for each operation of the API.
const COMMANDS: &[(&str, &str)] = &[
    ("list_users", "user list"),
    ("create_user", "user add"),
    ("get_user", "user show"),
    ("change_user", "user change"),
    ("erase_user", "user erase"),
    ("start_enrollment", "enrollment start"),
    ("list_devices", "device list"),
    ("remove_device", "device remove"),
    ("list_enrollments", "enrollment list"),
    ("get_enrollment", "enrollment show"),
    ("revoke_enrollment", "enrollment delete"),
    ("resend_enrollments", "enrollment resend"),
    ("resend_enrollment", "enrollment resend"),
    ("list_mail", "mail queue"),
    ("get_mail_status", "mail status"),
    ("send_test_mail", "mail test"),
    ("retry_mail", "mail retry"),
    ("drop_mail", "mail drop"),
    ("list_locations", "location list"),
    ("create_location", "location add"),
    ("get_location", "location show"),
    ("change_location", "location change"),
    ("get_location_peers", "location peers"),
    ("list_machines", "machine list"),
    ("create_machine", "machine add"),
    ("get_machine", "machine show"),
    ("remove_machine", "machine remove"),
    ("reissue_machine", "machine reissue"),
    ("get_settings", "settings show"),
    ("change_settings", "settings set"),
    ("list_templates", "template list"),
    ("get_template", "template show"),
    ("save_template", "template set"),
    ("reset_template", "template remove"),
    ("preview_template", "template preview"),
    ("list_audit", "audit list"),
    ("export_audit", "audit export"),
    ("verify_audit", "audit verify"),
    ("list_api_keys", "api-key list"),
    ("create_api_key", "api-key create"),
    ("revoke_api_key", "api-key revoke"),
];

#[test]
fn every_operation_of_the_api_has_a_command() {
    let api = serde_json::to_value(enrollment::axum::openapi()).expect("a document");
    let commands: BTreeMap<&str, &str> = COMMANDS.iter().copied().collect();
    let reference = Terminal::new().ok(&["reference", "commands"]);
    let mut operations = 0;
    for (path, item) in api["paths"].as_object().expect("paths") {
        if !path.starts_with("/api/admin/") {
            continue;
        }
        for operation in item.as_object().expect("operations").values() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let command = commands.get(id).unwrap_or_else(|| panic!("{id} has no command"));
            assert!(reference.contains(&format!("# server {command}\n")), "{command}");
            operations += 1;
        }
    }
    assert_eq!(operations, commands.len(), "a command for what is no longer there");
}
