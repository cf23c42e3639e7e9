//! What a text may say about a person.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

/// Every tag, in the order in which help lists them.
///
/// `defguard_url` and `defguard_version` are `instance_url` and `instance_version` under the names that texts written
/// for Defguard use.
pub const TAGS: [&str; 11] = [
    "first_name",
    "last_name",
    "username",
    "admin_first_name",
    "admin_last_name",
    "admin_phone",
    "admin_email",
    "defguard_url",
    "defguard_version",
    "instance_url",
    "instance_version",
];

/// The values of the tags for one person. An empty value renders as nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// The person's first name.
    pub first_name: String,
    /// The person's last name.
    pub last_name: String,
    /// The person's username.
    pub username: String,
    /// The first name of the administrator who started the enrollment; empty when that account is gone.
    pub admin_first_name: String,
    /// The last name of that administrator.
    pub admin_last_name: String,
    /// The phone number of that administrator.
    pub admin_phone: String,
    /// The e-mail address of that administrator.
    pub admin_email: String,
    /// Where this instance is reached. The only tag that may choose where a link leads: it must come from the
    /// configuration, never from a person or a request.
    pub instance_url: String,
    /// The version of this instance.
    pub instance_version: String,
}

impl Tags {
    /// Values to check and to preview a text with. None is empty.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            first_name: "Anna".into(),
            last_name: "Kowalska".into(),
            username: "akowalska".into(),
            admin_first_name: "Jan".into(),
            admin_last_name: "Nowak".into(),
            admin_phone: "+48 600 100 200".into(),
            admin_email: "jan.nowak@example.com".into(),
            instance_url: "https://vpn.example.com".into(),
            instance_version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// The value of a tag; nothing when there is no such tag.
    fn value(&self, tag: &str) -> Option<Value> {
        let person = |text: &String| Some(Value::from(text.as_str()));
        match tag {
            "first_name" => person(&self.first_name),
            "last_name" => person(&self.last_name),
            "username" => person(&self.username),
            "admin_first_name" => person(&self.admin_first_name),
            "admin_last_name" => person(&self.admin_last_name),
            "admin_phone" => person(&self.admin_phone),
            "admin_email" => person(&self.admin_email),
            // "Safe" is how the engine marks it: the mark is lost as soon as anything is joined to it.
            "defguard_url" | "instance_url" => Some(Value::from_safe_string(self.instance_url.clone())),
            "defguard_version" | "instance_version" => person(&self.instance_version),
            _ => None,
        }
    }

    /// The names and values for the engine.
    pub(super) fn context(&self) -> Value {
        Value::from(self.values())
    }

    /// The value of every tag.
    pub(super) fn values(&self) -> BTreeMap<&'static str, Value> {
        TAGS.iter().filter_map(|tag| Some((*tag, self.value(tag)?))).collect()
    }
}

/// A link that opens the desktop client, as the engine gets it. Only a part of a mail that nobody edits has a tag for it,
/// and it leads there only as a whole: a filter, or anything joined to it, makes it a text like any other.
pub(super) struct ClientLink(String);

impl ClientLink {
    /// The value of the tag; one that counts as no where there is no link.
    pub(super) fn value(link: &str) -> Value {
        if link.is_empty() { Value::from("") } else { Value::from_object(Self(link.to_owned())) }
    }
}

impl fmt::Debug for ClientLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientLink(…)")
    }
}

impl Object for ClientLink {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
