//! The section `telemetry`: what the program tells about itself.

use std::fmt;

use lifecycle::policy::Invalid;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};
use tracing_subscriber::EnvFilter;

use super::check::fail;

/// What the program tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTelemetry {
    /// What is logged: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or directives such as `info,kube=debug`.
    /// Default: `info`. Takes hold at the next start. Variable: `NSM__TELEMETRY__LOG`.
    #[serde(deserialize_with = "directives")]
    pub log: String,
    /// How it is written: `compact` for people, `json` for machines, `auto` for `compact` on a terminal and `json`
    /// elsewhere. Default: `auto`. Takes hold at the next start. Variable: `NSM__TELEMETRY__FORMAT`.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `compact` on a terminal, `json` elsewhere.
    #[default]
    Auto,
    /// One line for people.
    Compact,
    /// One JSON object per line.
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Directives that [`EnvFilter`] takes.
    pub log: String,
    pub format: LogFormat,
}

impl Default for RawTelemetry {
    fn default() -> Self {
        Self { log: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl RawTelemetry {
    pub(super) fn check(&self) -> Result<TelemetrySettings, Vec<Invalid>> {
        match EnvFilter::builder().parse(&self.log) {
            Ok(_) if !self.log.trim().is_empty() => {
                Ok(TelemetrySettings { log: self.log.clone(), format: self.format })
            }
            Ok(_) => fail("telemetry.log", "it is empty; write a level such as `info`".to_owned()),
            Err(error) => {
                let why = format!("`{}` cannot be read: {error}; write a level such as `info`", self.log);
                fail("telemetry.log", why)
            }
        }
    }
}

/// Directives of a log. The level `off` without quotes is `false` in YAML 1.1.
fn directives<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Directives;

    impl Visitor<'_> for Directives {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a level, such as `info`, or directives")
        }

        fn visit_str<E>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
            if value { Err(E::invalid_type(Unexpected::Bool(value), &self)) } else { Ok("off".to_owned()) }
        }
    }

    deserializer.deserialize_any(Directives)
}
