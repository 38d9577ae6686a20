//! api: HTTP over the record store, as a process of its own.

use std::process::ExitCode;

use anyhow::Context as _;
use common::{
    process::{self, Lasts, Running},
    timings::Timings,
};
use tokio::net::TcpListener;

use crate::Api;

/// Serves until it is told to end.
pub fn main(timings: Timings) -> ExitCode {
    process::run("api", Lasts::UntilAsked, timings, serve)
}

async fn serve(running: Running) -> anyhow::Result<()> {
    let address = running.context.settings().api.listen.context("nobody can ask it anything: set `api.listen`")?;
    let cannot = || format!("cannot listen on `{address}` (`api.listen`)");
    let listener = TcpListener::bind(address).await.with_context(cannot)?;
    tracing::info!("the records are served on `{}`", listener.local_addr().with_context(cannot)?);
    crate::serve(listener, Api::from(&running.context), running.cancel).await
}
