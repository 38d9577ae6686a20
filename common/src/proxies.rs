//! The proxies that the environment names, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, read as kubectl reads them.

use std::{fmt, net::IpAddr};

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Proxy, Url};

use crate::environment::variable;

/// Which proxy leads where.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    none_for: String,
}

impl Proxies {
    /// Those of this process's environment.
    #[must_use]
    pub fn system() -> Self {
        Self::of(variable)
    }

    /// Those that these variables name, in capitals or, where such a one is absent, in small letters.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_lowercase()));
        Self {
            http: either("HTTP_PROXY"),
            https: either("HTTPS_PROXY"),
            none_for: either("NO_PROXY").unwrap_or_default(),
        }
    }

    /// The proxy on the way to an address, with its login; `None`: the way is direct, as it always is to this machine.
    #[must_use]
    pub fn to(&self, url: &Uri) -> Option<&str> {
        let (proxy, default_port) = match url.scheme_str()? {
            "http" => (self.http.as_deref()?, 80),
            "https" => (self.https.as_deref()?, 443),
            _ => return None,
        };
        let host = url.host()?.trim_matches(['[', ']']);
        let is_local =
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        (!is_local && self.leads_to(url, url.port_u16().unwrap_or(default_port))).then_some(proxy)
    }

    fn leads_to(&self, url: &Uri, port: u16) -> bool {
        let entries = self.none_for.split(|c: char| c == ',' || c.is_whitespace());
        let none_for: Vec<_> = entries.filter_map(|entry| host_of(entry, port)).collect();
        // Of the matcher `*` means every name, and no address.
        !none_for.contains(&"*")
            && Matcher::builder().all("http://any").no(none_for.join(",")).build().intercept(url).is_some()
    }

    /// The same for HTTP clients.
    #[must_use]
    pub fn for_clients(self) -> Proxy {
        Proxy::custom(move |url: &Url| {
            let url: Uri = url.as_str().parse().ok()?;
            self.to(&url).map(str::to_owned)
        })
    }
}

/// Without what logs in.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("none_for", &self.none_for).finish_non_exhaustive()
    }
}

/// What an entry of NO_PROXY says of hosts, where it counts for this port. Go knows ports and `*.example.org`, which the
/// matcher does not.
fn host_of(entry: &str, port: u16) -> Option<&str> {
    let host = match entry.rsplit_once(':') {
        Some((host, only)) if !host.contains(':') || host.ends_with(']') => {
            (only.parse() == Ok(port)).then_some(host)?
        }
        _ => entry,
    };
    let host = host.trim_matches(['[', ']']);
    Some(host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Proxies::of(get)
    }

    /// Whether the way is direct, of these addresses.
    #[track_caller]
    fn check(none_for: &str, direct: &[&str], proxied: &[&str]) {
        let both = [("HTTP_PROXY", "proxy:80"), ("HTTPS_PROXY", "proxy:443"), ("NO_PROXY", none_for)];
        let proxies = proxies(&both);
        let direct_of = |url: &&&str| proxies.to(&url.parse().unwrap()).is_none();
        let all: Vec<_> = direct.iter().chain(proxied).collect();
        let found: Vec<_> = all.iter().filter(|url| direct_of(url)).map(|url| **url).collect();
        assert_eq!(found, direct, "{none_for}");
    }

    #[test]
    fn each_scheme_has_its_own_proxy() {
        let both = proxies(&[("HTTP_PROXY", "http://a"), ("https_proxy", "socks5://b")]);
        let to = |url: &str| both.to(&url.parse().unwrap()).map(str::to_owned);
        assert_eq!(to("http://example.org").as_deref(), Some("http://a"));
        assert_eq!(to("https://example.org").as_deref(), Some("socks5://b"));
        assert_eq!(proxies(&[]).to(&"https://example.org".parse().unwrap()), None);
        let capitals = proxies(&[("HTTPS_PROXY", "http://a"), ("https_proxy", "http://b")]);
        assert_eq!(capitals.to(&"https://example.org".parse().unwrap()), Some("http://a"));
    }

    #[test]
    fn this_machine_is_never_behind_a_proxy() {
        check("", &["http://localhost:9090", "https://127.0.0.1:6443", "https://[::1]:6443"], &["https://10.0.0.1"]);
    }

    #[test]
    fn hosts_suffixes_and_networks_are_spared() {
        check(
            "example.org, 10.0.0.0/8,fd00::/8,192.0.2.7",
            &[
                "https://example.org",
                "https://EXAMPLE.org:8443/path",
                "http://api.example.org",
                "https://10.96.0.1",
                "https://[fd00::5]:6443",
                "https://192.0.2.7:6443",
            ],
            &["https://notexample.org", "https://example.org.net", "https://11.0.0.1", "https://192.0.2.8"],
        );
        check(".svc", &["http://prometheus.monitoring.svc:9090"], &["http://prometheus.svc.example.org"]);
        check("*.example.org", &["https://api.example.org"], &["https://notexample.org"]);
        check("*", &["https://example.org", "https://10.0.0.1"], &[]);
    }

    #[test]
    fn an_entry_may_name_a_port() {
        check(
            "example.org:6443,[fd00::5]:443",
            &["https://example.org:6443", "https://[fd00::5]"],
            &["https://example.org", "https://[fd00::5]:6443"],
        );
    }

    #[test]
    fn a_login_is_not_printed() {
        let shown = format!("{:?}", proxies(&[("HTTPS_PROXY", "http://me:secret@proxy")]));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
