//! Patterns of names of namespaces: regular expressions that match the whole of a name, and some name at all.

use regex::Regex;
use regex_syntax::{
    Parser,
    hir::{Class, Hir, HirKind, literal::Extractor},
};

use crate::exclusions::is_always_system;

/// Compiles a pattern that must match the whole of a name.
///
/// # Errors
/// When it is empty, no regular expression, or one that the name of no namespace matches (RFC 1123: small letters, digits
/// and dashes).
pub fn full_match(pattern: &str) -> Result<Regex, String> {
    if pattern.trim().is_empty() {
        return Err("an empty pattern would match nothing; remove it".to_owned());
    }
    if let Some(meant) = meant_by_glob(pattern) {
        return Err(format!("`{pattern}` reads like a glob; the regular expression for that is `{meant}`"));
    }
    // Compiled alone first: a pattern such as `a)|(b` would close our group and match in part.
    let regex = Regex::new(pattern)
        .and_then(|_| Regex::new(&format!("^(?:{pattern})$")))
        .map_err(|error| format!("`{pattern}` is not a regular expression: {}", why(&error.to_string())))?;
    match Parser::new().parse(pattern) {
        Ok(hir) if !matches_names(&hir) => Err(format!(
            "`{pattern}` matches the name of no namespace: they consist of small letters, digits and dashes"
        )),
        Ok(_) | Err(_) => Ok(regex),
    }
}

/// Whether every name that a pattern matches is out of bounds by itself, so that a policy with it manages nothing.
#[must_use]
pub fn matches_system_alone(pattern: &str) -> bool {
    let Ok(hir) = Parser::new().parse(&format!("(?:{pattern})$")) else { return false };
    let seq = Extractor::new().extract(&hir);
    let Some(literals) = seq.literals().filter(|literals| !literals.is_empty()) else { return false };
    literals.iter().all(|literal| {
        let text = str::from_utf8(literal.as_bytes()).unwrap_or_default();
        // The extractor cannot tell the end of a name, so what is whole may go on for it; no pattern that is whole does.
        is_always_system(text, literal.is_exact() || is_plain(pattern))
    })
}

/// Whether a pattern is a name, and no expression.
fn is_plain(pattern: &str) -> bool {
    pattern.chars().all(is_of_name)
}

/// The expression for a glob of characters of names and `*`: to repeat the last character is what nobody means by it.
fn meant_by_glob(pattern: &str) -> Option<String> {
    let is_glob = pattern.contains('*') && pattern.chars().all(|c| is_of_name(c) || c == '*');
    is_glob.then(|| pattern.replace('*', ".*"))
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// Whether an expression can match some characters of names.
fn matches_names(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => literal.0.iter().all(|byte| is_of_name(char::from(*byte))),
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().any(|range| (range.start()..=range.end()).take(256).any(is_of_name))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().any(|range| (range.start()..=range.end()).any(|byte| is_of_name(char::from(byte))))
        }
        HirKind::Repetition(repetition) => repetition.min == 0 || matches_names(&repetition.sub),
        HirKind::Capture(capture) => matches_names(&capture.sub),
        HirKind::Concat(all) => all.iter().all(matches_names),
        HirKind::Alternation(any) => any.iter().any(matches_names),
    }
}

/// Why it is none, with a way out where there is one.
fn why(text: &str) -> String {
    let why = text.lines().last().unwrap_or(text).trim().trim_start_matches("error: ");
    let advice = if why.contains("look-around") { "; name what is not meant in `exclude`" } else { "" };
    format!("{why}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(pattern: &str, why: &str) {
        let said = full_match(pattern).unwrap_err();
        assert!(said.contains(why), "{said}");
    }

    #[test]
    fn what_a_name_can_be_is_taken() {
        for pattern in [
            "ci-.*",
            "^pr-[0-9]+$",
            "(?i)PR-[0-9]+",
            "review-.+|qa-[a-z]*",
            "[^A-Z]+",
            ".*",
            r"\w+",
            "(a|B)c",
            "x?",
            r"team-\d{1,3}",
            r"\bci\b.*",
            "A*b",
        ] {
            assert!(full_match(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn what_no_name_can_be_is_refused() {
        for pattern in
            ["/^pr-/", "PR-[0-9]+", "ci_.*", "Review-.*|QA-.*", "[A-Z]+-ci", "pr 1", r"ci\.example", "ä.*", "Ab+"]
        {
            refused(pattern, "matches the name of no namespace: they consist of small letters, digits and dashes");
        }
    }

    #[test]
    fn what_is_no_expression_says_what_was_meant() {
        refused("*-pr-*", "reads like a glob; the regular expression for that is `.*-pr-.*`");
        refused("pr-*", "`pr-.*`");
        refused("^(?!kube-).*$", "is not supported; name what is not meant in `exclude`");
        refused("a(", "`a(` is not a regular expression: unclosed group");
        refused(" ", "an empty pattern would match nothing; remove it");
    }

    #[test]
    fn what_is_out_of_bounds_anyway_is_known() {
        for pattern in
            ["kube-.*", "kube-system", "default", "openshift.*", "argocd|kube-public", "namespace-manager-[a-z]+"]
        {
            assert!(matches_system_alone(pattern), "{pattern}");
        }
        for pattern in ["kube.*", "ci-.*", ".*", "default.*", "argocd|ci-.*", "kube-?x", "defaults", "monitoring-.*"] {
            assert!(!matches_system_alone(pattern), "{pattern}");
        }
    }
}
