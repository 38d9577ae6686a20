//! Instants as the record keeps them: UTC, cut to milliseconds, and never out of range.

use jiff::{SignedDuration, Timestamp};

/// Cuts an instant to milliseconds, the precision every store keeps (architecture.md section 3).
#[must_use]
pub fn cut_to_millis(at: Timestamp) -> Timestamp {
    let beyond = SignedDuration::from_nanos(i64::from(at.subsec_nanosecond() % 1_000_000));
    saturating_add(at, -beyond)
}

/// The instant `by` after `at`, or the last (first) instant there is where that lies outside of time.
#[must_use]
pub fn saturating_add(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// How long after `from` the instant `to` lies; negative when it lies before.
#[must_use]
pub fn between(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from)
}

/// An instant as annotations carry it: `2026-08-17T09:50:41.915000Z`, six digits of fraction, only when non-zero
/// (lifecycle.md section 1).
#[must_use]
pub fn annotation_text(at: Timestamp) -> String {
    let at = cut_to_millis(at);
    if at.subsec_nanosecond() == 0 { format!("{at:.0}") } else { format!("{at:.6}") }
}

/// An instant as people read it in messages: whole seconds, the rest cut, UTC, `2026-08-17 09:50:41 UTC`.
#[must_use]
pub fn human_text(at: Timestamp) -> String {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    format!("{whole:.0}").replace('T', " ").replace('Z', " UTC")
}

/// Reads an instant from an owner's annotation: RFC 3339 with an offset.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    text.trim().parse::<Timestamp>().ok().map(cut_to_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_fraction_has_six_digits_and_shows_only_when_non_zero() {
        assert_eq!(annotation_text(at("2026-08-17T09:50:41.915Z")), "2026-08-17T09:50:41.915000Z");
        assert_eq!(annotation_text(at("2026-08-17T09:50:41Z")), "2026-08-17T09:50:41Z");
        assert_eq!(annotation_text(at("2026-08-17T09:50:41.000999Z")), "2026-08-17T09:50:41Z");
    }

    #[test]
    fn people_read_whole_seconds() {
        assert_eq!(human_text(at("2026-08-17T09:50:41.9Z")), "2026-08-17 09:50:41 UTC");
    }

    #[test]
    fn an_offset_is_honoured_and_one_is_required() {
        assert_eq!(parse("2026-08-17T11:50:41+02:00"), Some(at("2026-08-17T09:50:41Z")));
        assert_eq!(parse("2026-08-17T11:50:41"), None);
        assert_eq!(parse("tomorrow"), None);
    }

    #[test]
    fn arithmetic_stays_within_time() {
        assert_eq!(saturating_add(Timestamp::MAX, SignedDuration::MAX), Timestamp::MAX);
        assert_eq!(saturating_add(Timestamp::MIN, SignedDuration::MIN), Timestamp::MIN);
    }
}
