//! Log lines, on standard error: for people on a terminal, for machines elsewhere.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, util::SubscriberInitExt as _};

use crate::config::{LogFormat, TelemetrySettings};

/// Begins to log as configured.
///
/// # Errors
/// When something else logs already.
pub fn log(telemetry: &TelemetrySettings) -> anyhow::Result<()> {
    let on_terminal = io::stderr().is_terminal();
    let filter = EnvFilter::builder().parse_lossy(&telemetry.log);
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_terminal);
    let logging = match (telemetry.format, on_terminal) {
        (LogFormat::Compact, _) | (LogFormat::Auto, true) => base.compact().finish().try_init(),
        (LogFormat::Json, _) | (LogFormat::Auto, false) => base.json().flatten_event(true).finish().try_init(),
    };
    logging.map_err(|error| anyhow::anyhow!("cannot begin to log: {error}"))
}

/// Begins to log where the configuration cannot say how, having been refused.
pub(super) fn log_by_default() {
    let telemetry = TelemetrySettings { log: "info".to_owned(), format: LogFormat::Auto };
    // Where something else logs already, that will do.
    let _ = log(&telemetry);
}
