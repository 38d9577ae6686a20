//! What one layer makes of another, also where the crate that lays them over each other does something else by itself.

use config::{Config, Format as _, Map, Source as _, Value, ValueKind};

use super::{
    super::{Mistake, Origin, yaml::Yaml},
    load, policy, taken,
};

/// Two files and variables refused, in exactly these words.
#[track_caller]
fn refused(files: &[(&str, &str)], variables: &[(&str, &str)], expected: &str) {
    let found = load(files, variables).map(|_| ()).unwrap_err();
    let found = found.lines().map(|line| line.split(" (known: mode, store").next().unwrap()).collect::<Vec<_>>();
    assert_eq!(found.join("\n"), expected, "{files:?} {variables:?}");
}

/// Why the notes are needed.
#[test]
fn the_crate_lets_a_null_erase_and_forgets_where_a_table_was_written() {
    let origin = "a".to_owned();
    let layer = |kind: ValueKind| Plain(Map::from([("a".to_owned(), Value::new(Some(&origin), kind))]));
    let mut merged = Config::default();
    layer(9.into()).collect_to(&mut merged.cache).unwrap();
    layer(ValueKind::Nil).collect_to(&mut merged.cache).unwrap();
    assert_eq!(merged.get::<Option<u32>>("a").unwrap(), None);
    layer(ValueKind::Table(Map::from([("b".to_owned(), 1.into())]))).collect_to(&mut merged.cache).unwrap();
    let ValueKind::Table(root) = merged.cache.kind else { panic!("no table") };
    assert_eq!(root["a"].origin(), None);
}

#[derive(Clone, Debug)]
struct Plain(Map<String, Value>);

impl config::Source for Plain {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

#[test]
fn a_null_leaves_what_a_weaker_layer_says() {
    let base = "budget: {at_least: 7}\nstore: {url: \"sqlite:/a\"}\nexclude: [a]\nmode: enforce\n";
    let over = "budget:\nstore: {url: }\nexclude: ~\nmode: null\n";
    let (one, both) = (load(&[("a.yaml", base)], &[]), load(&[("a.yaml", base), ("b.yaml", over)], &[]));
    assert_eq!(both.unwrap().raw, one.unwrap().raw);
    let settings = load(&[("a.yaml", base)], &[("NSM__BUDGET", ""), ("NSM__STORE__URL", " "), ("NSM__MODE", "")]);
    assert_eq!(
        (settings.as_ref().unwrap().raw.budget.at_least, settings.unwrap().store.url.as_str()),
        (7, "sqlite:/a")
    );
    assert_eq!(
        load(&[("a.yaml", over), ("b.yaml", base)], &[]).unwrap().raw.exclude,
        ["a"],
        "nor what a stronger one says"
    );
}

#[test]
fn a_null_under_a_name_that_does_not_exist_is_refused_in_every_layer() {
    refused(
        &[("a.yaml", "mode: observe\n"), ("b.yaml", "\nbudget: {shaer: }\n")],
        &[],
        "DIR/b.yaml:2: `budget.shaer`: there \
         is no such key; did you mean `share`? (known: at_least, share, unannounced)",
    );
    refused(&[], &[("NSM__COLOUR", "")], "environment variable NSM__COLOUR: `colour`: there is no such key");
}

#[test]
fn nothing_in_a_file_is_a_mistake_for_the_format_alone() {
    for text in ["", "# mode: enforce\n", "{}", "~", "---\n"] {
        assert_eq!(
            mistake(text),
            (Origin::File { path: "a.yaml".to_owned(), line: 0 }, "it is empty".to_owned()),
            "{text}"
        );
    }
}

#[test]
fn a_key_that_stands_twice_has_its_place() {
    let twice = |line: u64, key: &str| {
        (Origin::File { path: "a.yaml".to_owned(), line }, format!("`{key}` stands twice in the same map"))
    };
    assert_eq!(mistake("mode: observe\nstore: {}\nmode: enforce\n"), twice(3, "mode"));
    assert_eq!(mistake("budget:\n  share: 1\n\n  share: 1\n"), twice(4, "share"));
    assert_eq!(mistake("policies:\n  - name: a\n    name: b\n"), twice(3, "name"));
}

/// The place of what the format refuses, and the words before what to do about it.
#[track_caller]
fn mistake(text: &str) -> (Origin, String) {
    let error = Yaml.parse(Some(&"a.yaml".to_owned()), text).unwrap_err();
    let mistake = error.downcast::<Mistake>().unwrap();
    (mistake.origin, mistake.why.split(';').next().unwrap().to_owned())
}

#[test]
fn a_value_of_a_kind_that_no_setting_has_is_refused_with_its_place() {
    for (written, told) in [
        ("340282366920938463463374607431768211455", "the number `340282366920938463463374607431768211455`"),
        ("-170141183460469231731687303715884105728", "the number `-170141183460469231731687303715884105728`"),
        ("18446744073709551615", "the number `18446744073709551615`"),
        ("2001-12-14", "the text `2001-12-14`"),
        ("[3]", "a list"),
        ("{a: 3}", "a map"),
    ] {
        refused(
            &[("a.yaml", &format!("budget:\n  at_least: {written}\n"))],
            &[],
            &format!("DIR/a.yaml:2: `budget.at_least`: it must be a whole number, 0 or more, and is {told}"),
        );
    }
    refused(
        &[("a.yaml", "budget:\n  share: .inf\n")],
        &[],
        "DIR/a.yaml:2: it is not YAML: non-finite float `.inf` rejected by the configured policy; mend the line, or the one \
         above it",
    );
    refused(&[("a.yaml", "exclude: [a, ~]\n")], &[], "DIR/a.yaml:1: `exclude[1]`: it must be a text and is nothing");
}

#[test]
fn what_is_no_text_for_us_is_none_though_the_crate_would_take_it() {
    let wrong = |line: &str, key: &str, what: &str| {
        refused(&[("a.yaml", line)], &[], &format!("DIR/a.yaml:1: `{key}`: it must be {what}"));
    };
    wrong("store: {url: 3}\n", "store.url", "a text and is the number `3`; put it in quotes");
    wrong("budget: {at_least: \"3\"}\n", "budget.at_least", "a whole number, 0 or more, and is the text `3`");
    wrong("budget: {at_least: 2.5}\n", "budget.at_least", "a whole number, 0 or more, and is the number `2.5`");
    wrong("budget: {at_least: true}\n", "budget.at_least", "a whole number, 0 or more, and is `true`");
    wrong("health: {kubernetes: 1}\n", "health.kubernetes", "`true` or `false` and is the number `1`");
}

#[test]
fn a_key_at_the_top_is_no_path() {
    for key in ["store.url", "policies[0]", "policies[-1].ttl", "store[", "a b", "Mode"] {
        let found = load(&[("a.yaml", &format!("mode: observe\n\"{key}\": x\n"))], &[]).unwrap_err();
        assert!(found.starts_with(&format!("DIR/a.yaml:2: `{key}`: there is no such key")), "{found}");
    }
}

/// A mistake below the list was once marked in that key instead, found again, and so on for ever.
#[test]
fn a_key_that_is_called_like_one_of_a_list_is_refused_beside_it() {
    let yaml = "policies[0]: x\npolicies:\n  - name: a\n  - {}\n";
    let found = load(&[("a.yaml", yaml)], &[]).unwrap_err();
    assert!(found.contains("DIR/a.yaml:1: `policies[0]`: there is no such key"), "{found}");
    assert!(found.contains("`policies[0]`: `match` is missing; add it"), "{found}");
    assert!(found.contains("`policies[1]`: `name` is missing; add it"), "{found}");
}

#[test]
fn the_name_of_a_variable_is_no_path() {
    for (name, key) in [
        ("NSM__STORE.URL", "store.url`: there is no such key"),
        ("NSM__POLICIES[0]__TTL", "policies[0]`: there is no such key"),
        ("NSM__EXCLUDE[0]", "exclude[0]`: there is no such key"),
    ] {
        let found = load(&[("a.yaml", &format!("{}exclude: [a]\n", policy("ttl: 1h")))], &[(name, "x")]).unwrap_err();
        assert!(found.starts_with(&format!("environment variable {name}: `{key}")), "{found}");
    }
}

#[test]
fn keys_of_labels_keep_their_dots_and_capitals() {
    let labels = "{projectId: A, Example.ORG/Team.name: b, \"a[0]\": c, \"\": d}";
    let yaml = format!("policies: [{{name: ci, match: {{any: [{{labels: {labels}}}]}}}}]\n");
    for settings in [taken(&yaml), load(&[], &[("NSM__POLICIES", yaml.trim_start_matches("policies: "))]).unwrap()] {
        let labels = &settings.raw.policies[0].applies_to.any[0].labels;
        let pairs: Vec<_> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("", "d"), ("Example.ORG/Team.name", "b"), ("a[0]", "c"), ("projectId", "A")]);
    }
}

#[test]
fn tables_merge_deep_and_lists_replace() {
    let files = [
        (
            "a.yaml",
            "notices: {webhook: {url: \"https://a\", secret_file: /s}, undeliverable_after: 2h}\napi: {open: [status, records]}\n",
        ),
        ("b.yaml", "notices: {webhook: {url: \"https://b\"}}\napi: {audience: x, open: [metrics]}\n"),
    ];
    let raw = load(&files, &[("NSM__NOTICES__WEBHOOK__SECRET_FILE", "/t"), ("NSM__API", "{open: []}")]).unwrap().raw;
    let webhook = raw.notices.webhook.unwrap();
    assert_eq!((webhook.url.as_str(), webhook.secret_file.as_deref()), ("https://b", Some("/t")));
    assert_eq!((raw.notices.undeliverable_after.to_string(), raw.api.audience.as_str()), ("2h".to_owned(), "x"));
    assert_eq!(raw.api.open, []);
}

#[test]
fn a_map_and_a_value_replace_each_other() {
    let (map, value) = ("store: {url: \"sqlite:/a\"}\n", "store: here\n");
    assert_eq!(load(&[("a.yaml", value), ("b.yaml", map)], &[]).unwrap().store.url, "sqlite:/a");
    let known = " (known: url, username_file, password_file, ca_file)";
    let expected = format!("DIR/b.yaml:1: `store`: it must be a map of settings and is the text `here`{known}");
    refused(&[("a.yaml", map), ("b.yaml", value)], &[], &expected);
}

#[test]
fn a_section_has_a_place_too() {
    let budget = "`budget`: both of its numbers are 0, so nothing would ever be deleted; say so with `mode: observe`";
    let yaml = "mode: enforce\nbudget:\n  at_least: 0\n  share: 0\n";
    refused(&[("a.yaml", yaml)], &[], &format!("DIR/a.yaml:2: {budget}"));
    let yaml = "mode: enforce\nbudget:\n  at_least: 0\n";
    refused(&[("a.yaml", yaml)], &[("NSM__BUDGET__SHARE", "0")], &format!("DIR/a.yaml:2: {budget}"));
    let files = [("a.yaml", yaml), ("b.yaml", "budget:\n  share: 0\n")];
    refused(&files, &[], &format!("DIR/a.yaml:2: {budget}"));
    let variables = [("NSM__BUDGET__AT_LEAST", "0"), ("NSM__BUDGET__SHARE", "0")];
    refused(&[], &variables, &format!("environment variable NSM__BUDGET__AT_LEAST: {budget}"));
    refused(
        &[("a.yaml", "mode: observe\nnotices:\n  webhook: {}\n")],
        &[],
        "DIR/a.yaml:3: `notices.webhook`: `url` is missing; add it",
    );
}

#[test]
fn a_layer_that_is_refused_hides_no_mistake_of_another() {
    refused(
        &[("a.yaml", "mode: [\n"), ("b.yaml", "workers: {max: 0}\nmode: delete\n"), ("c.yaml", "")],
        &[("NSM__EXCLUDE", "[a"), ("NSM__BUDGET__UNANNOUNCED__SHARE", "half")],
        "it has 5 mistakes:\n  \
         DIR/a.yaml:1: it is not YAML: unclosed bracket '['; mend the line, or the one above it\n  \
         DIR/b.yaml:2: `mode`: it cannot be `delete` (known: observe, enforce)\n  \
         DIR/c.yaml: it is empty; write at least one setting in it, or remove it\n  \
         environment variable NSM__BUDGET__UNANNOUNCED__SHARE: `budget.unannounced.share`: it must be a number and is the text `half`\n  \
         environment variable NSM__EXCLUDE: `exclude`: it is not YAML: unclosed bracket '['; mend the line, or the one above it",
    );
}

/// So do notes begin.
#[test]
fn no_key_begins_with_nul() {
    for key in ["\\0places", "\\0null:mode", "\\0"] {
        refused(
            &[("a.yaml", &format!("mode: observe\nbudget: {{\"{key}\": 3}}\n"))],
            &[],
            "DIR/a.yaml:2: it is not YAML: a key begins with the character NUL; mend the line, or the one above it",
        );
    }
}
