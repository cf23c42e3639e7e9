//! Serving both faces until stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use enrollment::axum::Readiness;
use enrollment::core::port::PeerProvisioner;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::config::Config;
use super::metrics::{ClockOffset, CountedPeers};
use super::workers::Workers;
use super::{Error, clock, data, face, gateway, http, log, owner};

/// How long requests in flight may take to finish once the server stops.
const GRACE: Duration = Duration::from_secs(35);

/// Serves until SIGINT or SIGTERM; then requests in flight finish and workers return what they hold (SYS-7).
pub(crate) async fn serve(config: Config) -> Result<(), Error> {
    let traces = log::start(&config)?;
    let opened = data::open(&config).await?;
    let provisioner: Arc<dyn PeerProvisioner> =
        Arc::new(CountedPeers::new(gateway::provisioner(&config), opened.metrics.peers.clone()));
    let public = bind(config.public).await?;
    let internal = bind(config.internal).await?;
    let workers = Workers::start(&opened, provisioner);
    tracing::info!(
        public = %public.local_addr()?,
        internal = %internal.local_addr()?,
        administration = format_args!("http://{}/admin", internal.local_addr()?),
        url = config.public_url,
        data = %config.data.display(),
        "serving"
    );
    let greeter = owner::greet(&config, &opened.service).await?;

    let (stop, stopped) = watch::channel(());
    let readiness = Readiness::default();
    let offset = ClockOffset::default();
    let clock = tokio::spawn(clock::watch(Arc::clone(&opened.store), readiness.clone(), offset.clone()));
    let state = http::state(&config, &opened.service, readiness);
    let mut public = tokio::spawn(face::serve(public, http::public(&state, &opened.metrics), stopped.clone()));
    let routes = http::internal(&state, &opened.metrics, offset);
    let mut internal = tokio::spawn(face::serve(internal, routes, stopped));
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
    let finished = async {
        public.await??;
        internal.await??;
        Ok::<(), Error>(())
    };
    tokio::select! {
        finished = finished => finished?,
        () = tokio::time::sleep(GRACE) => tracing::warn!("some connections did not end in time"),
        _ = interrupt.recv() => tracing::warn!("stopped at once, as asked a second time"),
    }
    greeter.abort();
    clock.abort();
    workers.stop().await;
    opened.store.close().await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}").into())
}

fn ended_early(face: &str, ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Error {
    match ended {
        Ok(Ok(())) => format!("the {face} face ended by itself").into(),
        Ok(Err(error)) => format!("the {face} face ended: {error}").into(),
        Err(error) => format!("the {face} face ended: {error}").into(),
    }
}
