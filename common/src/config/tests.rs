//! What a configuration is taken as.

use std::{collections::BTreeMap, fs, path::Path};

use jiff::SignedDuration;
use lifecycle::{
    Mode,
    ownership::{self, Owners},
    policy::{OnUndeliverable, Undeliverable},
};

use super::{Readable, Settings, Source, is_default_store};
use crate::environment::kubeconfigs;
use crate::timings::Timings;

mod helm;
mod layers;
mod refused;
mod stop;

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
    assert_eq!(settings.policies.keys.owners, Owners::default());
    assert_eq!(settings.policies.iter().count(), 0);
    assert_eq!((settings.budget.limit(10), settings.budget.limit(1_000)), (20, 250));
    assert_eq!((settings.unannounced.limit(10), settings.unannounced.limit(1_000)), (10, 100));
    assert_eq!(settings.workers.max, 4);
    assert_eq!(settings.workers.idle_for.as_secs(), 30);
    assert_eq!((settings.api.audience.as_str(), settings.api.open.as_slice()), ("namespace-manager", &[][..]));
    assert_eq!((settings.api.listen, settings.api.tls, settings.guard.stop_policy), (None, None, None));
}

#[test]
fn what_is_opened_is_a_list_in_files_and_in_variables() {
    let settings = taken("api: {open: [status, metrics, status]}\n");
    assert_eq!(settings.api.open, [Readable::Metrics, Readable::Status]);
    let settings = load(&[], &[("NSM__API__OPEN", "[records]")]).unwrap();
    assert_eq!(settings.api.open, [Readable::Records]);
    assert_eq!((settings.leadership.lease.as_secs(), &*settings.leadership.name), (10, "namespace-manager"));
    assert_eq!(settings.admin.listen, None);
}

#[test]
fn policies_know_what_follows_where_owners_cannot_be_told() {
    let told = |yaml: &str| {
        let url = "notices: {webhook: {url: \"https://example.org/hook\"}";
        let settings = taken(&format!("{}{url}{yaml}}}\n", policy("ttl: 1h")));
        (settings.policies.iter().next().unwrap().warning.unwrap().undeliverable, settings.hash)
    };
    let (usual, hash) = told("");
    assert_eq!(usual, Undeliverable { after: SignedDuration::from_hours(1), then: OnUndeliverable::Proceed });
    let (other, other_hash) = told(", undeliverable_after: 10m, on_undeliverable: wait");
    assert_eq!(other, Undeliverable { after: SignedDuration::from_mins(10), then: OnUndeliverable::Wait });
    assert_ne!(hash, other_hash, "it changes decisions");
}

#[test]
fn a_channel_is_known_by_its_address_and_tells_nothing_of_it() {
    let channels = |url: &str| taken(&format!("notices: {{webhook: {{url: \"{url}\"}}}}\n")).notices.channels();
    let (one, other) = (channels("https://example.org/t0p"), channels("https://example.org/t0q"));
    assert_eq!((one.len(), one[0].name), (1, "webhook"));
    assert!(one != other && !one[0].address.contains("t0p"), "{one:?}");
    assert_eq!(taken("mode: observe\n").notices.channels(), []);
}

#[test]
fn owners_are_found_in_the_order_that_is_configured() {
    let owners = |yaml: &str| taken(yaml).policies.keys.owners;
    let order = vec![ownership::Source::Team, ownership::Source::Creator];
    let creator = Some("admission.example.org/made_by".to_owned());
    let yaml = "owners: {order: [team, creator], creator_annotation: admission.example.org/made_by}\n";
    assert_eq!(owners(yaml), Owners { order: order.clone(), creator });
    let variables = [("NSM__OWNERS__ORDER", "[team, creator]"), ("NSM__OWNERS__CREATOR_ANNOTATION", "creator")];
    let owners = load(&[], &variables).unwrap().policies.keys.owners;
    assert_eq!(owners, Owners { order, creator: Some("creator".to_owned()) });
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
            ("NSM__STORE__URL", "mongodb://h/d"),
            ("NSM__EXCLUDE", "[\"a.*\", b]"),
            ("NSM__WORKERS__IDLE_FOR", "1m"),
            ("NSM__BUDGET__UNANNOUNCED", "{at_least: 1}"),
            ("NSM__QUEUE__URL", ""),
            ("NSM_OTHER", "not ours"),
        ],
    )
    .unwrap();
    assert_eq!(settings.mode, Mode::Enforce);
    assert_eq!(settings.raw.budget.at_least, 30);
    assert_eq!(settings.store.url, "mongodb://h/d");
    assert_eq!(settings.raw.exclude, ["a.*", "b"]);
    assert_eq!(settings.workers.idle_for.as_secs(), 60);
    assert_eq!(settings.raw.budget.unannounced.at_least, 1);
    assert_eq!(settings.queue.url, "memory:", "an empty variable counts as absent");
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
fn timings_come_with_the_source_and_change_no_hash() {
    let policies = r#"[{"name": "ci", "match": {"names": ["ci-.*"]}}]"#;
    let variables = [("HOME", "/h"), ("NSM__POLICIES", policies), ("NSM__JOBS__RESIDENT_FOR", "4s")].map(owned);
    let source = Source::new(None, variables.clone());
    let refused = source.load().unwrap_err().to_string();
    assert!(refused.contains("`jobs.resident_for`: it must be 2 minutes to 1 day"), "{refused}");
    let usual = Source::new(None, variables.into_iter().take(2)).load().unwrap();
    assert_eq!(usual.timings, Timings::default());

    let timings = Timings::parse("promise_margin=2s,hand_over_overlap=2s").unwrap();
    let short = source.with_timings(timings).load().unwrap();
    assert_eq!(short.timings, timings);
    assert_eq!(short.policies.iter().next().unwrap().promise_margin.as_secs(), 2);
    assert_eq!(short.hash, usual.hash);
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
fn each_context_has_a_store_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    // Of a kubeconfig the name alone is read: a plugin that hangs is not run.
    let plugin =
        "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['60']}}}]";
    let named = file("named", &format!("current-context: kind-a\n{plugin}\n"));
    let nameless = file("nameless", "clusters: []\n");
    let store = |kubeconfig: &str, context: Option<&str>| {
        let variables = [("XDG_STATE_HOME", "/state"), ("KUBECONFIG", kubeconfig)];
        let source = Source::new(None, variables.map(owned)).with_cluster(None, context.map(str::to_owned));
        let url = source.load().unwrap().store.url;
        url.strip_prefix("sqlite:/state/namespace-manager/").unwrap().to_owned()
    };
    assert_eq!(store(&named, None), "nsm-kind-a.db");
    assert_eq!(store(&format!("{nameless}:{named}"), None), "nsm-kind-a.db");
    let empty = file("empty", "current-context: ''\n");
    assert_eq!(store(&format!("{empty}::{named}"), None), "nsm-kind-a.db");
    assert_eq!(store(&named, Some("")), "nsm-kind-a.db");
    assert_eq!(store(&named, Some("other")), "nsm-other.db");
    assert_eq!(store(&nameless, None), "nsm.db");
    assert_eq!(store("/nowhere", None), "nsm.db");
    let of_cloud = ["arn:aws:eks:eu-1:1:cluster/a", "arn:aws:eks:eu-1:1:cluster:a", "../../a"];
    let files = of_cloud.map(|context| store(&named, Some(context)));
    for file in &files {
        assert!(!file.contains(['/', ':']) && is_default_store(file), "{file}");
    }
    assert_ne!(files[0], files[1], "what is changed alike is told apart");
}

#[test]
fn the_kubeconfigs_are_those_of_the_variable_without_empty_entries_else_the_one_at_home() {
    let files = |variable: Option<&str>| {
        let files = kubeconfigs(|name| match name {
            "KUBECONFIG" => variable.map(str::to_owned),
            _ => Some("/h".to_owned()),
        });
        files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(files(None), ["/h/.kube/config"]);
    assert_eq!(files(Some("")), ["/h/.kube/config"]);
    assert_eq!(files(Some("a")), ["a"]);
    assert_eq!(files(Some(":/a::b:")), ["/a", "b"]);
    // Somebody said that there is none.
    assert_eq!(files(Some("::")), [""; 0]);
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
        "budget: {unannounced: {share: 0.2}}\n",
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
