//! What somebody may have meant who wrote a name that does not exist.

/// The name that differs from `word` by few enough letters to be meant, if one does: the nearest.
#[must_use]
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let slips = |name: &str| strsim::damerau_levenshtein(&word, &name.to_lowercase());
    let most = (word.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (slips(name), name))
        .filter(|(slips, _)| *slips <= most)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["policies", "mode", "store"];
        assert_eq!(nearest("polices", known), Some("policies"));
        assert_eq!(nearest("MODE", known), Some("mode"));
        assert_eq!(nearest("sotre", known), Some("store"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
