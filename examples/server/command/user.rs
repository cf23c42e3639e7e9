//! People.

use axum::http::Method;
use clap::{Args, Subcommand};
use enrollment::core::domain::username::Username;

use super::api::{List, Members, escaped};
use super::invitation::shown_once;
use super::refusal::Unclear;
use super::table::{Column, details, plain};
use super::{At, ROLES, find};
use crate::Error;

/// People
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List people by username
    #[command(after_help = "Example: server user list --search an")]
    List {
        /// How the username begins
        #[arg(long, value_name = "PREFIX")]
        search: Option<String>,
    },
    /// Tell everything about a person
    #[command(after_help = "Example: server user show anna")]
    Show {
        /// Who
        username: Username,
    },
    /// Add a person
    #[command(after_help = "Example: server user add anna --first-name Anna --email anna@example.com --invite")]
    Add(Add),
    /// Change what is known of a person; what is not named stays
    #[command(after_help = "Example: server user change anna --email anna@example.org --group staff")]
    Change(Change),
    /// Shut a person out: their enrollments end and their devices go out of force
    #[command(after_help = "Example: server user disable anna")]
    Disable {
        /// Who
        username: Username,
    },
    /// Let a disabled person in again
    #[command(after_help = "Example: server user enable anna")]
    Enable {
        /// Who
        username: Username,
    },
    /// Erase a person: what tells of them goes everywhere, and their links and devices with it
    #[command(after_help = "Example: server user erase anna --yes")]
    Erase {
        /// Who
        username: Username,
        /// Yes, for good
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The name to sign in with
    username: Username,
    /// First name
    #[arg(long)]
    first_name: Option<String>,
    /// Last name
    #[arg(long)]
    last_name: Option<String>,
    /// Address
    #[arg(long)]
    email: Option<String>,
    /// Phone number
    #[arg(long)]
    phone: Option<String>,
    /// A group they belong to; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Make them an administrator
    #[arg(long, value_parser = ROLES)]
    role: Option<String>,
    /// Start their enrollment too, and print its link
    #[arg(long)]
    invite: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Who
    username: Username,
    /// First name
    #[arg(long)]
    first_name: Option<String>,
    /// Last name
    #[arg(long)]
    last_name: Option<String>,
    /// Address
    #[arg(long)]
    email: Option<String>,
    /// Forget the address
    #[arg(long, conflicts_with = "email")]
    no_email: bool,
    /// Phone number
    #[arg(long)]
    phone: Option<String>,
    /// Forget the phone number
    #[arg(long, conflicts_with = "phone")]
    no_phone: bool,
    /// A group they belong to, in place of those before; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Take them out of all groups
    #[arg(long, conflicts_with = "groups")]
    no_groups: bool,
    /// Make them an administrator
    #[arg(long, value_parser = ROLES)]
    role: Option<String>,
    /// They are no administrator any more
    #[arg(long, conflicts_with = "role")]
    no_role: bool,
}

const COLUMNS: &[Column] = &[
    ("USERNAME", |user| plain(&user["username"])),
    ("NAME", |user| format!("{} {}", plain(&user["first_name"]), plain(&user["last_name"])).trim().to_owned()),
    ("EMAIL", |user| plain(&user["email"])),
    ("ROLE", |user| plain(&user["role"])),
    ("STATUS", |user| plain(&user["status"])),
    ("ENROLLED", |user| plain(&user["enrolled"])),
    ("GROUPS", |user| plain(&user["groups"])),
];

pub(super) async fn run(at: &mut At<'_>, command: User) -> Result<(), Error> {
    match command {
        User::List { search } => {
            at.screen.list(&at.api, &List::all("/users").only("q", search.as_deref()), COLUMNS).await
        }
        User::Show { username } => at.screen.answer(&find::user(&at.api, &username).await?, details),
        User::Add(new) => add(at, new).await,
        User::Change(change) => {
            let username = change.username.clone();
            let members = change.members();
            if members.is_empty() {
                return Err(Unclear("nothing to change: name what, such as --email".to_owned()).into());
            }
            change_user(at, &username, members, details).await
        }
        User::Disable { username } => {
            let members = Members::default().set("status", "disabled");
            let told = format!("{username} is shut out; their devices are on their way out of force.\n");
            change_user(at, &username, members, |_| told).await
        }
        User::Enable { username } => {
            let members = Members::default().set("status", "active");
            let told = format!("{username} is active.\n");
            change_user(at, &username, members, |_| told).await
        }
        User::Erase { username, yes } => erase(at, &username, yes).await,
    }
}

async fn add(at: &mut At<'_>, new: Add) -> Result<(), Error> {
    let Add { username, first_name, last_name, email, phone, groups, role, invite } = new;
    let members = Members::default()
        .set("username", username.as_str())
        .given("first_name", first_name)
        .given("last_name", last_name)
        .given("email", email)
        .given("phone", phone)
        .set("groups", groups)
        .given("role", role)
        .given("enrollment", invite.then(|| Members::default().set("delivery", "manual").into_value()));
    let answer = at.api.send(Method::POST, "/users", members).await?;
    at.screen.answer(&answer, |answer| match &answer["enrollment"] {
        serde_json::Value::Null => format!("Added {username}. To let them in: invite {username}\n"),
        issued => shown_once(issued),
    })
}

impl Change {
    fn members(self) -> Members {
        Members::default()
            .given("first_name", self.first_name)
            .given("last_name", self.last_name)
            .given("email", self.email)
            .cleared("email", self.no_email)
            .given("phone", self.phone)
            .cleared("phone", self.no_phone)
            .given("groups", (self.no_groups || !self.groups.is_empty()).then_some(self.groups))
            .given("role", self.role)
            .cleared("role", self.no_role)
    }
}

async fn change_user(
    at: &mut At<'_>,
    username: &Username,
    members: Members,
    text: impl FnOnce(&serde_json::Value) -> String,
) -> Result<(), Error> {
    let id = find::user_id(&at.api, username).await?;
    let answer = at.api.send(Method::PATCH, &format!("/users/{}", escaped(&id)), members).await?;
    at.screen.answer(&answer, text)
}

async fn erase(at: &mut At<'_>, username: &Username, yes: bool) -> Result<(), Error> {
    let id = find::user_id(&at.api, username).await?;
    if !yes {
        let sure = format!("this cannot be undone; to erase {username} for good, say it again with --yes");
        return Err(Unclear(sure).into());
    }
    let answer = at.api.send(Method::POST, &format!("/users/{id}/erase"), Members::default()).await?;
    at.screen.answer(&answer, |_| {
        "Erased. A running server takes their devices out of force and removes what is left within minutes.\n"
            .to_owned()
    })
}
