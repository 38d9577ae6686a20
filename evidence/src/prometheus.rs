//! The alerts of Prometheus: which namespaces something fires for, in one request for all of them
//! (docs/design/lifecycle.md section 3).
//!
//! Nothing here fails: whatever is wrong with Prometheus or its answer is Unknown. An answer without alerts is no proof
//! of health by itself, for so answers a Prometheus that has lost its rules, or only just begun to evaluate them. A
//! *watchdog*, an alert that always fires, must be in the same answer, and be old enough.

mod alert;
mod answer;
mod ask;
mod filter;
mod sample;

#[cfg(test)]
mod tests;

use common::{config::PrometheusSettings, http_client::HttpClient};
use jiff::Timestamp;

pub use self::{
    alert::Failing,
    sample::{Finding, Look},
};

/// The way to one Prometheus.
#[derive(Clone, Debug)]
pub struct Prometheus {
    settings: PrometheusSettings,
    web: HttpClient,
}

impl Prometheus {
    #[must_use]
    pub fn new(settings: PrometheusSettings, web: HttpClient) -> Self {
        // A provider may be installed already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { settings, web }
    }

    /// Asks it once, for all namespaces. It takes at most ten seconds.
    pub async fn look(&self, now: Timestamp) -> Look {
        Look::read(&self.settings, ask::ask(&self.settings, &self.web).await, now)
    }
}
