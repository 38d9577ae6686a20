//! What YAML 1.1, and with it Helm, makes of words without quotes: `on` becomes `true`, `off` becomes `false`.

/// The words that are `true` there, and those that are `false`.
const WORDS: [(&[&str], bool); 2] = [(&["true", "on", "yes", "y"], true), (&["false", "off", "no", "n"], false)];

/// What such a word is there, where it is one.
pub(super) fn boolean(word: &str) -> Option<bool> {
    let word = word.to_ascii_lowercase();
    WORDS.iter().find(|(words, _)| words.contains(&word.as_str())).map(|(_, value)| *value)
}

/// The one of these words that a value must have been, where nothing else can be meant.
pub(super) fn meant<'w>(value: bool, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let mut found = known.into_iter().filter(|word| boolean(word) == Some(value));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_for_the_only_word_it_can_have_been() {
        assert_eq!(meant(true, ["name", "on", "off"]), Some("on"));
        assert_eq!(meant(false, ["name", "on", "off"]), Some("off"));
        assert_eq!(meant(true, ["on", "yes"]), None, "two can be meant");
        assert_eq!(meant(true, ["name", "only", "off"]), None);
        assert_eq!([boolean("Y"), boolean("NO"), boolean("once")], [Some(true), Some(false), None]);
    }
}
