//! Commands: everything an administrator does, at the terminal. Whoever may read key ring and database is an Owner.

use std::fmt::Write as _;
use std::io::Write as _;

use enrollment::core::domain::group::Access;
use enrollment::core::domain::location::{MfaMode, Ownership};
use enrollment::core::domain::user::UserStatus;
use enrollment::core::domain::username::Username;
use enrollment::core::service::administrator::{
    Delivery, EnrollmentFilter, EnrollmentView, FirstOwner, Issued, LocationView, NewApiKey, NewLocation, NewUser,
    PageRequest, Stage, StartEnrollment, UserView, Wording,
};
use enrollment::core::service::{Principal, Service};

use super::cli::{self, ApiKey, Audit, Command, Invite, Location, LocationAdd, Mfa, Purpose, User, UserAdd};
use super::config::Config;
use super::{Error, data, gateway, keys, mail};

const BY: Principal = Principal::command_line();

/// Runs one command.
pub(crate) async fn run(config: Config, command: Command) -> Result<(), Error> {
    let opened = data::open(&config).await?;
    let service = &opened.service;
    let text = match command {
        Command::Serve => return super::serve::serve(config).await,
        Command::OwnerLink { username } => match owner_link(service, Some(username)).await? {
            Some(issued) => link(&issued),
            None => "An Owner is enrolled: there is no link for a first one.\n".to_owned(),
        },
        Command::ApiKey(ApiKey::Create { role, user, name }) => {
            let user = match user {
                Some(username) => Some(find(service, &username).await?.id),
                None => None,
            };
            let new = NewApiKey { name: name.parse()?, role, user };
            let (_, secret) = service.administrator().create_api_key(&BY, new).await?;
            format!("{}\n", secret.expose())
        }
        Command::User(User::Add(user)) => add_user(service, user).await?,
        Command::User(User::Erase { username, yes }) => erase_user(service, &username, yes).await?,
        Command::Invite(invite) => self::invite(service, invite).await?,
        Command::Pending => pending(service).await?,
        Command::Location(Location::Add(location)) => add_location(&config, service, location).await?,
        Command::Location(Location::Gateway { name }) => gateway_section(service, &name).await?,
        Command::Location(Location::Peers { name }) => gateway::peers(service, &locate(service, &name).await?).await?,
        Command::Audit(Audit::Verify) => verify_audit(service).await?,
        Command::Mail(command) => mail::run(service, opened.notifier.as_ref(), command).await?,
        Command::Key(command) => keys::run(service, &opened.keys, command).await?,
    };
    opened.store.close().await;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// The first Owner's invitation, the same as long as it is valid.
pub(crate) async fn owner_link(service: &Service, username: Option<Username>) -> Result<Option<Issued>, Error> {
    Ok(service.administrator().owner_link(&BY, FirstOwner { username, email: None }).await?)
}

/// A link, with what its holder should know. Shown once, to the one who asked.
fn link(issued: &Issued) -> String {
    format!("{}\n", issued.url.expose())
}

async fn add_user(service: &Service, add: UserAdd) -> Result<String, Error> {
    let enrollment = add.invite.then_some(start(Purpose::Onboarding, None));
    let new = NewUser {
        username: add.username,
        first_name: add.first_name,
        last_name: add.last_name,
        email: add.email,
        phone: add.phone,
        groups: add.groups.into_iter().collect(),
        role: add.role,
        enrollment,
    };
    let by = on_behalf_of(service, add.initiator).await?;
    let (user, issued) = service.administrator().create_user(&by, new).await?;
    Ok(match issued {
        Some(issued) => link(&issued),
        None => format!("Added {}. To let them in: invite {}\n", user.username, user.username),
    })
}

async fn erase_user(service: &Service, username: &Username, yes: bool) -> Result<String, Error> {
    let user = find(service, username).await?;
    if !yes {
        return Err(format!("this cannot be undone; to erase {username} for good, say it again with --yes").into());
    }
    service.administrator().erase_user(&BY, user.id).await?;
    Ok("Erased. A running server takes their devices out of force and removes what is left within minutes.\n"
        .to_owned())
}

async fn invite(service: &Service, invite: Invite) -> Result<String, Error> {
    let user = find(service, &invite.username).await?;
    let by = on_behalf_of(service, invite.initiator).await?;
    let delivery = if invite.mail { Delivery::Email } else { Delivery::Manual };
    let body = invite.body.map(|file| {
        std::fs::read_to_string(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
    });
    let wording = Wording { subject: invite.subject, body: body.transpose()? };
    let start = StartEnrollment { delivery, wording: Some(wording), ..start(invite.purpose, invite.validity) };
    let issued = service.administrator().start(&by, user.id, start).await?;
    Ok(match issued.mail {
        Some(mail) => format!("The link is queued as mail {mail}\n"),
        None => link(&issued),
    })
}

/// The command line, acting for an administrator where one is named: enrollees see whom to ask (INV-7).
async fn on_behalf_of(service: &Service, initiator: Option<Username>) -> Result<Principal, Error> {
    let Some(username) = initiator else { return Ok(BY) };
    let user = find(service, &username).await?;
    if user.role.is_none() || user.status != UserStatus::Active {
        return Err(format!("{username} is no active administrator").into());
    }
    Ok(Principal { user: Some(user.id), ..BY })
}

fn start(purpose: Purpose, validity: Option<enrollment::core::time::Span>) -> StartEnrollment {
    use enrollment::core::domain::enrollment::Purpose as Domain;
    let purpose = match purpose {
        Purpose::Onboarding => Domain::Onboarding,
        Purpose::Device => Domain::Device,
        Purpose::Factor => Domain::Factor,
    };
    StartEnrollment { purpose, delivery: Delivery::Manual, email: None, validity, wording: None }
}

async fn find(service: &Service, username: &Username) -> Result<UserView, Error> {
    let page = PageRequest { cursor: None, limit: Some(1) };
    let found = service.administrator().users(&BY, Some(username.as_str()), &page).await?.items.into_iter().next();
    found.filter(|user| user.username == *username).ok_or_else(|| format!("there is no user {username}").into())
}

async fn pending(service: &Service) -> Result<String, Error> {
    let mut text = format!("{:<24} {:<11} {:<30} {}\n", "USER", "PURPOSE", "VALID UNTIL", "PROGRESS");
    let mut page = PageRequest { cursor: None, limit: Some(500) };
    let filter = EnrollmentFilter::default();
    loop {
        let listing = service.administrator().enrollments(&BY, &filter, &page).await?;
        for item in &listing.items {
            let until = if item.expired { "expired".to_owned() } else { item.expires_at.to_string() };
            let (user, purpose) = (item.user.username.as_str(), item.purpose.as_str());
            writeln!(text, "{user:<24} {purpose:<11} {until:<30} {}", progress(item))?;
        }
        match listing.next {
            Some(next) => page.cursor = Some(next),
            None => return Ok(text),
        }
    }
}

fn progress(item: &EnrollmentView) -> String {
    let progress = &item.progress;
    if matches!(progress.stage, Stage::Invited) {
        return "not begun".to_owned();
    }
    let steps = [
        ("profile", progress.profile),
        ("password", progress.password),
        ("mfa", progress.mfa),
        ("device", progress.device),
    ];
    let done: Vec<&str> = steps.into_iter().filter_map(|(step, done)| done.then_some(step)).collect();
    match done.as_slice() {
        [] => "begun".to_owned(),
        done => done.join(", "),
    }
}

async fn add_location(config: &Config, service: &Service, add: LocationAdd) -> Result<String, Error> {
    let pools = add
        .pools
        .iter()
        .map(|pool| pool.parse())
        .collect::<Result<Vec<enrollment::core::domain::address::Pool>, _>>()?;
    let allowed_ips = if add.allowed_ips.is_empty() {
        pools.iter().map(|pool| pool.network()).collect()
    } else {
        add.allowed_ips.iter().map(|network| network.parse()).collect::<Result<_, _>>()?
    };
    let new = NewLocation {
        name: add.name.parse()?,
        endpoint: add.endpoint.parse()?,
        public_key: add.public_key,
        pools,
        allowed_ips,
        dns: add.dns.iter().map(|entry| entry.parse()).collect::<Result<_, _>>()?,
        keepalive: add.keepalive,
        mtu: add.mtu,
        mfa: match add.mfa {
            Mfa::Disabled => MfaMode::Disabled,
            Mfa::Internal => MfaMode::Internal,
            Mfa::External => MfaMode::External,
        },
        factors: None,
        access: if add.groups.is_empty() { Access::Everyone } else { Access::Groups(add.groups.into_iter().collect()) },
        ownership: match add.ownership {
            cli::Ownership::Shared => Ownership::Shared,
            cli::Ownership::Exclusive => Ownership::Exclusive,
        },
    };
    let created = service.administrator().create_location(&BY, new).await?;
    let file = gateway::file(config).path(created.location.id);
    let mut text = format!("Added {}. Its peers stand in {}\n", created.location.name, file.display());
    if let Some(key) = created.private_key {
        gateway::write_interface(&file, &gateway::interface(&created.location, &key.expose_base64()))?;
        writeln!(text, "The gateway's key pair was made here; bring it up with: wg-quick up {}", file.display())?;
    }
    Ok(text)
}

async fn locate(service: &Service, name: &str) -> Result<LocationView, Error> {
    let locations = service.administrator().locations(&BY).await?;
    let named = |location: &LocationView| location.name.as_str().eq_ignore_ascii_case(name);
    locations.into_iter().find(named).ok_or_else(|| format!("there is no location {name}").into())
}

async fn gateway_section(service: &Service, name: &str) -> Result<String, Error> {
    let location = locate(service, name).await?;
    let key = service.administrator().gateway_private_key(&BY, location.id).await?;
    Ok(gateway::interface(&location, &key.expose_base64()))
}

async fn verify_audit(service: &Service) -> Result<String, Error> {
    let report = service.administrator().verify_audit(&BY).await?;
    match report.problem {
        Some(problem) => Err(format!("{problem} ({} entries before it are right)", report.entries).into()),
        None => Ok(format!(
            "{} entries are as they were sealed, {} before them were pruned; {} wait for their seal. Chain: {}\n",
            report.entries, report.pruned, report.unsealed, report.chain
        )),
    }
}
