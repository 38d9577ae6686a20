//! What a stop takes of a configuration that is refused.

use std::fs;

use super::{Source, policy};

/// The store that a stop is written to under this file and these variables; `None`: nobody knows where that is.
fn stops(yaml: &str, variables: &[(&str, &str)]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), yaml).unwrap();
    let variables = [("HOME", "/home/someone")].iter().chain(variables);
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let source = Source::new(Some(dir.path().to_owned()), variables);
    source.load_for_stop().ok().map(|(settings, refused)| {
        assert_eq!(refused, source.load().err(), "{yaml}");
        settings.store.url
    })
}

const STORE: &str = "store: {url: \"sqlite:/a/nsm.db\"}\n";

#[test]
fn a_mistake_elsewhere_keeps_nobody_from_stopping() {
    let wrong_policy = policy("ttl: 6M");
    for wrong in
        ["", "mode: delete\n", "budget: 3\n", "gitlab: {url: nowhere}\n", "jobs: {sweep: often}\n", &wrong_policy]
    {
        let yaml = format!("{STORE}{wrong}");
        assert_eq!(stops(&yaml, &[]).as_deref(), Some("sqlite:/a/nsm.db"), "{wrong}");
    }
    let (name, at) = ("NSM__STORE__URL", "sqlite:/b/nsm.db");
    assert_eq!(stops(&wrong_policy, &[(name, at)]).as_deref(), Some(at));
    assert_eq!(stops(STORE, &[("NSM__MODE", "delete")]).as_deref(), Some("sqlite:/a/nsm.db"));
    let default = "sqlite:/home/someone/.local/state/namespace-manager/nsm.db";
    assert_eq!(stops(&wrong_policy, &[]).as_deref(), Some(default));
}

#[test]
fn a_stop_keeps_what_else_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = "guard: {stop_policy: halt}\nannotations: {prefix: example.org/}\nmode: delete\n";
    fs::write(dir.path().join("a.yaml"), yaml).unwrap();
    let source = Source::new(Some(dir.path().to_owned()), [("HOME".to_owned(), "/home/someone".to_owned())]);
    let (settings, _) = source.load_for_stop().unwrap();
    assert_eq!(settings.guard.stop_policy.as_deref(), Some("halt"));
    assert_eq!(settings.policies.keys.ours("protect"), "example.org/protect");
}

#[test]
fn what_else_a_stop_needs_is_left_out_where_it_is_wrong() {
    for wrong in ["guard: {stop_policy: [a]}\n", "annotations: {prefix: \"\"}\n", "ci: {prefix: [a]}\n"] {
        let yaml = format!("{STORE}{wrong}");
        assert_eq!(stops(&yaml, &[]).as_deref(), Some("sqlite:/a/nsm.db"), "{wrong}");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), "guard: {stop_policy: halt, mark_policy: [a]}\n").unwrap();
    let source = Source::new(Some(dir.path().to_owned()), [("HOME".to_owned(), "/home/someone".to_owned())]);
    let (settings, refused) = source.load_for_stop().unwrap();
    assert_eq!(settings.guard.stop_policy, None);
    assert!(refused.is_some_and(|refused| refused.concerns("guard") && !refused.concerns("store")));
}

/// A stop that is written elsewhere than where it is read stops nothing, and says that it did.
#[test]
fn nothing_is_stopped_where_it_is_not_sure_which_store_is_meant() {
    for wrong in [
        "stroe: {url: \"sqlite:/a/nsm.db\"}\n",
        "store: {ulr: \"sqlite:/a/nsm.db\"}\n",
        "store: {url: \"postgres://a/b\"}\n",
        "store:\n  url: \"sqlite:/a/nsm.db\"\n mode: observe\n",
        "colour: red\n",
    ] {
        assert_eq!(stops(wrong, &[]), None, "{wrong}");
    }
    assert_eq!(stops(STORE, &[("NSM__STROE__URL", "sqlite:/b/nsm.db")]), None);
}
