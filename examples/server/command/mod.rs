//! Commands: everything an administrator does, at the terminal. Whoever may read key ring and database is an Owner.

mod api;
mod api_key;
mod audit;
mod device;
mod find;
mod invitation;
mod key;
mod location;
mod machine;
mod mail;
mod reference;
mod refusal;
mod screen;
mod settings;
mod table;
mod template;
mod texts;
mod user;

use clap::{CommandFactory as _, Subcommand, ValueEnum};
use clap_complete::Shell;
use enrollment::core::domain::user::UserStatus;
use enrollment::core::domain::username::Username;
use enrollment::core::service::Principal;
use enrollment::core::service::administrator::OwnerLink;
use serde_json::json;

pub(crate) use refusal::{document, exit_code, is_closed_pipe};

use self::api::Api;
use self::refusal::Refusal;
use self::screen::Screen;
use super::cli::{Cli, Form};
use super::config::Config;
use super::data::{self, Opened};
use super::{Error, log, owner};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve both faces until stopped
    #[command(after_help = "Example: server serve --public-url https://vpn.example.com")]
    Serve,
    /// Print the one-time link of the first Owner; nothing when an Owner is enrolled
    #[command(after_help = "Example: server owner-link")]
    OwnerLink {
        /// The Owner's username
        #[arg(long, default_value = "owner")]
        username: Username,
    },
    /// Start an enrollment and print its link, once: the same as `enrollment start`
    #[command(after_help = "Example: server invite anna --mail")]
    Invite(invitation::Invite),
    /// List the enrollments that are not finished: the same as `enrollment list`
    #[command(after_help = "Example: server pending --search an")]
    Pending {
        /// How the name of the user or machine begins
        #[arg(long, value_name = "PREFIX")]
        search: Option<String>,
    },
    #[command(subcommand, visible_alias = "users")]
    User(user::User),
    #[command(subcommand, visible_alias = "enrollments")]
    Enrollment(invitation::Enrollment),
    #[command(subcommand, visible_alias = "devices")]
    Device(device::Device),
    #[command(subcommand, visible_alias = "locations")]
    Location(location::Location),
    #[command(subcommand, visible_alias = "machines")]
    Machine(machine::Machine),
    #[command(subcommand)]
    Settings(settings::Settings),
    #[command(subcommand, visible_alias = "templates")]
    Template(template::Template),
    #[command(subcommand)]
    Mail(mail::Mail),
    #[command(subcommand)]
    Audit(audit::Audit),
    #[command(subcommand, visible_alias = "api-keys")]
    ApiKey(api_key::ApiKey),
    #[command(subcommand, visible_alias = "keys")]
    Key(key::Key),
    /// Print what has a shell complete these commands
    #[command(after_help = "Example: server completions bash > /etc/bash_completion.d/server")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print a page of the documentation that is made from the code, in Markdown
    #[command(hide = true)]
    Reference {
        /// Which one
        of: Page,
    },
}

/// A page of the documentation.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Page {
    /// These commands
    Commands,
    /// The configuration file
    Configuration,
}

/// What roles there are, the highest first.
const ROLES: [&str; 5] = ["owner", "administrator", "application_manager", "user_manager", "help_desk"];

/// Where a command is: what it was given, and where its answer goes.
struct At<'a> {
    config: &'a Config,
    opened: &'a Opened,
    by: Principal,
    api: Api,
    screen: Screen,
}

/// Runs a command that needs neither configuration nor data; gives back any other.
pub(crate) fn run_bare(command: Command) -> Result<Option<Command>, Error> {
    let mut screen = Screen::new(false);
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "server", &mut script);
            screen.raw(std::str::from_utf8(&script)?)?;
        }
        Command::Reference { of: Page::Commands } => screen.raw(&reference::commands(Cli::command()))?,
        Command::Reference { of: Page::Configuration } => screen.raw(&reference::configuration())?,
        other => return Ok(Some(other)),
    }
    screen.flush()?;
    Ok(None)
}

/// Runs one command on the data folder, beside a running server or without one.
pub(crate) async fn run(config: Config, form: Form, command: Command) -> Result<(), Error> {
    log::start_for_a_command()?;
    let opened = data::open(&config).await?;
    let by = on_behalf_of(&opened, form.by).await?;
    let api = Api::new(&opened.service, by);
    let mut at = At { config: &config, opened: &opened, by, api, screen: Screen::new(form.json) };
    let done = run_at(&mut at, command).await;
    let shown = at.screen.flush();
    opened.store.close().await;
    done.and(shown)
}

async fn run_at(at: &mut At<'_>, command: Command) -> Result<(), Error> {
    match command {
        Command::OwnerLink { username } => owner_link(at, username).await,
        Command::Invite(invite) => invitation::start(at, invite).await,
        Command::Pending { search } => invitation::list(at, invitation::Which { status: None, search }).await,
        Command::User(command) => user::run(at, command).await,
        Command::Enrollment(command) => invitation::run(at, command).await,
        Command::Device(command) => device::run(at, command).await,
        Command::Location(command) => location::run(at, command).await,
        Command::Machine(command) => machine::run(at, command).await,
        Command::Settings(command) => settings::run(at, command).await,
        Command::Template(command) => template::run(at, command).await,
        Command::Mail(command) => mail::run(at, command).await,
        Command::Audit(command) => audit::run(at, command).await,
        Command::ApiKey(command) => api_key::run(at, command).await,
        Command::Key(command) => key::run(at, command).await,
        // Those that come without data were run before it was opened.
        Command::Serve | Command::Completions { .. } | Command::Reference { .. } => Ok(()),
    }
}

async fn owner_link(at: &mut At<'_>, username: Username) -> Result<(), Error> {
    let link = owner::link(&at.opened.service, Some(username)).await?;
    let document = match &link {
        OwnerLink::Open(issued) => json!({"url": issued.url.expose(), "expires_at": issued.expires_at.to_string()}),
        OwnerLink::Enrolling { until } => {
            json!({"url": null, "expires_at": null, "enrolling_until": until.to_string()})
        }
        OwnerLink::Enrolled => json!({"url": null, "expires_at": null}),
    };
    at.screen.answer(&document, |_| match &link {
        OwnerLink::Open(issued) => format!("{}\n", issued.url.expose()),
        OwnerLink::Enrolling { until } => {
            format!(
                "Somebody is enrolling as the first Owner; if they do not finish, there is a new link from {until}.\n"
            )
        }
        OwnerLink::Enrolled => "An Owner is enrolled: there is no link for a first one.\n".to_owned(),
    })
}

/// The command line, acting for an administrator where one is named: enrollees see whom to ask (INV-7).
async fn on_behalf_of(opened: &Opened, initiator: Option<Username>) -> Result<Principal, Error> {
    let by = Principal::command_line();
    let Some(username) = initiator else { return Ok(by) };
    let found = find::user(&Api::new(&opened.service, by), &username).await?;
    let user = opened.service.administrator().user(&by, find::id(&found).parse()?).await?;
    if user.role.is_none() || user.status != UserStatus::Active {
        return Err(Refusal::forbidden(format!("{username} is no active administrator")).into());
    }
    Ok(Principal { user: Some(user.id), ..by })
}
