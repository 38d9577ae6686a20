//! The kinds that are judged, each by what it says of itself.

mod claim;
mod counted;
mod cronjob;
mod deployment;
mod job;
mod pod;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;

pub(super) use self::{
    claim::{Claim, Class},
    counted::{DaemonSet, ReplicaSet, StatefulSet},
    cronjob::CronJob,
    deployment::Deployment,
    job::Job,
    pod::Pod,
};

/// How long something may take to become ready that sets no deadline of its own: what a Deployment has by default.
pub(super) const START_TIMEOUT: SignedDuration = SignedDuration::from_secs(600);

/// The longest message of a stranger's that is kept, in characters.
const MAX_TEXT_LENGTH: usize = 160;

/// What an object says about itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusCondition {
    #[serde(rename = "type")]
    of: String,
    status: String,
    reason: Option<String>,
    message: Option<String>,
    last_update_time: Option<Time>,
    last_transition_time: Option<Time>,
}

/// What it says of something; `None`: nothing.
fn said<'a>(all: &'a [StatusCondition], of: &str) -> Option<&'a StatusCondition> {
    all.iter().find(|said| said.of == of)
}

impl StatusCondition {
    fn is(&self, status: &str) -> bool {
        self.status == status
    }

    fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }

    /// The reason, and the message, both made fit for people.
    fn text(&self) -> String {
        told(self.reason.as_deref(), self.message.as_deref())
    }
}

/// A reason and a message, as a sentence can have them. Strangers write them, and people read them at terminals.
fn told(reason: Option<&str>, message: Option<&str>) -> String {
    let parts = [reason, message].into_iter().flatten().map(str::trim).filter(|part| !part.is_empty());
    let whole = parts.collect::<Vec<_>>().join(": ");
    let plain = |c: char| if c.is_control() || is_invisible(c) { ' ' } else { c };
    let mut text: String = whole.chars().take(MAX_TEXT_LENGTH).map(plain).collect();
    if whole.chars().nth(MAX_TEXT_LENGTH).is_some() {
        text.push('…');
    }
    text
}

/// Whether it changes how the text around it looks, and is not seen itself.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// How many of its pods are ready.
fn few(ready: i32, wanted: i32) -> String {
    format!("has {ready} of {wanted} pods ready")
}
