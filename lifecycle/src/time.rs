//! Instants as the record keeps them: UTC, cut to milliseconds, and never out of range.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::Offset,
};

/// Cuts an instant to milliseconds, the precision every store keeps (ARCHITECTURE.md "What always holds").
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
/// (docs/design/lifecycle.md section 1).
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

/// Reads an instant from an owner's annotation: whatever RFC 3339 allows (section 5.6), and a date alone, which means the
/// end of that day in UTC. What lies outside of time is the last instant there is.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let at = end_of_day(text).or_else(|| rfc3339(text)).or_else(|| text.parse().ok())?;
    Some(cut_to_millis(at))
}

/// The first instant at which the day is over.
fn end_of_day(text: &str) -> Option<Timestamp> {
    let day = date(text)?;
    let next = day.tomorrow().ok().map(|next| next.to_datetime(Time::midnight()));
    Some(next.map_or(Timestamp::MAX, |next| instant(next, Offset::UTC)))
}

/// A `date-time`. A leap second counts as the second that follows, and of a fraction whatever is below a nanosecond is cut.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, [2, 2, 2], ':')?;
    let (nanos, rest) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let is_leap = second == 60;
    let second = if is_leap { 59 } else { second };
    let [hour, minute, second] = [hour, minute, second].map(i8::try_from);
    let clock = Time::new(hour.ok()?, minute.ok()?, second.ok()?, nanos).ok()?;
    let at = instant(date(day)?.to_datetime(clock), offset(rest)?);
    Some(if is_leap { saturating_add(at, SignedDuration::from_secs(1)) } else { at })
}

fn date(text: &str) -> Option<Date> {
    let [year, month, day] = numbers(text, [4, 2, 2], '-')?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The nanoseconds of a fraction, and what follows on its digits.
fn fraction(text: &str) -> Option<(i32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let nanos =
        digits.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    (!digits.is_empty()).then_some((nanos, rest))
}

fn offset(text: &str) -> Option<Offset> {
    if matches!(text, "Z" | "z") {
        return Some(Offset::UTC);
    }
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (None, Some(rest)) => (-1, rest),
        (None, None) => return None,
    };
    let [hours, minutes] = numbers(rest, [2, 2], ':')?;
    let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
    (hours < 24 && minutes < 60).then(|| Offset::from_seconds(sign * seconds).ok()).flatten()
}

fn instant(at: DateTime, offset: Offset) -> Timestamp {
    // Of the years 0000 to 9999 only the end of the last lies outside of what an instant can be.
    offset.to_timestamp(at).unwrap_or(Timestamp::MAX)
}

/// Numbers of so many digits each, with a separator between them and nothing else.
fn numbers<const N: usize>(text: &str, digits: [usize; N], separator: char) -> Option<[i16; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, digits) in found.iter_mut().zip(digits) {
        let is_number = |part: &&str| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = parts.next().filter(is_number)?.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
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

    /// RFC 3339 section 5.6, each of its rules and notes.
    #[test]
    fn whatever_rfc_3339_allows_can_be_read() {
        for (text, expected) in [
            ("2026-08-17T09:50:41Z", "2026-08-17T09:50:41Z"),
            ("2026-08-17t09:50:41z", "2026-08-17T09:50:41Z"),
            ("2026-08-17 09:50:41Z", "2026-08-17T09:50:41Z"),
            ("  2026-08-17T09:50:41Z\n", "2026-08-17T09:50:41Z"),
            ("2026-08-17T09:50:41.5Z", "2026-08-17T09:50:41.5Z"),
            ("2026-08-17T09:50:41.000000001Z", "2026-08-17T09:50:41Z"),
            ("2026-08-17T09:50:41.1234567890123456789Z", "2026-08-17T09:50:41.123Z"),
            ("2026-08-17T09:50:41.999999999999+00:00", "2026-08-17T09:50:41.999Z"),
            ("2026-08-17T09:50:41+00:00", "2026-08-17T09:50:41Z"),
            ("2026-08-17T09:50:41-00:00", "2026-08-17T09:50:41Z"),
            ("2026-08-17T09:50:41+23:59", "2026-08-16T09:51:41Z"),
            ("2026-08-17T09:50:41-23:59", "2026-08-18T09:49:41Z"),
            ("2026-08-17T09:50:41+05:45", "2026-08-17T04:05:41Z"),
            // A leap second is over when the next one begins, by whatever offset.
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("2016-12-31T15:59:60-08:00", "2017-01-01T00:00:00Z"),
            ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.25Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("0000-01-01T00:00:00+23:59", "-000001-12-31T00:01:00Z"),
        ] {
            assert_eq!(parse(text), Some(at(expected)), "{text}");
        }
    }

    /// Who writes the last day of all means for ever.
    #[test]
    fn what_lies_beyond_the_last_instant_is_the_last_instant() {
        let last = Some(cut_to_millis(Timestamp::MAX));
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:60Z",
            "9999-12-31T23:59:59-23:59",
            "9999-12-31T23:59:59.999999999+00:00",
            "9999-12-30",
            "9999-12-31",
        ] {
            assert_eq!(parse(text), last, "{text}");
        }
        assert_eq!(parse("9999-12-30T22:00:00Z"), Some(at("9999-12-30T22:00:00Z")));
    }

    #[test]
    fn a_date_means_the_end_of_its_day() {
        assert_eq!(parse("2026-12-31"), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(parse(" 2024-02-28 "), Some(at("2024-02-29T00:00:00Z")));
        assert_eq!(parse("0000-01-01"), Some(at("0000-01-02T00:00:00Z")));
        for text in ["2026-02-29", "2026-13-01", "2026-00-10", "2026-1-1", "26-01-01", "2026-12-3l", "20261-2-31"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_not_taken_for_one() {
        for text in [
            "",
            "2026-08-17T09:50:41",
            "2026-08-17T24:00:00Z",
            "2026-08-17T09:60:00Z",
            "2026-08-17T09:50:61Z",
            "2026-08-17T09:50:41.Z",
            "2026-08-17T09:50:41+01:60",
            "2026-08-17TT09:50:41Z",
            "2026-08-17T09:50:41ZZ",
            "2026-02-30T09:50:41Z",
            "2026-08-17T09:50:41 UTC",
            "ää26-08-17T09:50:41Z",
            "2026-08-17T09:50:4\u{661}Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    /// What was read before it was read by RFC 3339 alone is read still.
    #[test]
    fn other_forms_with_an_offset_are_read_too() {
        for text in ["2026-08-17T09:50Z", "2026-08-17T11:50:00+02:00[Europe/Berlin]", "2026-08-17T11:50+02"] {
            assert_eq!(parse(text), Some(at("2026-08-17T09:50:00Z")), "{text}");
        }
    }

    #[test]
    fn arithmetic_stays_within_time() {
        assert_eq!(saturating_add(Timestamp::MAX, SignedDuration::MAX), Timestamp::MAX);
        assert_eq!(saturating_add(Timestamp::MIN, SignedDuration::MIN), Timestamp::MIN);
    }
}
