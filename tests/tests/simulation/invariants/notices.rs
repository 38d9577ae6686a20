//! What owners are told (S12).

use std::time::Duration;

use jiff::SignedDuration;
use lifecycle::{Entry, Event, Mode, Status};
use serde_json::Value;

use super::{Judge, SKEW};
use crate::world::World;

/// Within this time after a notice about a status there is no other one about it.
const FLAPPING: SignedDuration = SignedDuration::from_mins(30);

impl Judge {
    pub(super) fn notice(&mut self, world: &World, entry: &Entry, what: &str) {
        let Event::NoticeIntended(intended) = &entry.event else { return };
        world.count("notice intended");
        let mut last = None;
        for written in self.history(entry.uid.as_str()) {
            match &written.entry.event {
                Event::NoticeIntended(earlier) if earlier.about == intended.about => {
                    last = Some((written.entry.clone(), earlier.clone(), false))
                }
                Event::NoticeSent(sent) => {
                    if let Some(last) = last.as_mut().filter(|(entry, ..)| entry.seq == sent.of) {
                        last.2 = true;
                    }
                }
                // Its owner moved the end, or what was told came to count for nothing.
                Event::DeadlineMoved(_) | Event::PolicyChanged(_) => last = None,
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

    /// A notice is given up: not before it was tried for as long as is configured, unless it was refused.
    pub(super) fn given_up(&mut self, world: &World, entry: &Entry, what: &str) {
        let Event::NoticeUndeliverable(failed) = &entry.event else { return };
        let id = format!("{}:{}", entry.uid, failed.of);
        let intended = self.history(entry.uid.as_str()).iter().find(|written| written.entry.seq == failed.of);
        let Some(intended) = intended.map(|written| written.at) else {
            self.complain("S9", format!("{what} gives up what nobody intended"));
            return;
        };
        let terms = world.scenario.undeliverable;
        // Two clocks may differ by so much without anybody noticing.
        let skew = Duration::try_from(SKEW * 2).unwrap_or_default();
        let is_early = world.elapsed() + skew < intended + Duration::from_secs(terms.after);
        if terms.waits || is_early && !self.refused_notices.contains(&id) {
            self.complain("S9", format!("{what} gives up a notice of {intended:?}, which was not refused"));
        }
    }

    /// Whether the entry of this number intends a notice about this status.
    pub(super) fn is_about(&self, uid: &str, of: u64, about: Status) -> bool {
        self.history(uid).iter().any(|written| {
            written.entry.seq == of
                && matches!(&written.entry.event, Event::NoticeIntended(notice) if notice.about == about)
        })
    }

    /// A notice was refused for its form.
    pub(crate) fn refused(&mut self, body: &Value) {
        self.refused_notices.insert(body["id"].as_str().unwrap_or_default().to_owned());
    }

    /// Whether the last notice about this status was delivered before the entry of this number, or one that stands for it;
    /// `None`: that was not known by then.
    pub(super) fn was_told(&self, uid: &str, about: Status, before: u64) -> Option<bool> {
        let (mut last, mut observes) = (None, false);
        for written in self.history(uid).iter().filter(|written| written.entry.seq < before) {
            match &written.entry.event {
                Event::NoticeIntended(notice) if notice.about == about => last = Some((written.entry.seq, None)),
                Event::NoticeSent(sent) => settle(&mut last, sent.of, true),
                Event::NoticeUndeliverable(failed) => settle(&mut last, failed.of, false),
                Event::Adopted(adopted) => {
                    last = last.filter(|_| !adopted.again);
                    observes = adopted.terms.mode == Mode::Observe;
                }
                Event::PolicyChanged(terms) => {
                    let began = observes && terms.mode == Mode::Enforce;
                    last = last.filter(|_| !began);
                    observes = terms.mode == Mode::Observe;
                }
                _ => {}
            }
        }
        last.and_then(|(_, is_told)| is_told)
    }

    /// A notice arrived.
    pub(crate) fn told(&mut self, body: &Value) {
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        let (uid, seq) = id.rsplit_once(':').unwrap_or_default();
        let is_known = self
            .history(uid)
            .iter()
            .any(|it| it.entry.seq.to_string() == seq && matches!(it.entry.event, Event::NoticeIntended(_)));
        if !is_known {
            self.complain("S9", format!("notice `{id}` was sent before it was recorded"));
        }
        *self.sent_notices.entry(id).or_default() += 1;
    }
}

/// The last notice became known to be told, or not, if this outcome is its.
const fn settle(last: &mut Option<(u64, Option<bool>)>, of: u64, is_told: bool) {
    if let Some((seq, known)) = last
        && *seq == of
    {
        *known = Some(is_told);
    }
}
