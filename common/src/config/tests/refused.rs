//! CronInterval way to write a configuration wrongly, and the words in which it is refused.

use super::{load, policy};

/// One file refused, in exactly these words. `@` stands for the file.
#[track_caller]
fn check(yaml: &str, expected: &str) {
    let found = load(&[("a.yaml", yaml)], &[]).map(|_| ()).unwrap_err();
    assert_eq!(shorten(&found.replace("DIR/a.yaml", "@")), expected, "{yaml}");
}

#[track_caller]
fn check_variable(name: &str, value: &str, expected: &str) {
    assert_eq!(shorten(&load(&[], &[(name, value)]).map(|_| ()).unwrap_err()), expected);
}

/// The names of the sections and of a policy's keys grow; what is said of them is not about all of them.
fn shorten(text: &str) -> String {
    let known = [("(known: mode, store, ", "(known: SECTIONS)"), ("(known: name, match, ", "(known: POLICY)")];
    known.into_iter().fold(text.to_owned(), |mut text, (start, short)| {
        while let Some(at) = text.find(start) {
            let end = at + text[at..].find(')').unwrap();
            text.replace_range(at..=end, short);
        }
        text
    })
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    check("polices: []\n", "@:1: `polices`: there is no such key; did you mean `policies`? (known: SECTIONS)");
    check(
        "waves: {share: 0.2}\n",
        "@:1: `waves`: there is no such key; did you mean `budget.unannounced`? (known: SECTIONS)",
    );
    check(
        "mode: observe\nbudget:\n  atleast: 3\n",
        "@:3: `budget.atleast`: there is no such key; did you mean `at_least`? (known: at_least, share, unannounced)",
    );
    check(
        &policy("warn_bevore: 1h"),
        "@:4: `policies[0].warn_bevore`: there is no such key; did you mean `warn_before`? (known: POLICY)",
    );
    check(
        &policy("on: {stale: {delete: true, remind: 1h}}"),
        "@:4: `policies[0].on.stale.remind`: there is no such key (known: delete, grace, require_visible)",
    );
    check("colour: red\nmode:\n", "@:1: `colour`: there is no such key (known: SECTIONS)");
    // A key without a value is not taken for one that is left alone.
    check("colour:\n", "@:1: `colour`: there is no such key (known: SECTIONS)");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    check("mode: delete\n", "@:1: `mode`: it cannot be `delete` (known: observe, enforce)");
    check("mode: [observe]\n", "@:1: `mode`: it must be one word and is a list (known: observe, enforce)");
    check(
        "budget: 3\n",
        "@:1: `budget`: it must be a map of settings and is the number `3` (known: at_least, share, unannounced)",
    );
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
    check(
        "store: db://user:s3cret@example.org\n",
        "@:1: `store`: it must be a map of settings and is an address (known: url, username_file, password_file, ca_file)",
    );
    check("observe\n", "@:1: it must hold keys with values, such as `mode: observe`, and holds the text `observe`");
    check(
        "policies:\n  - ci\n",
        "@:2: `policies[0]`: it must be a map of settings and is the text `ci` (known: POLICY)",
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
        "exclude: [\"Prod-.*\"]\n",
        "@:1: `exclude[0]`: `Prod-.*` matches the name of no namespace: they consist of small letters, digits and dashes",
    );
    check(
        "exclude: [\"prod-*\"]\n",
        "@:1: `exclude[0]`: `prod-*` reads like a glob; the regular expression for that is `prod-.*`",
    );
    check(
        "policies:\n  - name: ci\n    match: {names: [\"kube-.*\"]}\n",
        "@:3: `policies[0].match.names[0]`: `kube-.*` matches only what is never managed, the namespaces of the system",
    );
    for (url, why) in [
        ("postgres://u:s3cret@h/d", "no store has the scheme `postgres`"),
        ("nsm.db", "it has no scheme"),
        ("/var/lib/s3cret", "it has no scheme"),
        ("sqlite:", "it names no file"),
    ] {
        let expected = format!("@:1: `store.url`: {why}; write `sqlite:PATH` or `mongodb://HOST/DATABASE`");
        check(&format!("store: {{url: \"{url}\"}}\n"), &expected);
    }
    check(
        "gitlab: {url: \"https://gitlab.example.org/api/v4\", token_file: t}\n",
        "@:1: `gitlab.url`: it goes too far; leave out `/api/v4` and what follows",
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
        &policy("on: {failed: {}}\n    checks: {health: off}"),
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
        "budget: {unannounced: {share: -0.1}}\n",
        "@:1: `budget.unannounced.share`: `-0.1` is not a share; write a number from 0 to 1, such as `0.25` for a quarter",
    );
    check(
        "budget: {at_least: 0, share: 0}\n",
        "@:1: `budget`: both of its numbers are 0, so nothing would ever be deleted; say so with `mode: observe`",
    );
    for lease in ["2s", "6m", "3.5s"] {
        check(
            &format!("leadership: {{lease: {lease}}}\n"),
            &format!(
                "@:1: `leadership.lease`: `{lease}` is not from `3s` to `5m` in whole seconds; write for example `10s`"
            ),
        );
    }
    check(
        "leadership: {name: Nsm-}\n",
        "@:1: `leadership.name`: `Nsm-` does not begin the name of an object; write at most 32 small letters, digits \
         and dashes, with a letter at its begin and no dash at its end",
    );
    check("workers: {max: 0}\n", "@:1: `workers.max`: at least 1 is needed; to delete nothing, say `mode: observe`");
    for (key, found) in [
        ("fail_after", "that find something failing it is `unstable`"),
        ("recover_after", "that find nothing failing it is `ok` again"),
    ] {
        check(
            &policy(&format!("checks: {{{key}: 0}}")),
            &format!("@:4: `policies[0].checks.{key}`: write 1 or more: after how many looks in a row {found}"),
        );
    }
    check("workers: {min: 5}\n", "@:1: `workers.min`: more than `workers.max`, which is 4, are never there");
    check(
        "telemetry: {log: \"kube=loud\"}\n",
        "@:1: `telemetry.log`: `kube=loud` cannot be read: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write a level such as `info`",
    );
    check("telemetry: {log: \"\"}\n", "@:1: `telemetry.log`: it is empty; write a level such as `info`");
    check("store: {url: \"\"}\n", "@:1: `store.url`: it is empty; write for example `sqlite:/var/lib/nsm/nsm.db`");
    check(
        "notices: {webhook: {url: example.org}}\n",
        "@:1: `notices.webhook.url`: it is not an address; write for example `https://example.org/hooks/namespaces`",
    );
    check("notices: {webhook: {}}\n", "@:1: `notices.webhook`: `url` is missing; add it");
    check(
        "notices: {on_undeliverable: hope}\n",
        "@:1: `notices.on_undeliverable`: it cannot be `hope` (known: proceed, wait)",
    );
    check(
        "api: {listen: \"9180\"}\n",
        "@:1: `api.listen`: `9180` is not an address with a port; write for example `127.0.0.1:9180`",
    );
    check(
        "api: {audience: \"\"}\n",
        "@:1: `api.audience`: it is empty, and would take tokens made for others; leave it out",
    );
    check("api: {tls: {cert_file: a}}\n", "@:1: `api.tls`: `key_file` is missing; add it");
    check(
        "api: {tls: {cert_file: a, key_file: \"\"}}\n",
        "@:1: `api.tls.key_file`: it is empty; write the path of a file in PEM",
    );
    check(
        "guard: {mark_policy: a_b}\n",
        "@:1: `guard.mark_policy`: `a_b` is not the name of an object; write that of a ValidatingAdmissionPolicy",
    );
    check(
        "guard: {stop_policy: Stop}\n",
        "@:1: `guard.stop_policy`: `Stop` is not the name of an object; write that of a ValidatingAdmissionPolicy",
    );
    check("queue: {url: \"\"}\n", "@:1: `queue.url`: it is empty; write `memory:`");
}

#[test]
fn what_is_no_yaml_is_refused_with_its_line() {
    check("mode: [observe\n", "@:1: it is not YAML: unclosed bracket '['; mend the line, or the one above it");
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

/// The parser blames the line before, where a value began that might go on.
#[test]
fn a_tab_is_told_with_its_line() {
    for (yaml, line) in [
        ("mode: observe\nstore:\n\turl: x\n", 3),
        ("policies:\n  - name: ci\n\tmatch: {names: [a]}\n", 3),
        ("policies:\n  - name: ci\n  \t  match: {names: [a]}\n", 3),
        ("mode: observe\n\tstore: {url: x}\n", 2),
        ("exclude:\n- a\n\t- b\n", 3),
        ("budget:\n  at_least: 3\n\n\t\n\n\tshare: 0.1\n", 6),
        ("store:\n  url: |\n\tx\n", 3),
        ("store: {\n\turl: x\n}\n", 2),
    ] {
        check(yaml, &format!("@:{line}: a tab stands before the text of this line; YAML is indented by spaces alone"));
    }
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
         @:7: `budget.shaer`: there is no such key; did you mean `share`? (known: at_least, share, unannounced)",
    );
    check(
        "exclude: [\"(\"]\nbudget: {unannounced: {share: 2}}\nworkers: {max: 0}\n",
        "it has 3 mistakes:\n  \
         @:1: `exclude[0]`: `(` is not a regular expression: unclosed group\n  \
         @:2: `budget.unannounced.share`: `2` is not a share; write a number from 0 to 1, such as `0.25` for a quarter\n  \
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
fn a_variable_that_is_wrong_is_refused_by_its_name() {
    check_variable(
        "NSM__BUDGET__SHAER",
        "0.5",
        "environment variable NSM__BUDGET__SHAER: `budget.shaer`: there is no such key; did you mean `share`? \
         (known: at_least, share, unannounced)",
    );
    check_variable(
        "NSM__MODES",
        "observe",
        "environment variable NSM__MODES: `modes`: there is no such key; did you mean `mode`? (known: SECTIONS)",
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
fn files_that_open_a_store_are_for_a_server_and_whole() {
    check(
        "store: {url: \"sqlite:/a\", ca_file: /b}\n",
        "@:1: `store.ca_file`: a store in a file needs none; name a server in `store.url`, or leave it out",
    );
    check(
        "store: {url: \"mongodb://a/b\", username_file: /b}\n",
        "@:1: `store.username_file`: `store.password_file` is missing beside it",
    );
    check(
        "store: {url: \"mongodb://a/b\", password_file: \"\"}\n",
        "@:1: `store.password_file`: it is empty; write the path of a file, or leave it out",
    );
}

#[test]
fn an_owner_is_looked_for_in_places_that_there_are_each_once() {
    check(
        "owners: {order: [author, teem]}\n",
        "@:1: `owners.order[1]`: it cannot be `teem`; did you mean `team`? (known: notificationAddress, authorEmail, \
         author, mrAssignees, team, creator)",
    );
    check(
        "owners: {order: [team, author, team]}\n",
        "@:1: `owners.order[2]`: `team` stands there twice; remove one of them",
    );
    check(
        "owners: {order: []}\n",
        "@:1: `owners.order`: it is empty; write for example `[notificationAddress, authorEmail, author, mrAssignees, \
         team, creator]`, or leave it out",
    );
    for key in ["admission.example.org/", "/creator", "a b", "example.org/made/by", "Example.org/creator", "-a"] {
        check(
            &format!("owners: {{creator_annotation: \"{key}\"}}\n"),
            &format!(
                "@:1: `owners.creator_annotation`: `{key}` is not the key of an annotation; write for example \
                 `admission.example.org/creator`"
            ),
        );
    }
    check(
        "owners: {order: [team], creator_annotation: creator}\n",
        "@:1: `owners.creator_annotation`: nobody reads it; add `creator` to `owners.order`, or leave it out",
    );
}
