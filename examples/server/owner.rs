//! The first Owner, who is enrolled through the product itself (ADM-11).

use std::io::{ErrorKind, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use enrollment::core::domain::username::Username;
use enrollment::core::service::administrator::{FirstOwner, Issued, OwnerLink};
use enrollment::core::service::{Principal, Service};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::config::Config;
use super::{Error, data};

/// How often the link is looked after while nobody is enrolled.
const EVERY: Duration = Duration::from_secs(60);

/// Shows the first Owner's link on a terminal, and keeps it in a file only its owner can read, for whoever has none: for as
/// long as nobody is enrolled it is renewed, then the file goes. The link never enters a log.
pub(crate) async fn greet(config: &Config, service: &Service) -> Result<JoinHandle<()>, Error> {
    let file = config.data.join("owner-link");
    let link = link(service, None).await?;
    match &link {
        OwnerLink::Open(issued) if std::io::stdout().is_terminal() => welcome(config, issued),
        OwnerLink::Open(_) => {
            tracing::info!(file = %file.display(), "nobody is enrolled yet; the first Owner's link lies in this file");
        }
        OwnerLink::Enrolling { until } => {
            tracing::info!(%until, "somebody is enrolling as the first Owner; if they do not finish, a new link follows");
        }
        OwnerLink::Enrolled => {}
    }
    keep(&file, &link)?;
    let waiting = !matches!(link, OwnerLink::Enrolled);
    Ok(tokio::spawn(look_after(service.clone(), file, waiting)))
}

/// The first Owner's invitation, the same as long as it is valid.
pub(crate) async fn link(service: &Service, username: Option<Username>) -> Result<OwnerLink, Error> {
    let first = FirstOwner { username, email: None };
    Ok(service.administrator().owner_link(&Principal::command_line(), first).await?)
}

async fn look_after(service: Service, file: PathBuf, mut waiting: bool) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while waiting {
        ticks.tick().await;
        let kept = match link(&service, None).await {
            Ok(link) => {
                waiting = !matches!(link, OwnerLink::Enrolled);
                keep(&file, &link)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "the first Owner's link could not be renewed; will be tried again");
            waiting = true;
        }
    }
}

fn keep(file: &Path, link: &OwnerLink) -> Result<(), Error> {
    let kept = match link {
        OwnerLink::Open(issued) => write(file, &format!("{}\n", issued.url.expose())),
        // It may still lead back who began with it.
        OwnerLink::Enrolling { .. } => Ok(()),
        OwnerLink::Enrolled => match std::fs::remove_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        },
    };
    kept.map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Whoever reads it meanwhile finds the old link or the new one; one that is there already is left alone.
fn write(file: &Path, link: &str) -> std::io::Result<()> {
    if std::fs::read(file).is_ok_and(|there| there == link.as_bytes()) {
        return Ok(());
    }
    let new = file.with_extension("new");
    data::write_private(&new, link.as_bytes())?;
    std::fs::rename(new, file)
}

#[allow(clippy::print_stdout, reason = "the terminal is where the first Owner is greeted")]
fn welcome(config: &Config, issued: &Issued) {
    println!(
        "\nWelcome. Nobody is enrolled yet. This link makes you the first Owner; it is valid until {}:\n\n  {}\n\n\
         Enrollment: {}    Administration: http://{}/admin    Stop: Ctrl-C\n",
        issued.expires_at,
        issued.url.expose(),
        config.public_url,
        config.internal
    );
}
