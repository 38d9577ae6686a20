//! What a configuration is taken as, and in which words it is refused.

use std::{collections::BTreeMap, fs, path::Path};

use lifecycle::Mode;

use super::{Settings, Source};

/// Loads files of a directory and variables. In messages the directory reads `DIR`.
fn load(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Settings, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let mut environment = BTreeMap::from([("HOME".to_owned(), "/home/someone".to_owned())]);
    environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let path = (!files.is_empty()).then(|| dir.path().to_owned());
    refusal(&Source::new(path, environment), dir.path())
}

fn refusal(source: &Source, dir: &Path) -> Result<Settings, String> {
    source.load().map_err(|refused| {
        let text = refused.to_string().replace(dir.to_str().unwrap(), "DIR");
        let text = text.strip_prefix("the configuration is refused").unwrap();
        text.trim_start_matches([':', ',']).trim_start().to_owned()
    })
}

#[track_caller]
fn taken(yaml: &str) -> Settings {
    load(&[("a.yaml", yaml)], &[]).unwrap()
}

/// One file refused, in exactly these words. `@` stands for the file.
#[track_caller]
fn check(yaml: &str, expected: &str) {
    let found = load(&[("a.yaml", yaml)], &[]).map(|_| ()).unwrap_err();
    assert_eq!(found.replace("DIR/a.yaml", "@"), expected, "{yaml}");
}

#[track_caller]
fn check_variable(name: &str, value: &str, expected: &str) {
    assert_eq!(load(&[], &[(name, value)]).map(|_| ()).unwrap_err(), expected);
}

/// A policy that is good, with one more line in it.
fn policy(line: &str) -> String {
    format!("policies:\n  - name: ci\n    match: {{names: [\"ci-.*\"]}}\n    {line}\n")
}

#[test]
fn defaults_are_those_of_the_page() {
    let settings = load(&[], &[]).unwrap();
    assert_eq!(settings.mode, Mode::Observe);
    assert_eq!(settings.store.url, "sqlite:/home/someone/.local/state/namespace-manager/nsm.db");
    assert_eq!(settings.queue.url, "memory:");
    assert_eq!(settings.policies.keys.prefix, "manager.cicd.skao.int/");
    assert_eq!(settings.policies.keys.ci, "cicd.skao.int/");
    assert_eq!(settings.policies.iter().count(), 0);
    assert_eq!((settings.budget.limit(10), settings.budget.limit(1_000)), (20, 250));
    assert_eq!((settings.waves.limit(10), settings.waves.limit(1_000)), (10, 100));
    assert_eq!(settings.workers.max, 4);
    assert_eq!(settings.workers.idle_for.as_secs(), 30);
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    check(
        "polices: []\n",
        "@:1: `polices`: there is no such key; did you mean `policies`? (known: mode, store, queue, \
         annotations, ci, exclude, policies, budget, waves, workers, telemetry)",
    );
    check(
        "mode: observe\nbudget:\n  atleast: 3\n",
        "@:3: `budget.atleast`: there is no such key; did you mean `at_least`? (known: at_least, share)",
    );
    check(
        &policy("warn_bevore: 1h"),
        "@:4: `policies[0].warn_bevore`: there is no such key; did you mean `warn_before`? (known: name, \
         match, require, mode, ttl, max_ttl, max_keep, visible_for, warn_before, on)",
    );
    check(
        &policy("on: {stale: {delete: true, remind: 1h}}"),
        "@:4: `policies[0].on.stale.remind`: there is no such key (known: delete, grace)",
    );
    check("colour: red\nmode:\n", &check_known("@:1: `colour`: there is no such key"));
    // A key without a value is not taken for one that is left alone.
    check("colour:\n", &check_known("@:1: `colour`: there is no such key"));
}

fn check_known(start: &str) -> String {
    format!(
        "{start} (known: mode, store, queue, annotations, ci, exclude, policies, budget, waves, workers, telemetry)"
    )
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    check("mode: delete\n", "@:1: `mode`: it cannot be `delete` (known: observe, enforce)");
    check("mode: [observe]\n", "@:1: `mode`: it must be one word and is a list (known: observe, enforce)");
    check("budget: 3\n", "@:1: `budget`: it must be a map of settings and is the number `3` (known: at_least, share)");
    check(
        "budget: {at_least: many}\n",
        "@:1: `budget.at_least`: it must be a whole number, 0 or more, and is the text `many`",
    );
    check(
        "budget: {at_least: -1}\n",
        "@:1: `budget.at_least`: it must be a whole number, 0 or more, and is the number `-1`",
    );
    check("budget: {share: half}\n", "@:1: `budget.share`: it must be a number and is the text `half`");
    check("exclude: a\n", "@:1: `exclude`: it must be a list and is the text `a`; write it as `[a, b]`");
    check("exclude: [1]\n", "@:1: `exclude[0]`: it must be a text and is the number `1`; put it in quotes");
    check("store: {url: [a]}\n", "@:1: `store.url`: it must be a text and is a list");
    check("workers: {max: 5000000000}\n", "@:1: `workers.max`: the number `5000000000` is out of range (u32)");
    check("- mode: observe\n", "@:1: it must hold keys with values, such as `mode: observe`, and holds a list");
    check("observe\n", "@:1: it must hold keys with values, such as `mode: observe`, and holds the text `observe`");
    check(
        "policies:\n  - ci\n",
        "@:2: `policies[0]`: it must be a map of settings and is the text `ci` (known: name, match, require, mode, ttl, max_ttl, max_keep, visible_for, warn_before, on)",
    );
    check(
        &policy("on: {stalled: {}}"),
        "@:4: `policies[0].on.stalled`: it cannot be `stalled`; did you mean `stale`? (known: unknown, ok, \
         unstable, failing, failed, stale, cancelled, superseded)",
    );
    check(
        "policies:\n  - name: ci\n    match:\n      any:\n        - labels: {cicd.skao.int/projectId: 42}\n",
        "@:5: `policies[0].match.any[0].labels.cicd.skao.int/projectId`: it must be a text and is the number `42`; \
         put it in quotes",
    );
    // A label without a value would silently widen what the policy matches.
    check(
        "policies:\n  - name: ci\n    match:\n      any:\n        - labels: {a: x, b: }\n",
        "@:5: `policies[0].match.any[0].labels.b`: it has no value; give it one, or remove the key",
    );
}

#[test]
fn a_duration_that_cannot_be_read_is_refused() {
    check(
        &policy("ttl: 4"),
        "@:4: `policies[0].ttl`: `4` is not a duration: `4` has no unit; write for example `4h` (units: s, m, h, d, w)",
    );
    check(&policy("ttl: 4x"), "@:4: `policies[0].ttl`: `4x` is not a duration: `x` is not a unit; use s, m, h, d or w");
    check(&policy("ttl: 0s"), "@:4: `policies[0].ttl`: `0s` is not a duration: it must be longer than zero");
    check(
        &policy("ttl: [4h]"),
        "@:4: `policies[0].ttl`: it must be a duration with a unit, such as `4h` or `1h30m` and is a list",
    );
    check(&policy("ttl: 2s"), "@:4: `policies[0].ttl`: `2s` is below the floor; use at least 10s");
    check(
        "workers: {idle_for: 30}\n",
        "@:1: `workers.idle_for`: `30` is not a duration: `30` has no unit; write for example `30h` (units: s, m, h, d, w)",
    );
}

#[test]
fn what_can_never_hold_is_refused() {
    check("exclude: [\"a(\"]\n", "@:1: `exclude[0]`: `a(` is not a regular expression: unclosed group");
    check(
        "policies:\n  - name: ci\n    match:\n      names:\n        - ok\n        - \"[\"\n",
        "@:6: `policies[0].match.names[1]`: `[` is not a regular expression: unclosed character class",
    );
    check(
        "policies:\n  - name: ci\n    match: {}\n",
        "@:3: `policies[0].match`: it is empty and would match nothing; give `names`, `any` or `all`",
    );
    check("policies:\n  - name: ci\n", "@:2: `policies[0]`: `match` is missing; add it");
    check("policies:\n  - name: ci\n    match:\n", "@:2: `policies[0]`: `match` is missing; add it");
    check(
        "policies:\n  - {name: ci, match: {names: [a]}}\n  - {name: ci, match: {names: [b]}}\n",
        "@:3: `policies[1].name`: two policies are called `ci`; rename one",
    );
    check(
        &policy("on: {failed: {}}"),
        "@:4: `policies[0].on.failed`: nothing this policy checks leads to `failed`; remove it (reachable: stale)",
    );
    check(
        "annotations: {prefix: example.org}\n",
        "@:1: `annotations.prefix`: `example.org` is not a prefix of keys; write a DNS name and one `/` at the end, \
         `example.org/`",
    );
    check(
        "budget: {share: 25}\n",
        "@:1: `budget.share`: `25` is not a share; write a number from 0 to 1, such as `0.25` for a quarter",
    );
    check(
        "waves: {share: -0.1}\n",
        "@:1: `waves.share`: `-0.1` is not a share; write a number from 0 to 1, such as `0.25` for a quarter",
    );
    check(
        "budget: {at_least: 0, share: 0}\n",
        "@:1: `budget`: both of its numbers are 0, so nothing would ever be deleted; say so with `mode: observe`",
    );
    check("workers: {max: 0}\n", "@:1: `workers.max`: at least 1 is needed; to delete nothing, say `mode: observe`");
    check(
        "telemetry: {log: \"kube=loud\"}\n",
        "@:1: `telemetry.log`: `kube=loud` cannot be read: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write a level such as `info`",
    );
    check("telemetry: {log: \"\"}\n", "@:1: `telemetry.log`: it is empty; write a level such as `info`");
    check("store: {url: \"\"}\n", "@:1: `store.url`: it is empty; write for example `sqlite:/var/lib/nsm/nsm.db`");
    check("queue: {url: \"\"}\n", "@:1: `queue.url`: it is empty; write `memory:`");
}

#[test]
fn what_is_no_yaml_is_refused_with_its_line() {
    check("mode: [observe\n", "@:1: it is not YAML: unclosed bracket '['; mend the line, or the one above it");
    check(
        "mode: observe\nstore:\n\turl: x\n",
        "@:3: it is not YAML: tabs disallowed within this context (block indentation); mend the line, or the one above it",
    );
    check(
        "store:\n  url: \"sqlite:\nmode: observe\n",
        "@:3: it is not YAML: invalid indentation in multiline quoted scalar; mend the line, or the one above it",
    );
    check("mode: observe\nmode: enforce\n", "@:2: `mode` stands twice in the same map; remove one");
    check(&policy("name: other"), "@:4: `name` stands twice in the same map; remove one");
    check(
        "mode: observe\n---\nmode: enforce\n",
        "@:3: a second document begins here (`---`); write one document per file",
    );
    check("", "@: it is empty; write at least one setting in it, or remove it");
    check("# mode: enforce\n", "@: it is empty; write at least one setting in it, or remove it");
    check("{}\n", "@: it is empty; write at least one setting in it, or remove it");
}

#[test]
fn every_mistake_is_named_at_once_in_the_order_of_the_lines() {
    check(
        "mode: delete\npolicies:\n  - name: ci\n    match: {names: [a], regex: b}\n    ttl: 4\n  - match: {names: x}\n\
         budget: {shaer: 1}\n",
        "it has 6 mistakes:\n  \
         @:1: `mode`: it cannot be `delete` (known: observe, enforce)\n  \
         @:4: `policies[0].match.regex`: there is no such key (known: names, any, all)\n  \
         @:5: `policies[0].ttl`: `4` is not a duration: `4` has no unit; write for example `4h` (units: s, m, h, d, w)\n  \
         @:6: `policies[1].match.names`: it must be a list and is the text `x`; write it as `[a, b]`\n  \
         @:6: `policies[1]`: `name` is missing; add it\n  \
         @:7: `budget.shaer`: there is no such key; did you mean `share`? (known: at_least, share)",
    );
    check(
        "exclude: [\"(\"]\nwaves: {share: 2}\nworkers: {max: 0}\n",
        "it has 3 mistakes:\n  \
         @:1: `exclude[0]`: `(` is not a regular expression: unclosed group\n  \
         @:2: `waves.share`: `2` is not a share; write a number from 0 to 1, such as `0.25` for a quarter\n  \
         @:3: `workers.max`: at least 1 is needed; to delete nothing, say `mode: observe`",
    );
}

#[test]
fn a_mistake_is_named_once_and_what_follows_from_it_is_not() {
    check(
        "policies:\n  - {name: [], match: {names: [a]}}\n",
        "@:2: `policies[0].name`: it must be a text and is a list",
    );
}

#[test]
fn files_of_a_directory_merge_in_alphabetical_order() {
    let settings = load(
        &[
            ("20-more.yml", "budget: {share: 0.5}\nexclude: [b]\nworkers: {max: }\n"),
            ("10-base.yaml", "mode: enforce\nbudget: {at_least: 7, share: 0.1}\nexclude: [a]\nworkers: {max: 9}\n"),
            ("notes.txt", "not: ours\n"),
            (".hidden.yaml", "not: ours\n"),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(settings.mode, Mode::Enforce);
    assert_eq!((settings.raw.budget.at_least, settings.raw.budget.share), (7, 0.5), "maps merge");
    assert_eq!(settings.raw.exclude, ["b"], "lists replace");
    assert_eq!(settings.raw.workers.max, 9, "null leaves the base");
}

#[test]
fn a_mistake_names_the_file_it_stands_in() {
    let files =
        [("10.yaml", "mode: enforce\nbudget: {at_least: 7}\n"), ("20.yaml", "budget:\n  share: 7\n"), ("30.yaml", "")];
    assert_eq!(
        load(&files[..2], &[]).unwrap_err(),
        "DIR/20.yaml:2: `budget.share`: `7` is not a share; write a number from 0 to 1, such as `0.25` for a quarter"
    );
    assert_eq!(
        load(&files, &[]).unwrap_err(),
        "DIR/30.yaml: it is empty; write at least one setting in it, or remove it"
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let check = |name: &str, expected: &str| {
        let source = Source::new(Some(dir.path().join(name)), [("HOME".to_owned(), "/home/someone".to_owned())]);
        assert_eq!(refusal(&source, dir.path()).unwrap_err(), expected);
    };
    fs::write(dir.path().join("latin.yaml"), b"mode: \xe4\n").unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    check("none.yaml", "DIR/none.yaml: there is no such file; check the path");
    check("latin.yaml", "DIR/latin.yaml: it is not text in UTF-8; save it as such");
    check("empty", "DIR/empty: the directory holds no `*.yml` or `*.yaml` file; put one there, or name a file");
}

#[test]
fn a_variable_outranks_files_and_is_read_as_what_is_asked_for() {
    let settings = load(
        &[("a.yaml", "mode: observe\nbudget: {at_least: 7}\nstore: {url: \"sqlite:/a\"}\n")],
        &[
            ("NSM__MODE", "enforce"),
            ("NSM__BUDGET__AT_LEAST", "30"),
            ("NSM__STORE__URL", "memory:"),
            ("NSM__EXCLUDE", "[\"a.*\", b]"),
            ("NSM__WORKERS__IDLE_FOR", "1m"),
            ("NSM__WAVES", "{at_least: 1}"),
            ("NSM__QUEUE__URL", ""),
            ("NSM_OTHER", "not ours"),
        ],
    )
    .unwrap();
    assert_eq!(settings.mode, Mode::Enforce);
    assert_eq!(settings.raw.budget.at_least, 30);
    assert_eq!(settings.store.url, "memory:");
    assert_eq!(settings.raw.exclude, ["a.*", "b"]);
    assert_eq!(settings.workers.idle_for.as_secs(), 60);
    assert_eq!(settings.raw.waves.at_least, 1);
    assert_eq!(settings.queue.url, "memory:", "an empty variable counts as absent");
}

#[test]
fn a_variable_that_is_wrong_is_refused_by_its_name() {
    check_variable(
        "NSM__BUDGET__SHAER",
        "0.5",
        "environment variable NSM__BUDGET__SHAER: `budget.shaer`: there is no such key; did you mean `share`? \
         (known: at_least, share)",
    );
    check_variable(
        "NSM__MODES",
        "observe",
        "environment variable NSM__MODES: `modes`: there is no such key; did you mean `mode`? (known: mode, store, \
         queue, annotations, ci, exclude, policies, budget, waves, workers, telemetry)",
    );
    check_variable(
        "NSM__BUDGET__AT_LEAST",
        "many",
        "environment variable NSM__BUDGET__AT_LEAST: `budget.at_least`: it must be a whole number, 0 or more, and is \
         the text `many`",
    );
    check_variable(
        "NSM__EXCLUDE",
        "[a",
        "environment variable NSM__EXCLUDE: `exclude`: it is not YAML: unclosed bracket '['; mend the line, or the one \
         above it",
    );
    check_variable(
        "NSM__STORE____URL",
        "x",
        "environment variable NSM__STORE____URL: it is not the name of a setting; write `NSM__SECTION__KEY`",
    );
}

#[test]
fn an_option_outranks_everything() {
    let source = Source::new(None, [("HOME", "/home/someone"), ("NSM__MODE", "observe")].map(owned));
    assert_eq!(source.clone().with_flag("--mode", "mode", "enforce").load().unwrap().mode, Mode::Enforce);
    assert_eq!(
        source.with_flag("--mode", "mode", "enfroce").load().unwrap_err().to_string(),
        "the configuration is refused: option --mode: `mode`: it cannot be `enfroce`; did you mean `enforce`? \
         (known: observe, enforce)"
    );
}

#[test]
fn config_path_names_the_file_unless_an_option_does() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (five, six) = (write("5.yaml", "workers: {max: 5}\n"), write("6.yaml", "workers: {max: 6}\n"));
    let environment = [("HOME", "/home/someone"), ("CONFIG_PATH", five.to_str().unwrap())].map(owned);
    assert_eq!(Source::new(None, environment.clone()).load().unwrap().workers.max, 5);
    assert_eq!(Source::new(Some(six), environment).load().unwrap().workers.max, 6);
}

#[test]
fn the_store_has_a_place_or_must_be_given_one() {
    let url = |variables: &[(&str, &str)]| {
        Source::new(None, variables.iter().copied().map(owned)).load().map(|settings| settings.store.url)
    };
    assert_eq!(url(&[("XDG_STATE_HOME", "/state"), ("HOME", "/h")]).unwrap(), "sqlite:/state/namespace-manager/nsm.db");
    assert_eq!(
        url(&[]).unwrap_err().to_string(),
        "the configuration is refused: defaults: `store.url`: neither XDG_STATE_HOME nor HOME is set; write for \
         example `sqlite:/var/lib/nsm/nsm.db`"
    );
    assert_eq!(url(&[("NSM__STORE__URL", "sqlite:/x")]).unwrap(), "sqlite:/x");
}

#[test]
fn the_hash_changes_with_what_can_change_a_decision_and_with_nothing_else() {
    let base = taken("mode: observe\n").hash;
    for decides in [
        "mode: enforce\n",
        "exclude: [a]\n",
        "annotations: {prefix: example.org/}\n",
        "annotations: {former_prefixes: [example.org/]}\n",
        "ci: {prefix: example.org/}\n",
        "budget: {at_least: 21}\n",
        "waves: {share: 0.2}\n",
        &policy("ttl: 4h"),
    ] {
        assert_ne!(taken(decides).hash, base, "{decides}");
    }
    for indifferent in ["store: {url: \"sqlite:/x\"}\n", "workers: {max: 9}\n", "telemetry: {log: debug}\n"] {
        assert_eq!(taken(indifferent).hash, base, "{indifferent}");
    }
    assert_ne!(taken(&policy("ttl: 4h")).hash, taken(&policy("ttl: 5h")).hash);
}

#[test]
fn anchors_and_dotted_keys_are_read() {
    let settings = taken(
        "policies:\n  - name: a\n    match: {all: [{labels: &team {cicd.skao.int/team: x.y}}]}\n    on: {stale: \
         {delete: false}}\n  - name: b\n    match: {any: [{labels: *team}]}\n",
    );
    let second = &settings.raw.policies[1].applies_to.any[0];
    assert_eq!(second.labels.get("cicd.skao.int/team").map(String::as_str), Some("x.y"));
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
