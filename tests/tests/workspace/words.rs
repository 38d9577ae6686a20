//! The words that this project once used for what has a name in the field. They stay out of code, pages, help and chart, so
//! that one thing keeps one name.

use std::sync::LazyLock;

use regex::Regex;

use super::tracked;

/// Each word that is out, with all its forms, and what to write instead.
const OUT: [(&str, &str); 27] = [
    ("ailments?", "pod failure"),
    ("absorb(s|ed|ing)?", "observe"),
    ("beats?", "heartbeat"),
    ("canary", "admission probe"),
    ("chronicles?", "history"),
    ("crew", "workers"),
    ("decree(s|d)?", "control, control record"),
    ("deeds?", "step of a scenario"),
    ("doubt(s|ed)?", "store mismatch, unverified"),
    ("episodes?", "status generation"),
    ("inbox", "consumer"),
    ("keeper", "job reconciler"),
    ("lineage", "store identity"),
    ("nudge(s|d)?", "publish"),
    ("oracle", "audit checker"),
    ("outbox", "publisher"),
    ("plot", "scenario"),
    ("pulse", "heartbeat publisher"),
    ("ration(s|ed)?", "budget, rate limit"),
    ("shelf", "memory store, cache"),
    ("succession", "supersession"),
    ("switchboard", "emergency stop"),
    ("unarmed", "admission error"),
    ("vitals", "liveness, metrics"),
    ("vouch(es|ed|ing)?", "trust"),
    ("waves?", "limit of unannounced deletions, `budget.unannounced`"),
    ("wish(es|ed|ing)?", "owner override, keep request"),
];

/// Names of constants that say nothing of what they bound.
const CONSTANTS: [&str; 7] = ["PATIENCE", "LONGEST", "MOST", "AT_ONCE", "AHEAD", "APART", "AGAIN"];

/// Any of them, in a text of many lines.
static ANY: LazyLock<Regex> = LazyLock::new(|| {
    let any = OUT.map(|(word, _)| word).join("|") + "|" + &CONSTANTS.join("|");
    Regex::new(&format!("(?im)(^|[^a-z])({any})([^a-z]|$)")).unwrap()
});

/// What is looked at: everything that is written by hand, and what is generated for people.
const KINDS: [&str; 10] = ["rs", "md", "py", "yaml", "json", "tpl", "txt", "sh", "story", "snap"];

/// Where old words have to stand: what changed is told with both names, an old key is answered with the new one, and what was
/// recorded on a cluster is not ours.
const MAY_NAME_THEM: [&str; 5] = [
    "CHANGELOG.md",
    "common/src/config/read.rs",
    "common/src/config/tests/refused.rs",
    "evidence/src/workloads/tests/recorded",
    "tests/tests/workspace/words.rs",
];

/// Where an old word stands in a text, by line, with what to write instead. Words are found inside `snake_case`, too.
fn found(text: &str) -> Vec<(usize, String)> {
    if !ANY.is_match(text) {
        return Vec::new();
    }
    let words = OUT.map(|(word, instead)| (Regex::new(&format!("(?i)(^|[^a-z]){word}([^a-z]|$)")).unwrap(), instead));
    let constants = CONSTANTS.map(|name| Regex::new(&format!(r"\b(const|static) (\w+_)?{name}(_\w+)?: ")).unwrap());
    let lines = || (1..).zip(text.lines());
    let of_words = lines().flat_map(|(number, line)| {
        let out = words.iter().filter(move |(word, _)| word.is_match(line));
        out.map(move |(_, instead)| (number, format!("`{}`: write {instead}", line.trim())))
    });
    let of_constants =
        lines().filter(|(_, line)| constants.iter().any(|name| name.is_match(line))).map(|(number, line)| {
            let how = "name what it bounds: MAX_*, *_LIMIT, *_TIMEOUT, *_INTERVAL, *_BACKOFF";
            (number, format!("`{}`: {how}", line.trim()))
        });
    of_words.chain(of_constants).collect()
}

#[test]
fn the_words_of_before_stay_out() {
    let mut wrong = Vec::new();
    let is_read = |path: &str| {
        path.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind))
            && !MAY_NAME_THEM.iter().any(|it| path.starts_with(it))
    };
    for (path, text) in tracked(is_read) {
        wrong.extend(found(&text).into_iter().map(|(line, what)| format!("{path}:{line}: {what}")));
    }
    assert!(wrong.is_empty(), "{} lines\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_word_is_found_in_whatever_form_it_has() {
    for text in
        ["/// Its beats.", "let last_beat = 1;", "the Decree of", "fn wished(", "const PATIENCE: u8", "MAX_WAVES"]
    {
        assert_eq!(found(text).len(), 1, "{text}");
    }
    assert_eq!(found("const REQUEST_PATIENCE: Duration = X;").len(), 1);
    for text in ["a heartbeat", "operations", "the most of it", "undoubtedly", "let generation = 1;"] {
        assert_eq!(found(text), [], "{text}");
    }
}
