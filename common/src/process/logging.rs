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

/// What is logged from now on in this thread, for a test, until the guard is dropped.
#[cfg(test)]
pub(crate) fn captured() -> (Captured, tracing::subscriber::DefaultGuard) {
    let log = Captured::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    (log, tracing::subscriber::set_default(subscriber))
}

#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Captured(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
