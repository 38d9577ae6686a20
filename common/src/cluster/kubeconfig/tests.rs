use std::fs;

use serde_json::{Value, json};

use super::*;

/// What a kubeconfig leads to whose cluster and user are these, with these variables.
fn found(cluster: Value, user: Value, variables: &[(&str, &str)]) -> anyhow::Result<Found> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    fs::write(&path, kubeconfig("a", cluster, user).to_string()).unwrap();
    let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    find(Some(&path), None, &Proxies::of(get))
}

fn kubeconfig(context: &str, cluster: Value, user: Value) -> Value {
    json!({
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": user}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    })
}

const SERVER: &str = "https://apiserver.example.org:6443";

/// The proxy on the way to [`SERVER`].
#[track_caller]
fn check(named: &str, variables: &[(&str, &str)], expected: Option<&str>) {
    let found = found(json!({"server": SERVER, "proxy-url": named}), json!({}), variables).unwrap();
    assert_eq!(found.config.proxy_url.map(|url| url.to_string()).as_deref(), expected, "{named} {variables:?}");
}

#[test]
fn the_proxy_is_the_one_of_the_kubeconfig_else_of_the_environment() {
    let https = ("HTTPS_PROXY", "http://me:secret@proxy.example.org:3128");
    check("", &[], None);
    check("", &[https], Some("http://me:secret@proxy.example.org:3128/"));
    check("", &[("HTTP_PROXY", "http://proxy.example.org:3128")], None);
    check("", &[https, ("NO_PROXY", "example.org")], None);
    // What is named in the kubeconfig is meant for this cluster.
    check("socks5://other:1080", &[https, ("NO_PROXY", "example.org")], Some("socks5://other:1080/"));
}

#[test]
fn a_proxy_is_completed() {
    check("proxy.example.org:3128", &[], Some("http://proxy.example.org:3128/"));
    check("https://proxy.example.org", &[], Some("https://proxy.example.org/"));
    check("socks5h://proxy.example.org", &[], Some("socks5://proxy.example.org:1080/"));
}

#[test]
fn a_proxy_that_cannot_be_used_is_told_without_its_password() {
    for wrong in ["ftp://me:secret@proxy", "socks5://me:secret@proxy", "http://me:secret%40@proxy"] {
        let error = found(json!({"server": SERVER, "proxy-url": wrong}), json!({}), &[]).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("cannot use the proxy of `proxy-url`") && !said.contains("secret"), "{said}");
        let error = found(json!({"server": SERVER}), json!({}), &[("HTTPS_PROXY", wrong)]).unwrap_err();
        assert!(format!("{error:#}").contains("cannot use the proxy of HTTPS_PROXY"), "{error:#}");
    }
}

#[test]
fn empty_texts_count_as_absent() {
    let cluster = json!({"server": SERVER, "certificate-authority-data": "", "tls-server-name": ""});
    let user =
        json!({"token": "", "username": "", "password": "", "client-key-data": "", "exec": {"command": "login"}});
    let Found { config, plugin } = found(cluster, user, &[]).unwrap();
    assert!(config.root_cert.is_none() && config.tls_server_name.is_none());
    let login = &config.auth_info;
    assert!(login.token.is_none() && login.password.is_none() && login.client_key_data.is_none());
    assert_eq!(plugin.unwrap().command.as_deref(), Some("login"));
}

#[test]
fn a_token_outranks_a_plugin_and_its_file_outranks_the_token() {
    let exec = json!({"command": "login"});
    let with_token = found(json!({"server": SERVER}), json!({"token": "a", "exec": exec}), &[]).unwrap();
    assert!(with_token.plugin.is_none() && with_token.config.auth_info.token.is_some());
    let with_file =
        found(json!({"server": SERVER}), json!({"token": "a", "tokenFile": "t", "exec": exec}), &[]).unwrap();
    assert!(with_file.plugin.is_none() && with_file.config.auth_info.token.is_none());
    assert!(with_file.config.auth_info.token_file.unwrap().ends_with("/t"));
}

#[test]
fn an_address_without_a_scheme_is_completed() {
    let url = |cluster| found(cluster, json!({}), &[]).unwrap().config.cluster_url.to_string();
    assert_eq!(url(json!({"server": "localhost:8080"})), "http://localhost:8080/");
    assert_eq!(url(json!({"server": "localhost:6443", "insecure-skip-tls-verify": true})), "https://localhost:6443/");
}

#[test]
fn whom_to_act_as_is_sent_in_full() {
    let user = json!({"as": "alice", "as-uid": "7", "as-user-extra": {"scopes": ["a", "b"]}});
    let config = found(json!({"server": SERVER}), user, &[]).unwrap().config;
    let headers: Vec<_> = config.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(
        headers,
        [("impersonate-uid", "7"), ("impersonate-extra-scopes", "a"), ("impersonate-extra-scopes", "b")]
    );
}

#[test]
fn a_login_that_kubectl_dropped_is_told() {
    let error = found(json!({"server": SERVER}), json!({"auth-provider": {"name": "gcp"}}), &[]).unwrap_err();
    assert!(format!("{error:#}").contains("`auth-provider: gcp`"), "{error:#}");
    let oidc = json!({"auth-provider": {"name": "oidc", "config": {"id-token": "a"}}});
    found(json!({"server": SERVER}), oidc, &[]).unwrap();
}

#[test]
fn several_files_are_one_and_those_that_are_missing_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["none", "b", "c"].map(|name| directory.path().join(name));
    fs::write(&paths[1], kubeconfig("b", json!({"server": "https://b"}), json!({})).to_string()).unwrap();
    fs::write(&paths[2], kubeconfig("c", json!({"server": "https://c"}), json!({})).to_string()).unwrap();
    let host = |context| {
        let all = merged(&paths).unwrap().unwrap();
        of(all, context, &Proxies::default()).unwrap().config.cluster_url.host().unwrap().to_owned()
    };
    assert_eq!(host(None), "b", "the first that says something counts");
    assert_eq!(host(Some("c")), "c");
    assert!(merged(&paths[..1]).unwrap().is_none());

    fs::write(&paths[0], "{").unwrap();
    let error = merged(&paths).unwrap_err();
    assert!(format!("{error:#}").contains("cannot read the kubeconfig `"), "{error:#}");
}

#[test]
fn a_context_that_is_missing_is_told() {
    let all = serde_json::from_value(kubeconfig("a", json!({"server": SERVER}), json!({}))).unwrap();
    let error = of(all, Some("b"), &Proxies::default()).unwrap_err();
    assert!(format!("{error:#}").contains('b'), "{error:#}");
}
