//! Durations as people write them in a configuration or an annotation, and as we write them back
//! (docs/design/lifecycle.md section 6).

use std::{borrow::Cow, fmt};

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const SECOND: f64 = 1.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;

/// The longest duration that is taken, 1,000 years: beyond it arithmetic with instants means nothing.
const MAX_SECONDS: f64 = 1_000.0 * 365.0 * DAY;

/// A length of time longer than zero, written with units: `1h30m`, `0.5h`, `2w`, `5 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PositiveDuration(SignedDuration);

/// A length of time that may be zero, written like a [`Period`] or as `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NonNegativeDuration(SignedDuration);

/// Why a text is no duration. The text itself is not repeated: the caller names where it stood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADuration {
    #[error("it is empty; write for example `4h`")]
    Empty,
    #[error("`{0}` has no unit; write for example `{0}h` (units: s, m, h, d, w)")]
    NoUnit(String),
    #[error("`{0}` is not a unit; use s, m, h, d or w")]
    UnknownUnit(String),
    #[error("`{0}` is no unit: `m` is minutes, and there are no months or years; write for example `30d`")]
    Calendar(String),
    #[error("`{0}` is not a number")]
    NotANumber(String),
    #[error("it must be longer than zero")]
    Zero,
    #[error("it is longer than 1000 years")]
    TooLong,
}

impl PositiveDuration {
    /// Parses `(\d+(\.\d+)?)([smhdw])`, case-insensitive but for `M`, spaces ignored, concatenable.
    ///
    /// # Errors
    /// When a number has no unit, a unit is unknown or may mean months, or the sum is zero.
    pub fn parse(text: &str) -> Result<Self, NotADuration> {
        let total = parse_millis(text)?;
        if total.is_zero() { Err(NotADuration::Zero) } else { Ok(Self(total)) }
    }

    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(SignedDuration::from_secs(if seconds == 0 { 1 } else { seconds as i64 }))
    }

    #[must_use]
    pub const fn get(self) -> SignedDuration {
        self.0
    }
}

impl NonNegativeDuration {
    pub const ZERO: Self = Self(SignedDuration::ZERO);

    /// Parses like [`Period::parse`]; `0` and `0s` are taken too.
    ///
    /// # Errors
    /// When a number other than a bare `0` has no unit, or a unit is unknown.
    pub fn parse(text: &str) -> Result<Self, NotADuration> {
        if text.trim() == "0" { Ok(Self::ZERO) } else { parse_millis(text).map(Self) }
    }

    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(SignedDuration::from_secs(seconds as i64))
    }

    #[must_use]
    pub const fn get(self) -> SignedDuration {
        self.0
    }
}

/// A duration in words: up to the three largest non-zero units of year (365 d), week, day, hour, minute, second.
///
/// Negative durations read as zero; a fraction shows on the seconds alone, with up to three digits.
#[must_use]
pub fn text(duration: SignedDuration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(0);
    let (mut rest, fraction) = (millis / 1000, millis % 1000);
    let mut parts = Vec::new();
    for (seconds, unit) in
        [(365 * 86_400, "year"), (7 * 86_400, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute")]
    {
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if fraction > 0 {
        parts.push(format!("{} seconds", format!("{rest}.{fraction:03}").trim_end_matches('0')));
    } else if rest > 0 {
        parts.push(format!("{rest} second{}", if rest == 1 { "" } else { "s" }));
    }
    parts.truncate(3);
    match parts.as_slice() {
        [] => "0 seconds".to_owned(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

fn parse_millis(text: &str) -> Result<SignedDuration, NotADuration> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if compact.is_empty() {
        return Err(NotADuration::Empty);
    }
    let mut rest = compact.as_str();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let well_formed = number.split('.').count() <= 2 && number.split('.').all(|part| !part.is_empty());
        if !well_formed {
            return Err(NotADuration::NotANumber(if number.is_empty() { compact.clone() } else { number.to_owned() }));
        }
        let number_value: f64 = number.parse().map_err(|_| NotADuration::NotANumber(number.to_owned()))?;
        seconds += number_value * unit_seconds(number, unit)?;
        rest = next;
    }
    if seconds > MAX_SECONDS {
        return Err(NotADuration::TooLong);
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded by MAX_SECONDS, far below i64::MAX milliseconds")]
    let millis = (seconds * 1000.0).round() as i64;
    Ok(SignedDuration::from_millis(millis))
}

fn unit_seconds(number: &str, unit: &str) -> Result<f64, NotADuration> {
    // Months to people, wherever minutes are `m`.
    if unit == "M" {
        return Err(NotADuration::Calendar(unit.to_owned()));
    }
    match unit.to_ascii_lowercase().as_str() {
        "" => Err(NotADuration::NoUnit(number.to_owned())),
        "s" | "sec" | "secs" | "second" | "seconds" => Ok(SECOND),
        "m" | "min" | "mins" | "minute" | "minutes" => Ok(MINUTE),
        "h" | "hour" | "hours" => Ok(HOUR),
        "d" | "day" | "days" => Ok(DAY),
        "w" | "week" | "weeks" => Ok(WEEK),
        "mo" | "mon" | "mons" | "month" | "months" | "y" | "yr" | "yrs" | "year" | "years" => {
            Err(NotADuration::Calendar(unit.to_owned()))
        }
        _ => Err(NotADuration::UnknownUnit(unit.to_owned())),
    }
}

/// The shortest way to write a duration so that it parses back to itself: `1h30m`, `90s`, `0`.
fn compact_text(duration: SignedDuration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(0);
    let (mut rest, fraction) = (millis / 1000, millis % 1000);
    if millis == 0 {
        return "0".to_owned();
    }
    let mut out = String::new();
    for (seconds, unit) in [(7 * 86_400, 'w'), (86_400, 'd'), (3_600, 'h'), (60, 'm')] {
        if rest / seconds > 0 {
            out.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    if fraction > 0 {
        out.push_str(format!("{rest}.{fraction:03}").trim_end_matches('0'));
        out.push('s');
    } else if rest > 0 {
        out.push_str(&format!("{rest}s"));
    }
    out
}

impl fmt::Display for PositiveDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&compact_text(self.0))
    }
}

impl fmt::Display for NonNegativeDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&compact_text(self.0))
    }
}

macro_rules! written_as_text {
    ($type:ident, $parse:path, $schema:tt) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a duration with a unit, such as `4h` or `1h30m`")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        $parse(text).map_err(|why| E::custom(format!("`{text}` is not a duration: {why}")))
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

written_as_text!(
    PositiveDuration,
    PositiveDuration::parse,
    {
        "type": "string",
        "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*([A-LN-Za-z][A-Za-z]*|M[A-Za-z]+)\s*)+$",
        "description": "a length of time longer than zero, with units s, m, h, d, w: `1h30m`, `0.5h`, `2w`"
    }
);
written_as_text!(
    NonNegativeDuration,
    NonNegativeDuration::parse,
    {
        // YAML makes a bare 0 a number; the bounds are for that, the pattern is for texts.
        "type": ["string", "integer"],
        "minimum": 0,
        "maximum": 0,
        "pattern": r"^\s*(0|([0-9]+(\.[0-9]+)?\s*([A-LN-Za-z][A-Za-z]*|M[A-Za-z]+)\s*)+)\s*$",
        "description": "a length of time with units s, m, h, d, w, or 0: `5s`, `0`"
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parses(text: &str, seconds: f64) {
        assert_eq!(PositiveDuration::parse(text).map(|p| p.get().as_secs_f64()), Ok(seconds), "{text}");
    }

    #[track_caller]
    fn refuses(text: &str, why: NotADuration) {
        assert_eq!(PositiveDuration::parse(text), Err(why), "{text}");
    }

    #[track_caller]
    fn reads(seconds: f64, words: &str) {
        assert_eq!(text(SignedDuration::from_millis((seconds * 1000.0) as i64)), words);
    }

    #[test]
    fn every_documented_form_parses() {
        parses("1h30m", 5400.0);
        parses("0.5h", 1800.0);
        parses("2w", 1_209_600.0);
        parses("5 min", 300.0);
        parses("1D", 86_400.0);
        parses("6m", 360.0);
        parses("6 Min", 360.0);
        parses("6MIN", 360.0);
        parses("1H", 3600.0);
        parses(" 1 h 1 s ", 3601.0);
        parses("1.5s", 1.5);
    }

    #[test]
    fn what_is_no_duration_says_why() {
        refuses("", NotADuration::Empty);
        refuses("  ", NotADuration::Empty);
        refuses("5", NotADuration::NoUnit("5".into()));
        refuses("1h30", NotADuration::NoUnit("30".into()));
        refuses("5x", NotADuration::UnknownUnit("x".into()));
        refuses("-5m", NotADuration::NotANumber("-5m".into()));
        refuses("h", NotADuration::NotANumber("h".into()));
        refuses("1..5h", NotADuration::NotANumber("1..5".into()));
        refuses(".5h", NotADuration::NotANumber(".5".into()));
        refuses("0s", NotADuration::Zero);
        refuses("0h0m", NotADuration::Zero);
        refuses("99999999999999999999w", NotADuration::TooLong);
    }

    #[test]
    fn months_are_not_minutes() {
        for (text, unit) in
            [("6M", "M"), ("1h 30 M", "M"), ("1M2h", "M"), ("2mo", "mo"), ("1Month", "Month"), ("1y", "y")]
        {
            refuses(text, NotADuration::Calendar(unit.into()));
        }
        assert_eq!(
            NonNegativeDuration::parse("1M").unwrap_err().to_string(),
            "`M` is no unit: `m` is minutes, and there are no months or years; write for example `30d`"
        );
    }

    #[test]
    fn a_pause_may_be_zero() {
        assert_eq!(NonNegativeDuration::parse("0"), Ok(NonNegativeDuration::ZERO));
        assert_eq!(NonNegativeDuration::parse("0s"), Ok(NonNegativeDuration::ZERO));
        assert_eq!(NonNegativeDuration::parse("5"), Err(NotADuration::NoUnit("5".into())));
    }

    #[test]
    fn words_as_the_page_says() {
        reads(0.0, "0 seconds");
        reads(1.0, "1 second");
        reads(5.0, "5 seconds");
        reads(5.5, "5.5 seconds");
        reads(90.0, "1 minute and 30 seconds");
        reads(1_209_600.0, "2 weeks");
        reads(604_800.0 + 86_400.0 + 10_800.0, "1 week, 1 day and 3 hours");
        reads(31_536_000.0 + 5.0 * 604_800.0 + 86_400.0 + 3600.0, "1 year, 5 weeks and 1 day");
        reads(-5.0, "0 seconds");
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["1h30m", "2w", "1w1d3h", "5.5s", "90s"] {
            let period = PositiveDuration::parse(text).unwrap();
            assert_eq!(PositiveDuration::parse(&period.to_string()), Ok(period));
        }
        assert_eq!(NonNegativeDuration::ZERO.to_string(), "0");
        assert_eq!(PositiveDuration::from_secs(90 * 60).to_string(), "1h30m");
    }
}
