//! One face: its connections taken, bounded, served, and ended when the server stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Connections served at a time; further ones wait in the operating system's queue. Below the 1,024 files that a process
/// may usually open, both faces, database and peer files counted.
const CONNECTIONS: usize = 400;
/// How long a client may take for the head of its next request, idle time included: nobody holds a connection by
/// sending nothing.
const HEAD: Duration = Duration::from_secs(30);
/// After this long a connection is taken again when the system had no room for one.
const NO_ROOM: Duration = Duration::from_secs(1);

/// Serves `app` until the sender of `stopped` is gone; then requests in flight finish and idle connections end (SYS-7).
pub(crate) async fn serve(listener: TcpListener, app: Router, mut stopped: watch::Receiver<()>) -> io::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            // The semaphore is never closed, so there is always a permit to wait for.
            let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((permit, accept(&listener).await))
        };
        let (permit, (stream, client)) = tokio::select! {
            next = next => next?,
            // Fails when the sender is dropped, which is the sign to stop.
            _ = stopped.changed() => break,
        };
        let app = app.clone().layer(axum::Extension(ConnectInfo(client)));
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                // Answers are small and written at once: waiting to fill a packet only delays them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                return (stream, client);
            }
            // The client has gone before it was served.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be taken");
                tokio::time::sleep(NO_ROOM).await;
            }
        }
    }
}
