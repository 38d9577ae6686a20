//! What owners are told (S12).

use jiff::SignedDuration;
use lifecycle::{Entry, Fact};
use serde_json::Value;

use super::Judge;
use crate::world::World;

/// Within this time after a notice about a status there is no other one about it.
const FLAPPING: SignedDuration = SignedDuration::from_mins(30);

impl Judge {
    pub(super) fn notice(&mut self, world: &World, entry: &Entry, what: &str) {
        let Fact::NoticeIntended(intended) = &entry.fact else { return };
        world.count("notice intended");
        let mut last = None;
        for written in self.history(entry.uid.as_str()) {
            match &written.entry.fact {
                Fact::NoticeIntended(earlier) if earlier.about == intended.about => {
                    last = Some((written.entry.clone(), earlier.clone(), false))
                }
                Fact::NoticeSent(sent) => {
                    if let Some(last) = last.as_mut().filter(|(entry, ..)| entry.seq == sent.of) {
                        last.2 = true;
                    }
                }
                // Its owner moved the end, or what was told came to count for nothing.
                Fact::DeadlineMoved(_) | Fact::PolicyChanged(_) => last = None,
                _ => {}
            }
        }
        let Some((earlier, told, was_sent)) = last else { return };
        let apart = entry.at.duration_since(earlier.at);
        if told.deadline == intended.deadline || was_sent && apart.abs() < FLAPPING {
            let at = earlier.seq;
            self.complain("S12", format!("{what} follows {apart:#} on entry {at}, sent: {was_sent}"));
        }
    }

    /// A notice arrived.
    pub(crate) fn told(&mut self, body: &Value) {
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        let (uid, seq) = id.rsplit_once(':').unwrap_or_default();
        let is_known = self
            .history(uid)
            .iter()
            .any(|it| it.entry.seq.to_string() == seq && matches!(it.entry.fact, Fact::NoticeIntended(_)));
        if !is_known {
            self.complain("S9", format!("notice `{id}` was sent before it was recorded"));
        }
        *self.sent_notices.entry(id).or_default() += 1;
    }
}
