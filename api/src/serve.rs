//! Listening: with a certificate that is taken in anew when it changes, and for no longer than asked.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use axum_server::{Handle, Server, tls_rustls::RustlsConfig};
use common::config::TlsSettings;
use futures::future::BoxFuture;
use tokio::{net::TcpListener, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Api, router};

/// How long requests under way may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval between checks of the certificate's files. They are read whole, for a Secret changes by a link to another
/// directory.
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// A certificate with its key, as they are in their files.
type Pem = (Vec<u8>, Vec<u8>);

/// Serves until cancelled; requests under way are answered.
///
/// # Errors
/// When the certificate cannot be used, or the socket fails.
pub fn serve(listener: TcpListener, api: Api, cancel: CancellationToken) -> impl Future<Output = anyhow::Result<()>> {
    let tls = api.settings.borrow().api.tls.clone();
    async move {
        let listener = listener.into_std()?;
        let address = listener.local_addr()?;
        let (handle, app) = (Handle::new(), router(api).into_make_service());
        let (serving, following): (BoxFuture<'_, io::Result<()>>, BoxFuture<'_, Infallible>) = match tls {
            Some(files) => {
                // A provider may be installed already; any will do.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let pem = files_of(&files).await?;
                let unusable = || format!("cannot use the certificate `{}`", files.cert_file.display());
                let config = RustlsConfig::from_pem(pem.0.clone(), pem.1.clone()).await.with_context(unusable)?;
                let server = bounded(axum_server::from_tcp_rustls(listener, config.clone())?, &handle);
                (Box::pin(server.serve(app)), Box::pin(follow(files, config, pem)))
            }
            None => {
                if !address.ip().is_loopback() {
                    warn!(
                        "`{address}` is served without a certificate, so tokens and answers can be read on the way; \
                         set `api.tls`"
                    );
                }
                let server = bounded(axum_server::from_tcp(listener)?, &handle);
                (Box::pin(server.serve(app)), Box::pin(std::future::pending()))
            }
        };
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.context("cannot serve"),
            never = following => match never {},
            () = cancel.cancelled() => handle.graceful_shutdown(Some(SHUTDOWN_TIMEOUT)),
        }
        serving.await.context("cannot serve")
    }
}

/// Lets nobody hold a connection without asking anything.
fn bounded<A>(mut server: Server<SocketAddr, A>, handle: &Handle<SocketAddr>) -> Server<SocketAddr, A> {
    server.http_builder().http1().header_read_timeout(HEADER_TIMEOUT);
    server.handle(handle.clone()).first_request_timeout(HEADER_TIMEOUT)
}

/// Takes a changed certificate in. One that cannot be used is said once, and the last good one stays.
///
/// A change counts when two checks in a row read the same: the certificate may be new already, and its key still old.
async fn follow(files: TlsSettings, config: RustlsConfig, mut taken: Pem) -> Infallible {
    let mut seen: Option<Pem> = None;
    let mut complaint = String::new();
    let mut checks = tokio::time::interval(RELOAD_INTERVAL);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        checks.tick().await;
        let refusal = match files_of(&files).await {
            Ok(pem) if pem == taken => None,
            Ok(pem) if seen.as_ref() != Some(&pem) => {
                seen = Some(pem);
                continue;
            }
            Ok(pem) => match config.reload_from_pem(pem.0.clone(), pem.1.clone()).await {
                Ok(()) => {
                    info!("the certificate `{}` changed and was taken in", files.cert_file.display());
                    taken = pem;
                    None
                }
                Err(error) => Some(error.to_string()),
            },
            Err(error) => Some(format!("{error:#}")),
        };
        let refusal = refusal.unwrap_or_default();
        if refusal != complaint && !refusal.is_empty() {
            warn!("the certificate changed and was not taken in, the last good one stays: {refusal}");
        }
        complaint = refusal;
    }
}

/// What is in both files. Files on a network may hang, so they are not read on a thread that others wait for.
async fn files_of(files: &TlsSettings) -> anyhow::Result<Pem> {
    let read =
        async |path: &Path| tokio::fs::read(path).await.with_context(|| format!("cannot read `{}`", path.display()));
    Ok((read(&files.cert_file).await?, read(&files.key_file).await?))
}
