//! Serving both faces until stopped.

use std::future::IntoFuture as _;
use std::io::IsTerminal as _;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt as _;
use enrollment::core::service::administrator::Issued;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::config::Config;
use super::workers::Workers;
use super::{Error, commands, data, gateway, http, log};

/// Serves until SIGINT or SIGTERM; then requests in flight finish and workers return what they hold (SYS-7).
pub(crate) async fn serve(config: Config) -> Result<(), Error> {
    log::start(&config)?;
    let opened = data::open(&config).await?;
    let provisioner = gateway::provisioner(&config);
    let public = bind(config.public).await?;
    let internal = bind(config.internal).await?;
    let workers = Workers::start(&opened.service, &opened.bell, provisioner);
    tracing::info!(
        public = %public.local_addr()?,
        internal = %internal.local_addr()?,
        url = config.public_url,
        data = %config.data.display(),
        "serving"
    );
    greet_owner(&config, &opened).await?;

    let (stop, stopped) = watch::channel(());
    let state = http::state(&config, &opened.service);
    let mut public = tokio::spawn(face(public, http::public(&state), stopped.clone()));
    let mut internal = tokio::spawn(face(internal, http::internal(&state), stopped));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = &mut public => return Err(ended_early("public", ended)),
        ended = &mut internal => return Err(ended_early("internal", ended)),
    }
    tracing::info!("stopping: requests in flight finish");
    drop(stop);
    public.await??;
    internal.await??;
    workers.stop().await;
    opened.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}").into())
}

async fn face(listener: TcpListener, app: Router, mut stopped: watch::Receiver<()>) -> std::io::Result<()> {
    // Answers are small and written at once: waiting to fill a packet only delays them.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            // Fails when the sender is dropped, which is the sign to stop.
            let _ = stopped.changed().await;
        })
        .into_future()
        .await
}

fn ended_early(face: &str, ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Error {
    match ended {
        Ok(Ok(())) => format!("the {face} face ended by itself").into(),
        Ok(Err(error)) => format!("the {face} face ended: {error}").into(),
        Err(error) => format!("the {face} face ended: {error}").into(),
    }
}

/// The first Owner is enrolled through the product itself (ADM-11): their link is shown on a terminal, and lies in a
/// file only its owner can read where there is none. It never enters a log.
async fn greet_owner(config: &Config, opened: &data::Opened) -> Result<(), Error> {
    let file = config.data.join("owner-link");
    match commands::owner_link(&opened.service, None).await? {
        None => match std::fs::remove_file(&file) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(format!("{}: {error}", file.display()).into()),
        },
        Some(issued) if std::io::stdout().is_terminal() => {
            welcome(config, &issued);
            Ok(())
        }
        Some(issued) => {
            data::write_private(&file, format!("{}\n", issued.url.expose()).as_bytes())?;
            tracing::info!(file = %file.display(), "nobody is enrolled yet; the first Owner's link lies in this file");
            Ok(())
        }
    }
}

#[allow(clippy::print_stdout, reason = "the terminal is where the first Owner is greeted")]
fn welcome(config: &Config, issued: &Issued) {
    println!(
        "\nWelcome. Nobody is enrolled yet. This link makes you the first Owner; it is valid until {}:\n\n  {}\n\n\
         Enrollment: {}    Administration: http://{}/api/admin/v1    Stop: Ctrl-C\n",
        issued.expires_at,
        issued.url.expose(),
        config.public_url,
        config.internal
    );
}
