//! How Prometheus is asked, and which of its alerts count: as it is written, and checked.

use std::{collections::BTreeSet, path::PathBuf};

use jiff::SignedDuration;
use lifecycle::{duration::NonNegativeDuration, policy::Invalid};
use reqwest::{
    Url,
    header::{self, HeaderName, HeaderValue},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TlsSettings;

/// Headers that a request has by itself.
const OURS: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::ACCEPT_ENCODING];

/// The Prometheus whose alerts say which namespaces are failing. An alert is about the namespace that its label
/// `namespace_label` names; one without that label, or without `alertname`, is about none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPrometheus {
    /// Where it is: `https://…` or `http://…`, up to where `/api/v1` begins. Variable: `NSM__PROMETHEUS__URL`.
    pub url: String,
    /// A PromQL expression that is evaluated instead of looking at the alerts, such as `ALERTS{alertstate="firing"}`:
    /// each series of its instant vector that has the labels `alertname` and `namespace` counts as an alert that fires
    /// unless its value is 0 (with the value NaN it tells nothing of its namespace). It must bring the `watchdog` too.
    /// A value may be five minutes old, so that a namespace younger than that is not failing by it; and a start of
    /// Prometheus cannot be told from the values, so that `warm_up` has no effect. Default: none, the alerts are looked
    /// at. Variable: `NSM__PROMETHEUS__QUERY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The value of the label `cluster_label` that the alerts of this cluster carry; others do not count, nor do those
    /// without that label. Default: none, every alert counts. Variable: `NSM__PROMETHEUS__CLUSTER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The label that names the cluster of an alert. Rules must set it, or the metrics they look at must have it: what
    /// Prometheus adds by `external_labels` is not there when its alerts are looked at or a query is evaluated, only
    /// where it sends them to others. Default: `datacentre`. Variable: `NSM__PROMETHEUS__CLUSTER_LABEL`.
    #[serde(default = "cluster_label")]
    pub cluster_label: String,
    /// The label that names the namespace of an alert. While it is `namespace`, an alert that also has the label
    /// `exported_namespace` is about that one: so it is where kube-state-metrics is scraped without `honorLabels`.
    /// Default: `namespace`. Variable: `NSM__PROMETHEUS__NAMESPACE_LABEL`.
    #[serde(default = "namespace_label")]
    pub namespace_label: String,
    /// Alerts with one of these values of the label `severity` do not count. Default: `info`, `none`. Variable:
    /// `NSM__PROMETHEUS__IGNORE_SEVERITIES`.
    #[serde(default = "ignore_severities")]
    pub ignore_severities: Vec<String>,
    /// Names of alerts that a namespace may have: they count only with the `severity` `critical`. Default: none.
    /// Variable: `NSM__PROMETHEUS__ALLOW`.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The alert that always fires (`vector(1)`, without `for`). That no alert fires for a namespace makes it healthy
    /// only where this one fires in the same answer, with the label of this `cluster` if that is set: else its rules
    /// may not be loaded. It never counts itself. Default: `Watchdog`. Variable: `NSM__PROMETHEUS__WATCHDOG`.
    #[serde(default = "watchdog")]
    pub watchdog: String,
    /// Whether a namespace is healthy without an alert even where the `watchdog` does not fire: for a Prometheus that
    /// has none. Default: `false`. Variable: `NSM__PROMETHEUS__TRUST_SILENCE`.
    #[serde(default)]
    pub trust_silence: bool,
    /// How long after its start Prometheus may need to have evaluated all its rules on new metrics: as long as the
    /// `watchdog` is younger, the absence of alerts tells nothing, and an alert that was pending by then, which may
    /// have fired before, leaves its namespace unknown until it fires or ends. May be `0s`. Default: `5m`. Variable:
    /// `NSM__PROMETHEUS__WARM_UP`.
    #[serde(default = "warm_up")]
    pub warm_up: NonNegativeDuration,
    /// Headers that each request carries, such as `X-Scope-OrgID` for the tenant of Mimir, Cortex or Thanos. Default:
    /// none. Variable: `NSM__PROMETHEUS__HEADERS`.
    #[serde(default)]
    pub headers: Vec<RawHeader>,
    /// The user of basic authentication. Default: none. Variable: `NSM__PROMETHEUS__USERNAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A file with that user's password; read for each request, as all others here. Default: none. Variable:
    /// `NSM__PROMETHEUS__PASSWORD_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A file with a bearer token. Default: none. Variable: `NSM__PROMETHEUS__TOKEN_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// A file with the certificate to show, and those that lead to its authority, in PEM. Default: none. Variable:
    /// `NSM__PROMETHEUS__CERT_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<String>,
    /// A file with the private key of that certificate, in PEM. Default: none. Variable: `NSM__PROMETHEUS__KEY_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// A file with the authorities, in PEM, that may have signed the certificate of Prometheus. Default: none, those of
    /// the web. Variable: `NSM__PROMETHEUS__CA_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Whether any certificate of Prometheus will do, whatever `ca_file` says: whoever is on the way can then read the
    /// password or token, and invent alerts. Default: `false`. Variable: `NSM__PROMETHEUS__INSECURE`.
    #[serde(default)]
    pub insecure: bool,
}

/// A header of each request: its value is written here, or stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHeader {
    /// Its name, such as `X-Scope-OrgID`.
    pub name: String,
    /// Its value, for all to see who read the configuration. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A file with its value; read for each request. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_file: Option<String>,
}

/// How Prometheus is asked, and which of its alerts count, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusSettings {
    /// `http` or `https`, without user, query and fragment; what begins the path of each request.
    pub url: Url,
    /// PromQL, instead of the alerts.
    pub query: Option<String>,
    /// A label and the value it must have.
    pub cluster: Option<(String, String)>,
    /// The label that names the namespace of an alert.
    pub namespace_label: String,
    pub ignore_severities: BTreeSet<String>,
    /// Names of alerts that count only if they are critical.
    pub allow: BTreeSet<String>,
    /// The alert without which silence proves nothing; none: silence is trusted.
    pub watchdog: Option<String>,
    /// How old that alert must be; not negative.
    pub warm_up: SignedDuration,
    /// What each request carries besides.
    pub headers: Vec<Header>,
    pub login: Login,
    /// The certificate to show.
    pub identity: Option<TlsSettings>,
    pub trust: Trust,
}

/// A header of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: HeaderName,
    pub content: Content,
}

/// Where the value of a header stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Value(HeaderValue),
    File(PathBuf),
}

/// As whom Prometheus is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    Nobody,
    Basic { username: String, password_file: PathBuf },
    Bearer { token_file: PathBuf },
}

/// Whose certificates are taken for those of Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that an authority of the web signed.
    Web,
    /// Those that an authority in this file signed.
    Authorities(PathBuf),
    Anybody,
}

impl RawPrometheus {
    /// Checks the section.
    ///
    /// # Errors
    /// What is wrong, everything at once.
    pub fn check(&self) -> Result<PrometheusSettings, Vec<Invalid>> {
        let mut errors = Vec::new();
        let url = url(&self.url).map_err(|why| errors.push(invalid("url", why)));
        errors.extend(self.empty().map(|key| invalid(key, "it is empty; leave it out")));
        errors.extend(
            self.lonely().map(|(key, other)| invalid(key, format!("`prometheus.{other}` is missing beside it"))),
        );
        if self.username.as_ref().is_some_and(|name| name.contains(':')) {
            errors
                .push(invalid("username", "a colon ends the user's name in basic authentication; it cannot hold one"));
        }
        if self.token_file.is_some() && self.password_file.is_some() {
            errors.push(invalid("token_file", "either a token or a password can be sent; leave one of them out"));
        }
        if url.as_ref().is_ok_and(|url| url.scheme() == "http") {
            let needless = [("ca_file", self.ca_file.is_some()), ("cert_file", self.cert_file.is_some())];
            let needless = needless.into_iter().chain([("insecure", self.insecure)]).filter(|(_, is_set)| *is_set);
            errors
                .extend(needless.map(|(key, _)| invalid(key, "`http` shows no certificates; write `https` in `url`")));
        }
        let headers = self.headers.iter().enumerate().filter_map(|(place, header)| {
            header.check().map_err(|why| errors.push(invalid(&format!("headers[{place}]"), why))).ok()
        });
        let headers: Vec<_> = headers.collect();
        let Ok(url) = url else { return Err(errors) };
        if !errors.is_empty() {
            return Err(errors);
        }
        let path = |file: &Option<String>| file.as_ref().map(PathBuf::from);
        Ok(PrometheusSettings {
            url,
            query: self.query.clone(),
            cluster: self.cluster.clone().map(|value| (self.cluster_label.clone(), value)),
            namespace_label: self.namespace_label.clone(),
            headers,
            ignore_severities: self.ignore_severities.iter().cloned().collect(),
            allow: self.allow.iter().cloned().collect(),
            watchdog: (!self.trust_silence).then(|| self.watchdog.clone()),
            warm_up: self.warm_up.get(),
            login: match (self.username.clone(), path(&self.password_file), path(&self.token_file)) {
                (_, _, Some(token_file)) => Login::Bearer { token_file },
                (Some(username), Some(password_file), None) => Login::Basic { username, password_file },
                (_, _, None) => Login::Nobody,
            },
            identity: path(&self.cert_file)
                .zip(path(&self.key_file))
                .map(|(cert_file, key_file)| TlsSettings { cert_file, key_file }),
            trust: match path(&self.ca_file) {
                _ if self.insecure => Trust::Anybody,
                Some(file) => Trust::Authorities(file),
                None => Trust::Web,
            },
        })
    }

    /// The keys whose values are empty. That an empty value means something is nowhere so.
    fn empty(&self) -> impl Iterator<Item = &'static str> {
        let optional = [
            ("query", &self.query),
            ("cluster", &self.cluster),
            ("username", &self.username),
            ("password_file", &self.password_file),
            ("token_file", &self.token_file),
            ("cert_file", &self.cert_file),
            ("key_file", &self.key_file),
            ("ca_file", &self.ca_file),
        ];
        let texts = optional.into_iter().filter_map(|(key, text)| text.as_ref().map(|text| (key, text)));
        let texts = texts.chain([
            ("cluster_label", &self.cluster_label),
            ("namespace_label", &self.namespace_label),
            ("watchdog", &self.watchdog),
        ]);
        let lists = [("ignore_severities", &self.ignore_severities), ("allow", &self.allow)];
        let lists = lists.into_iter().flat_map(|(key, list)| list.iter().map(move |text| (key, text)));
        texts.chain(lists).filter(|(_, text)| text.trim().is_empty()).map(|(key, _)| key)
    }

    /// The keys that make sense only beside another, which is missing; and that other.
    fn lonely(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let pairs = [
            (("username", &self.username), ("password_file", &self.password_file)),
            (("cert_file", &self.cert_file), ("key_file", &self.key_file)),
        ];
        pairs.into_iter().filter_map(|((one, first), (other, second))| match (first, second) {
            (Some(_), None) => Some((one, other)),
            (None, Some(_)) => Some((other, one)),
            (Some(_), Some(_)) | (None, None) => None,
        })
    }
}

impl RawHeader {
    fn check(&self) -> Result<Header, &'static str> {
        let name = HeaderName::from_bytes(self.name.as_bytes());
        let name = name.map_err(|_| "its `name` is none of a header; write for example `X-Scope-OrgID`")?;
        if name == header::AUTHORIZATION {
            return Err("who asks is said by `username` and `password_file`, or by `token_file`");
        }
        if OURS.contains(&name) {
            return Err("this header is set by the request itself; leave it out");
        }
        let content = match (self.value.as_deref(), &self.value_file) {
            (Some(_), Some(_)) => return Err("either a `value` or a `value_file` can be sent; leave one of them out"),
            (Some(""), None) => return Err("its `value` is empty; leave it out"),
            (Some(value), None) => Content::Value(
                HeaderValue::from_str(value)
                    .map_err(|_| "its `value` holds what no header can, such as a line's end")?,
            ),
            (None, Some(file)) if file.trim().is_empty() => return Err("its `value_file` is empty; leave it out"),
            (None, Some(file)) => Content::File(file.into()),
            (None, None) => return Err("it has no value; write `value` or `value_file`"),
        };
        Ok(Header { name, content })
    }
}

/// What is wrong with an address is said without repeating it: it may hold a password.
fn url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or("it is not an address; write for example `https://prometheus.example.org`")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user; write `username` and `password_file` instead");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it goes on after its path; write it without `?` and `#`");
    }
    if goes_into(&url, "/api/v1") {
        return Err("it goes too far; leave out `/api/v1` and what follows");
    }
    Ok(url)
}

/// Whether an address goes into the API, which each request adds.
pub(super) fn goes_into(url: &Url, api: &str) -> bool {
    let path = url.path().trim_end_matches('/');
    path.ends_with(api) || path.contains(&format!("{api}/"))
}

fn invalid(key: &str, why: impl Into<String>) -> Invalid {
    Invalid { key: format!("prometheus.{key}"), why: why.into() }
}

fn namespace_label() -> String {
    "namespace".to_owned()
}

fn cluster_label() -> String {
    "datacentre".to_owned()
}

fn ignore_severities() -> Vec<String> {
    vec!["info".to_owned(), "none".to_owned()]
}

/// As in the rules that most installations of Prometheus on Kubernetes begin with (kube-prometheus).
fn watchdog() -> String {
    "Watchdog".to_owned()
}

const fn warm_up() -> NonNegativeDuration {
    NonNegativeDuration::from_secs(5 * 60)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Checks a section; what it adds to the address is told as JSON. Returns what is wrong with it.
    fn wrong(more: Value) -> Vec<String> {
        let mut section = json!({"url": "https://example.org/prometheus"});
        section.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let checked = serde_json::from_value::<RawPrometheus>(section).unwrap().check();
        checked.err().unwrap_or_default().into_iter().map(|Invalid { key, why }| format!("{key}: {why}")).collect()
    }

    #[track_caller]
    fn check(more: Value, expected: &[&str]) {
        assert_eq!(wrong(more.clone()), expected, "{more}");
    }

    #[test]
    fn an_address_is_enough() {
        let raw: RawPrometheus = serde_json::from_value(json!({"url": "http://p:9090"})).unwrap();
        let expected = PrometheusSettings {
            url: "http://p:9090".parse().unwrap(),
            query: None,
            cluster: None,
            namespace_label: "namespace".to_owned(),
            headers: Vec::new(),
            ignore_severities: ["info", "none"].map(str::to_owned).into(),
            allow: BTreeSet::new(),
            watchdog: Some("Watchdog".to_owned()),
            warm_up: SignedDuration::from_mins(5),
            login: Login::Nobody,
            identity: None,
            trust: Trust::Web,
        };
        assert_eq!(raw.check().unwrap(), expected);
    }

    #[test]
    fn an_address_holds_no_secret_and_is_not_repeated() {
        for url in
            ["", "p:9090", "ftp://p", "https://u:s3cret@p", "https://u@p", "https://p?token=s3cret", "https://p#a"]
        {
            let wrong = wrong(json!({"url": url}));
            assert_eq!(wrong.len(), 1, "{url}");
            assert!(wrong[0].starts_with("prometheus.url: it ") && !wrong[0].contains("s3cret"), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_ends_before_the_api() {
        for url in ["https://p/api/v1", "https://p/x/api/v1/", "https://p/api/v1/query"] {
            check(json!({"url": url}), &["prometheus.url: it goes too far; leave out `/api/v1` and what follows"]);
        }
        check(json!({"url": "https://p/api/v10"}), &[]);
    }

    #[test]
    fn an_empty_value_means_nothing() {
        for key in ["query", "cluster", "cluster_label", "namespace_label", "watchdog", "token_file", "ca_file"] {
            check(json!({key: " "}), &[&format!("prometheus.{key}: it is empty; leave it out")]);
        }
        check(json!({"allow": ["A", ""]}), &["prometheus.allow: it is empty; leave it out"]);
    }

    #[test]
    fn half_of_a_pair_is_refused() {
        check(json!({"username": "u"}), &["prometheus.username: `prometheus.password_file` is missing beside it"]);
        check(json!({"password_file": "f"}), &["prometheus.password_file: `prometheus.username` is missing beside it"]);
        check(json!({"cert_file": "f"}), &["prometheus.cert_file: `prometheus.key_file` is missing beside it"]);
        check(json!({"key_file": "f"}), &["prometheus.key_file: `prometheus.cert_file` is missing beside it"]);
    }

    #[test]
    fn only_one_secret_can_be_sent() {
        let expected = "prometheus.token_file: either a token or a password can be sent; leave one of them out";
        check(json!({"token_file": "t", "username": "u", "password_file": "f"}), &[expected]);
        check(json!({"token_file": "t", "cert_file": "c", "key_file": "k"}), &[]);
    }

    #[test]
    fn certificates_need_tls() {
        let found =
            wrong(json!({"url": "http://p", "ca_file": "a", "cert_file": "c", "key_file": "k", "insecure": true}));
        let expected = ["ca_file", "cert_file", "insecure"]
            .map(|key| format!("prometheus.{key}: `http` shows no certificates; write `https` in `url`"));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_header_has_a_name_and_one_value() {
        let header = |header: Value| wrong(json!({"headers": [{"name": "X-Scope-OrgID", "value": "a"}, header]}));
        assert_eq!(header(json!({"name": "x-team", "value_file": "/secrets/team"})), Vec::<String>::new());
        for (wrong, why) in [
            (json!({"name": "a b", "value": "x"}), "its `name` is none of a header; write for example `X-Scope-OrgID`"),
            (json!({"name": "x"}), "it has no value; write `value` or `value_file`"),
            (json!({"name": "x", "value": ""}), "its `value` is empty; leave it out"),
            (json!({"name": "x", "value_file": " "}), "its `value_file` is empty; leave it out"),
            (json!({"name": "x", "value": "a\nb"}), "its `value` holds what no header can, such as a line's end"),
            (
                json!({"name": "x", "value": "a", "value_file": "f"}),
                "either a `value` or a `value_file` can be sent; leave one of them out",
            ),
            (
                json!({"name": "Authorization", "value": "Bearer x"}),
                "who asks is said by `username` and `password_file`, or by `token_file`",
            ),
            (json!({"name": "host", "value": "x"}), "this header is set by the request itself; leave it out"),
        ] {
            assert_eq!(header(wrong.clone()), [format!("prometheus.headers[1]: {why}")], "{wrong}");
        }
    }

    #[test]
    fn insecure_wins_over_authorities() {
        let trust = |insecure: bool| {
            let section = json!({"url": "https://p", "ca_file": "f", "insecure": insecure});
            serde_json::from_value::<RawPrometheus>(section).unwrap().check().unwrap().trust
        };
        assert_eq!((trust(true), trust(false)), (Trust::Anybody, Trust::Authorities("f".into())));
    }

    #[test]
    fn silence_is_trusted_only_where_it_is_said() {
        let watchdog = |trust_silence: bool| {
            let section = json!({"url": "https://p", "trust_silence": trust_silence});
            serde_json::from_value::<RawPrometheus>(section).unwrap().check().unwrap().watchdog
        };
        assert_eq!((watchdog(false).as_deref(), watchdog(true)), (Some("Watchdog"), None));
    }
}
