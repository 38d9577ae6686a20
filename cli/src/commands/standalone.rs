//! `nsm standalone`.

use common::config::TelemetrySettings;
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt as _};

use crate::{
    args::Global,
    failure::Failure,
    reach::Reach,
    standalone::{ClusterChoice, run},
};

pub(super) async fn standalone(reach: &Reach<'_>, global: &Global, mode: Option<String>) -> Result<(), Failure> {
    let mut source = reach.source();
    if let Some(mode) = mode {
        source = source.with_flag("--mode", "mode", mode);
    }
    let settings = source.load()?;
    log(&settings.telemetry)?;
    let choice = ClusterChoice { kubeconfig: global.kubeconfig.clone(), context: global.context.clone() };
    Ok(run(source, settings, &choice).await?)
}

/// Sends log lines to standard error.
fn log(telemetry: &TelemetrySettings) -> Result<(), Failure> {
    use common::config::LogFormat;
    use std::io::{self, IsTerminal as _};

    let on_terminal = io::stderr().is_terminal();
    let filter = EnvFilter::builder().parse_lossy(&telemetry.log);
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_terminal);
    let logging = match (telemetry.format, on_terminal) {
        (LogFormat::Compact, _) | (LogFormat::Auto, true) => base.compact().finish().try_init(),
        (LogFormat::Json, _) | (LogFormat::Auto, false) => base.json().finish().try_init(),
    };
    logging.map_err(|error| anyhow::anyhow!("cannot begin to log: {error}").into())
}
