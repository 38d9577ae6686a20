//! What Helm, which reads YAML 1.1, makes of a configuration is taken as the configuration that was meant.

use lifecycle::{Status, policy::HealthSource};

use super::{load, policy, taken};

/// A file refused, in exactly these words, wherever they stand in it.
#[track_caller]
fn refused(yaml: &str, expected: &str) {
    let found = load(&[("a.yaml", yaml)], &[]).map(|_| ()).unwrap_err();
    assert_eq!(found.replace("DIR/a.yaml", "@"), expected, "{yaml}");
}

/// A policy that says what happens on a status, under this key.
fn on(key: &str) -> String {
    policy(&format!("{key}: {{stale: {{delete: false}}}}"))
}

#[test]
fn true_stands_for_the_key_on() {
    let meant = taken(&on("on"));
    assert!(!meant.raw.policies[0].on[&Status::Stale].delete);
    for key in ["\"on\"", "true", "\"true\""] {
        let settings = taken(&on(key));
        assert_eq!((settings.raw, settings.hash), (meant.raw.clone(), meant.hash.clone()), "{key}");
    }
    let two = "[{name: a, match: {names: [a]}, true: {ok: {}}}, {name: b, match: {names: [b]}, true: {stale: {}}}]";
    let settings = load(&[], &[("NSM__POLICIES", two)]).unwrap_err();
    assert!(settings.contains("`policies[0].on.ok`"), "all of them are renamed before anything is said: {settings}");
}

#[test]
fn false_stands_for_the_word_off() {
    let url = "gitlab: {url: \"https://gitlab.example.org\", token_file: t}\n";
    let checks = |off: &str| {
        policy(&format!("checks: {{health: {off}, pipeline: {off}, superseded: {{confirm: {off}}}}}")) + url
    };
    let meant = taken(&checks("off"));
    assert_eq!(meant.raw.policies[0].checks.health, HealthSource::Off);
    assert_eq!(taken(&checks("false")).raw, meant.raw);
    assert_eq!(taken("telemetry: {log: false}\n").telemetry, taken("telemetry: {log: \"off\"}\n").telemetry);
}

#[test]
fn what_can_mean_several_things_or_nothing_stays_refused() {
    refused(
        &policy("checks: {health: true}"),
        "@:4: `policies[0].checks.health`: it must be one word and is `true` (known: auto, prometheus, kubernetes, off)",
    );
    refused("mode: false\n", "@:1: `mode`: it must be one word and is `false` (known: observe, enforce)");
    refused(
        "telemetry: {log: true}\n",
        "@:1: `telemetry.log`: it must be a level, such as `info`, or directives and is `true`",
    );
    refused("budget: {true: 3}\n", "@:1: `budget.true`: there is no such key (known: at_least, share, unannounced)");
}

#[test]
fn on_and_true_in_one_map_are_refused() {
    refused(
        &policy("\"on\": {}\n    true: {stale: {delete: false}}"),
        "@:5: `policies[0].true`: it stands beside `on`, and is what Helm (YAML 1.1) makes of `on` without quotes; \
         remove one",
    );
}

#[test]
fn a_mistake_below_names_the_key_that_was_written() {
    refused(
        &policy("\"true\":\n      stale: {remind: 1h}"),
        "@:5: `policies[0].on.stale.remind`: there is no such key (known: delete, grace, require_visible)",
    );
    refused(
        &policy("\"true\":\n      failed: {}\n    checks: {health: false}"),
        "@:5: `policies[0].on.failed`: nothing this policy checks leads to `failed`; remove it (reachable: stale)",
    );
    let found = load(&[("a.yaml", &format!("mode: delete\n{}", on("true")))], &[]).unwrap_err();
    assert_eq!(found.matches("`mode`").count(), 1, "{found}");
}

/// Three keys are one to Helm, and the last of them wins.
#[test]
fn a_label_that_may_be_another_is_refused() {
    for (key, words) in [("true", "`on`, `yes` or `y`"), ("false", "`off`, `no` or `n`")] {
        for part in ["labels", "annotations"] {
            refused(
                &format!(
                    "policies:\n  - name: ci\n    match:\n      any:\n        - {part}:\n            \"{key}\": x\n"
                ),
                &format!(
                    "@:6: `policies[0].match.any[0].{part}.{key}`: it is what Helm (YAML 1.1) makes of a key {words}, so \
                     nobody knows which is meant; put the key in quotes where you wrote it"
                ),
            );
        }
    }
    let settings = taken("policies: [{name: ci, match: {any: [{labels: {on: x, y: b}}]}}]\n");
    assert_eq!(settings.raw.policies[0].applies_to.any[0].labels.len(), 2);
}

#[test]
fn a_word_of_yaml_1_1_in_place_of_a_boolean_says_what_to_write() {
    for (word, value) in [("off", "false"), ("no", "false"), ("on", "true"), ("Yes", "true")] {
        refused(
            &format!("health: {{kubernetes: {word}}}\n"),
            &format!(
                "@:1: `health.kubernetes`: it must be `true` or `false` and is the text `{word}`; write `{value}`"
            ),
        );
    }
}

#[test]
fn a_number_that_helm_reads_as_octal_is_refused() {
    refused(
        "budget: {at_least: 010}\n",
        "@:1: `budget.at_least`: it must be a whole number, 0 or more, and is the number `010`; leave out the zero before \
         it, by which Helm reads another number",
    );
    assert_eq!(taken("budget: {at_least: 0}\n").raw.budget.at_least, 0);
}

/// Who puts it in quotes writes what stands there.
#[test]
fn what_is_no_text_is_told_as_it_was_written() {
    let label =
        |value: &str| format!("policies:\n  - name: ci\n    match: {{any: [{{labels: {{version: {value}}}}}]}}\n");
    for (written, told) in [
        ("1.10", "the number `1.10`"),
        ("0x1F", "the number `0x1F`"),
        ("1_000", "the number `1_000`"),
        ("1e3", "the number `1e3`"),
        ("0123", "the number `0123`"),
        ("18446744073709551615", "the number `18446744073709551615`"),
        ("True", "`True`"),
        ("!!float 1.10", "the number `1.10`"),
    ] {
        refused(
            &label(written),
            &format!(
                "@:3: `policies[0].match.any[0].labels.version`: it must be a text and is {told}; put it in quotes"
            ),
        );
    }
    refused(
        "# ä\u{2028}\r\nbudget: {share: 0.10}\r\nexclude: [&it 2.50, *it]\r\n",
        "it has 2 mistakes:\n  @:3: `exclude[0]`: it must be a text and is the number `2.50`; put it in quotes\n  \
         @:3: `exclude[1]`: it must be a text and is the number `2.50`; put it in quotes",
    );
    refused(
        "\u{feff}exclude: [1.10]\n",
        "@:1: `exclude[0]`: it must be a text and is the number `1.10`; put it in quotes",
    );
}
