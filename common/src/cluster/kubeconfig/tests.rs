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
    let cluster = json!({"server": SERVER, "certificate-authority": "", "certificate-authority-data": "",
        "tls-server-name": ""});
    let user = json!({"token": "", "tokenFile": "", "username": "", "password": "", "client-certificate": "",
        "client-certificate-data": "", "client-key": "", "client-key-data": "", "as": "", "as-uid": "",
        "exec": {"command": "login"}});
    let Found { config, plugin } = found(cluster, user, &[]).unwrap();
    assert!(config.root_cert.is_none() && config.tls_server_name.is_none() && config.headers.is_empty());
    let login = &config.auth_info;
    assert!(login.token.is_none() && login.password.is_none() && login.client_key_data.is_none());
    let paths = [&login.token_file, &login.client_certificate, &login.client_key, &login.impersonate];
    assert!(paths.into_iter().all(Option::is_none), "{paths:?}");
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

/// Stands for a file that is not there.
const MISSING: &str = "(missing)";

/// Files of `KUBECONFIG`, each in a directory of its own, which is called as its number.
struct Files {
    directory: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Files {
    fn new(texts: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |(number, text): (usize, &&str)| {
            let path = directory.path().join(number.to_string()).join("config");
            fs::create_dir(path.parent().unwrap()).unwrap();
            if *text != MISSING {
                fs::write(&path, text).unwrap();
            }
            path
        };
        let paths = texts.iter().enumerate().map(file).collect();
        Self { directory, paths }
    }

    fn found(&self) -> anyhow::Result<Found> {
        of(merged(&self.paths)?.context("there is none")?, None, &Proxies::default())
    }
}

/// Where several files lead to, and with which token.
#[track_caller]
fn check_files(texts: &[&str], server: &str, token: Option<&str>) {
    let config = Files::new(texts).found().unwrap_or_else(|error| panic!("{texts:?}: {error:#}")).config;
    let found = config.auth_info.token.as_ref().map(|token| token.expose_secret());
    assert_eq!((config.cluster_url.host(), found), (Some(server), token), "{texts:?}");
}

/// A kubeconfig that is whole, and all of whose parts are called so.
fn whole(name: &str) -> String {
    kubeconfig(name, json!({"server": format!("https://{name}")}), json!({"token": name})).to_string()
}

#[test]
fn the_first_file_that_names_a_context_counts() {
    let (a, b) = (&*whole("a"), &*whole("b"));
    check_files(&[a, b], "a", Some("a"));
    check_files(&["current-context: b", a, b], "b", Some("b"));
    // A name that is empty is none.
    check_files(&["current-context: ''", b], "b", Some("b"));
    check_files(&["{}", "current-context: ''", a, b], "a", Some("a"));
    check_files(&["{kind: '', apiVersion: '', current-context: ''}", a], "a", Some("a"));
}

#[test]
fn files_that_are_missing_or_empty_are_passed_over() {
    let (a, b) = (&*whole("a"), &*whole("b"));
    check_files(&[MISSING, a, MISSING, b], "a", Some("a"));
    check_files(&["", a], "a", Some("a"));
    assert!(merged(&Files::new(&[MISSING, MISSING]).paths).unwrap().is_none());
    assert!(merged(&Files::new(&["current-context: ''"]).paths).unwrap().is_none());
    let error = Files::new(&[a, "{"]).found().unwrap_err();
    assert!(format!("{error:#}").contains("cannot read the kubeconfig `"), "{error:#}");
}

#[test]
fn of_two_parts_of_one_name_the_first_counts_and_nothing_of_the_second() {
    let a = &*whole("a");
    check_files(&["clusters: [{name: a, cluster: {server: 'https://first'}}]", a], "first", Some("a"));
    check_files(&["users: [{name: a, user: {token: first}}]", a], "a", Some("first"));
    check_files(&["users: [{name: a, user: {username: me}}]", a], "a", None);
    check_files(&["users: [{name: a, user: {token: ''}}]", a], "a", None);
    check_files(&["users: [{name: a}]", a], "a", None);
    check_files(&["contexts: [{name: a, context: {cluster: b, user: a}}]", a, &whole("b")], "b", Some("a"));
    // Else a certificate authority of the second would be asked for.
    let second = "clusters: [{name: a, cluster: {server: 'https://second', certificate-authority: none}}]";
    check_files(&[a, second], "a", Some("a"));
}

#[test]
fn a_path_is_relative_to_the_file_that_it_stands_in() {
    let user = "users: [{name: a, user: {tokenFile: t, client-certificate: ../c, client-key: /k}}]";
    let files = Files::new(&["{}", user, &whole("a")]);
    let of_second = |path: &str| Some(files.directory.path().join("1").join(path).display().to_string());
    let config = files.found().unwrap().config;
    let login = config.auth_info;
    assert_eq!(login.token_file, of_second("t"));
    assert_eq!(login.client_certificate, of_second("../c"));
    assert_eq!(login.client_key.as_deref(), Some("/k"));

    let authority = "clusters: [{name: a, cluster: {server: 'https://a', certificate-authority: ca}}]";
    let files = Files::new(&[authority, &whole("a")]);
    let error = format!("{:#}", files.found().unwrap_err());
    assert!(error.contains(&files.directory.path().join("0/ca").display().to_string()), "{error}");
}

#[test]
fn a_plugin_is_found_by_its_path_or_by_its_name() {
    let command = |command: &str| {
        let user = format!("users: [{{name: a, user: {{exec: {{command: {command}}}}}}}]");
        let files = Files::new(&["{}", &user, &whole("a")]);
        let found = files.found().unwrap().plugin.unwrap().command.unwrap();
        found.strip_prefix(&format!("{}/", files.directory.path().display())).unwrap_or(&found).to_owned()
    };
    assert_eq!(command("bin/login"), "1/bin/login");
    assert_eq!(command("/bin/login"), "/bin/login");
    assert_eq!(command("login"), "login");
}

#[test]
fn a_context_that_is_given_outranks_all() {
    let files = Files::new(&[&whole("a"), &whole("b")]);
    let all = merged(&files.paths).unwrap().unwrap();
    let config = of(all, Some("b"), &Proxies::default()).unwrap().config;
    assert_eq!(config.cluster_url.host(), Some("b"));
    let found = find(Some(&files.paths[1]), Some(""), &Proxies::default()).unwrap().config;
    assert_eq!(found.cluster_url.host(), Some("b"), "a name that is empty is none");
}

#[test]
fn a_context_that_is_missing_is_told() {
    let all = serde_json::from_value(kubeconfig("a", json!({"server": SERVER}), json!({}))).unwrap();
    let error = of(all, Some("b"), &Proxies::default()).unwrap_err();
    assert!(format!("{error:#}").contains('b'), "{error:#}");
}
