//! Durations as people write them, and as they read them.

use jiff::SignedDuration;
use lifecycle::{
    duration,
    duration::{NonNegativeDuration, PositiveDuration},
    time::annotation_text,
    time::{human_text, parse},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::any::{cases, instant, text};

/// Milliseconds up to a thousand years, whole seconds and small numbers more often than not.
fn millis() -> impl Strategy<Value = i64> {
    prop_oneof![
        1 => 0_i64..5_000,
        2 => (0_i64..31_536_000).prop_map(|seconds| seconds * 1_000),
        1 => 0_i64..31_536_000_000_000,
    ]
}

const UNITS: [(&str, i64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_length_written_reads_back(millis in millis()) {
        let length = SignedDuration::from_millis(millis);
        let pause: NonNegativeDuration = serde_json::from_value(format!("{}.{:03}s", millis / 1000, millis % 1000).into()).unwrap();
        prop_assert_eq!(pause.get(), length);
        prop_assert_eq!(NonNegativeDuration::parse(&pause.to_string()), Ok(pause));
        prop_assert_eq!(serde_json::from_value::<NonNegativeDuration>(serde_json::to_value(pause).unwrap()).unwrap(), pause);
        let period = PositiveDuration::parse(&pause.to_string());
        prop_assert_eq!(period.as_ref().ok().map(|period| period.get()), (millis > 0).then_some(length));
        if let Ok(period) = period {
            prop_assert_eq!(PositiveDuration::parse(&period.to_string()), Ok(period));
        }
    }

    #[test]
    fn a_length_is_the_sum_of_its_parts(
        parts in vec((0_i64..2_000, select(UNITS.to_vec()), any::<bool>(), select(vec!["", " "])), 1..5),
    ) {
        let total: i64 = parts.iter().map(|(count, (_, seconds), ..)| count * seconds).sum();
        let text: String = parts.iter().map(|(count, (unit, _), upper, space)| {
            // A capital `M` may be months.
            let unit = if *upper && *unit != "m" { unit.to_uppercase() } else { (*unit).to_owned() };
            format!("{space}{count}{space}{unit}{space}")
        }).collect();
        prop_assert_eq!(NonNegativeDuration::parse(&text).map(NonNegativeDuration::get), Ok(SignedDuration::from_secs(total)), "{}", text);
        prop_assert_eq!(PositiveDuration::parse(&text).is_ok(), total > 0);
    }

    #[test]
    fn any_text_is_a_length_or_says_why_not(text in text()) {
        match PositiveDuration::parse(&text) {
            Ok(period) => prop_assert!(period.get().is_positive()),
            Err(why) => prop_assert!(!why.to_string().is_empty()),
        }
    }

    #[test]
    fn words_name_the_three_largest_units_and_leave_out_less_than_the_last(millis in millis()) {
        let words = duration::text(SignedDuration::from_millis(millis));
        let plain = words.replace(" and ", ", ");
        let parts: Vec<_> = plain.split(", ").map(|part| part.split_once(' ').unwrap()).collect();
        prop_assert!(parts.len() <= 3, "{words}");
        let units = [("year", 31_536_000_000_i64), ("week", 604_800_000), ("day", 86_400_000), ("hour", 3_600_000),
            ("minute", 60_000), ("second", 1_000)];
        let (mut told, mut smallest) = (0, i64::MAX);
        for (number, unit) in &parts {
            let plural = if *number == "1" { "" } else { "s" };
            let named = units.iter().find(|(name, _)| format!("{name}{plural}") == *unit);
            let (_, size) = *named.unwrap_or_else(|| panic!("{words}"));
            prop_assert!(size < smallest, "{words}: the largest first");
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            prop_assert!(!fraction.ends_with('0') && fraction.is_empty() != number.contains('.'), "{words}");
            let fraction = format!("{fraction:0<3}");
            let count = |text: &str| text.parse::<i64>().unwrap();
            let amount = count(whole) * size + count(&fraction);
            prop_assert!(amount > 0 || millis == 0, "{words}: only what is not zero");
            (told, smallest) = (told + amount, size);
        }
        let left = millis - told;
        let is_whole = parts.len() < 3 || smallest == 1_000;
        prop_assert!(if is_whole { left == 0 } else { (0..smallest).contains(&left) }, "{words} leaves out {left} ms");
        prop_assert_eq!(words.matches(" and ").count(), usize::from(parts.len() > 1), "{}", words);
    }

    #[test]
    fn an_instant_written_reads_back(at in instant()) {
        let written = annotation_text(at);
        if !written.starts_with('-') {
            prop_assert_eq!(parse(&written), Some(lifecycle::time::cut_to_millis(at)), "{}", written);
        }
        prop_assert!(written.ends_with('Z'));
        prop_assert!(human_text(at).ends_with(" UTC"));
    }
}
