//! The fence: makes a deletion that may still be on its way harmless, and finds out what became of it.

use std::collections::BTreeMap;

use lifecycle::{
    Keys, Uid,
    entry::{ActionDone, ActionFailed, ActionIntended, FailReason},
    keys::FENCE,
};

use super::{Answer, Cluster, Trouble, patch_annotations};

/// What the fence's answer proves (safety.md section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// The namespace is terminating: a deletion was accepted.
    Terminating,
    /// The uid is no longer there.
    Gone,
    /// The namespace lives under a newer resourceVersion: the request is dead, now and for ever.
    Dead,
}

/// Moves the namespace's resourceVersion with a value never used before, so that a DELETE decided on an older one is
/// refused whenever it arrives.
///
/// # Errors
/// When it is not known whether the fence stands: the intent must stay open.
pub async fn fence(
    cluster: &Cluster,
    name: &str,
    uid: &Uid,
    keys: &Keys,
    intent: u64,
    intended: &ActionIntended,
) -> Result<Fenced, Trouble> {
    // A value used before would move nothing: the apiserver drops a PATCH that changes nothing.
    let value = format!("{intent}.{:016x}", rand::random::<u64>());
    let annotations = BTreeMap::from([(keys.ours(FENCE), Some(value))]);
    match patch_annotations(cluster, name, uid, &annotations).await {
        Ok(meta) if meta.uid.as_deref() != Some(uid.as_str()) => Ok(Fenced::Gone),
        Ok(meta) if meta.deletion_timestamp.is_some() => Ok(Fenced::Terminating),
        Ok(meta) if meta.resource_version.as_deref().is_some_and(|now| now != intended.resource_version) => {
            Ok(Fenced::Dead)
        }
        Ok(_) => Err(Trouble {
            doing: format!("fence namespace `{name}`"),
            answer: Answer::Unclear,
            why: "its resourceVersion did not move".to_owned(),
        }),
        Err(trouble) => match trouble.answer {
            Answer::NotFound | Answer::OtherUid => Ok(Fenced::Gone),
            Answer::Moved | Answer::Refused | Answer::TooManyRequests | Answer::Unclear => Err(trouble),
        },
    }
}

impl Fenced {
    /// The entry that closes the intent by what the fence proved.
    #[must_use]
    pub fn outcome(&self, intent: u64, intended: &ActionIntended) -> lifecycle::Fact {
        match self {
            Self::Terminating | Self::Gone => lifecycle::Fact::ActionDone(ActionDone { of: intent, observed: true }),
            Self::Dead => lifecycle::Fact::ActionFailed(ActionFailed {
                of: intent,
                action: intended.action,
                why: FailReason::Fenced,
                detail: "no definite answer came; the namespace was fenced and lives".to_owned(),
                not_before: None,
            }),
        }
    }
}
