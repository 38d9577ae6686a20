//! Kubeconfigs, read as kubectl reads them, and the proxy on the way to their cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use http::{HeaderName, HeaderValue, Uri};
use kube::config::{AuthInfo, Cluster, ExecConfig, Kubeconfig};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    environment::{kubeconfigs, variable},
    proxies::Proxies,
};

/// Stands for "its kubeconfig names no proxy": where it names none, the client library would take that of the environment,
/// without NO_PROXY.
const UNNAMED: &str = "none://named";

/// Where a cluster is, and the plugin that logs in there, if one does.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) config: kube::Config,
    pub(super) plugin: Option<ExecConfig>,
}

/// Finds the cluster of a file, else of `KUBECONFIG` or `~/.kube/config`, else, without any of them, of this pod.
pub(super) fn find(file: Option<&Path>, context: Option<&str>, proxies: &Proxies) -> anyhow::Result<Found> {
    let (file, context) = (file.filter(|file| !file.as_os_str().is_empty()), context.filter(|name| !name.is_empty()));
    let kubeconfig = match file {
        Some(path) => Some(read(path)?),
        None => merged(&kubeconfigs(variable))?,
    };
    match kubeconfig {
        Some(kubeconfig) => {
            let which = match (file, context) {
                (Some(path), _) => format!("cannot use the kubeconfig `{}`", path.display()),
                (None, Some(context)) => format!("cannot use context `{context}` of the kubeconfig"),
                (None, None) => "cannot use the kubeconfig".to_owned(),
            };
            of(kubeconfig, context, proxies).context(which)
        }
        // A pod reaches its apiserver on the network of the cluster, where no proxy is in between.
        None if context.is_none() && variable("KUBERNETES_SERVICE_HOST").is_some() => {
            let config = kube::Config::incluster().context("cannot use what this pod knows of its cluster")?;
            Ok(Found { config, plugin: None })
        }
        None => bail!("no cluster is configured; give `--kubeconfig`, or set KUBECONFIG as for kubectl"),
    }
}

/// Several files as one: the first that says something counts. Those that are not there are passed over.
fn merged(paths: &[PathBuf]) -> anyhow::Result<Option<Kubeconfig>> {
    let mut merged = Kubeconfig::default();
    for path in paths.iter().filter(|path| !matches!(path.try_exists(), Ok(false))) {
        merged =
            merged.merge(read(path)?).with_context(|| format!("cannot use the kubeconfig `{}`", path.display()))?;
    }
    Ok((!merged.contexts.is_empty() || !merged.clusters.is_empty()).then_some(merged))
}

/// Reads a file, without what is empty: it would hide what another file says.
fn read(path: &Path) -> anyhow::Result<Kubeconfig> {
    let read = Kubeconfig::read_from(path);
    let mut kubeconfig = read.with_context(|| format!("cannot read the kubeconfig `{}`", path.display()))?;
    let Kubeconfig { current_context, kind, api_version, clusters, auth_infos, contexts, .. } = &mut kubeconfig;
    [current_context, kind, api_version].into_iter().for_each(drop_empty);
    contexts.iter_mut().filter_map(|named| named.context.as_mut()).for_each(|it| drop_empty(&mut it.namespace));
    let base = Base::of(path);
    clusters.iter_mut().filter_map(|named| named.cluster.as_mut()).for_each(|cluster| complete(cluster, &base));
    auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()).for_each(|login| trim(login, &base));
    Ok(kubeconfig)
}

fn of(mut kubeconfig: Kubeconfig, context: Option<&str>, proxies: &Proxies) -> anyhow::Result<Found> {
    kubeconfig.current_context = context.map(str::to_owned).or(kubeconfig.current_context);
    let mut config = kube::Config::try_from(kubeconfig)?;
    default_scheme(&mut config)?;
    let mut plugin = config.auth_info.exec.take();
    config.proxy_url = if config.proxy_url.as_ref().is_some_and(|url| url.scheme_str() == Some("none")) {
        if let Some(cluster) = plugin.as_mut().and_then(|plugin| plugin.cluster.as_mut()) {
            cluster.proxy_url = None;
        }
        let proxy = proxies.to(&config.cluster_url).map(proxy);
        proxy.transpose().context("cannot use the proxy of HTTPS_PROXY or HTTP_PROXY")?
    } else {
        let named = config.proxy_url.map(|url| proxy(&url.to_string()));
        named.transpose().context("cannot use the proxy of `proxy-url`")?
    };
    act_as(&mut config)?;
    let login = &config.auth_info;
    match login.auth_provider.as_ref().map(|provider| provider.name.as_str()) {
        // Its present token is taken, and not renewed: that would take it away from kubectl.
        None | Some("oidc") => {}
        Some(other) => bail!(
            "its user logs in by `auth-provider: {other}`, which kubectl no longer knows either; use a plugin (`exec`)"
        ),
    }
    let has_own = login.token.is_some() || login.token_file.is_some() || login.password.is_some();
    Ok(Found { plugin: plugin.filter(|_| !has_own && login.auth_provider.is_none()), config })
}

/// An empty text counts as absent.
fn drop_empty(text: &mut Option<String>) {
    text.take_if(|text| text.is_empty());
}

fn drop_empty_secret(text: &mut Option<SecretString>) {
    text.take_if(|text| text.expose_secret().is_empty());
}

/// The directory of a file, which the paths in it are relative to, as the client library completes an empty one: it is none.
struct Base(Option<String>);

impl Base {
    fn of(path: &Path) -> Self {
        Self(path.parent().and_then(|directory| directory.join("").to_str().map(str::to_owned)))
    }

    fn drop_empty(&self, path: &mut Option<String>) {
        path.take_if(|path| path.is_empty() || self.0.as_ref() == Some(path));
    }
}

fn complete(cluster: &mut Cluster, base: &Base) {
    let Cluster { server, certificate_authority, certificate_authority_data, proxy_url, tls_server_name, .. } = cluster;
    [server, certificate_authority_data, tls_server_name].into_iter().for_each(drop_empty);
    base.drop_empty(certificate_authority);
    drop_empty(proxy_url);
    proxy_url.get_or_insert_with(|| UNNAMED.to_owned());
}

fn trim(login: &mut AuthInfo, base: &Base) {
    let AuthInfo { username, client_certificate_data, impersonate, impersonate_uid, .. } = login;
    [username, client_certificate_data, impersonate, impersonate_uid].into_iter().for_each(drop_empty);
    let AuthInfo { token_file, client_certificate, client_key, .. } = login;
    [token_file, client_certificate, client_key].into_iter().for_each(|path| base.drop_empty(path));
    [&mut login.token, &mut login.password, &mut login.client_key_data].into_iter().for_each(drop_empty_secret);
    // The file outranks the token, which may be older.
    if login.token_file.is_some() {
        login.token = None;
    }
}

/// An address without a scheme is one of TLS where anything is said about certificates.
fn default_scheme(config: &mut kube::Config) -> anyhow::Result<()> {
    if config.cluster_url.scheme().is_none() {
        let login = &config.auth_info;
        let has_identity = login.client_certificate.is_some() || login.client_certificate_data.is_some();
        let is_tls = config.root_cert.is_some() || has_identity || config.accept_invalid_certs;
        let scheme = if is_tls { "https" } else { "http" };
        config.cluster_url =
            format!("{scheme}://{}", config.cluster_url).parse().context("its `server` is no address")?;
    }
    Ok(())
}

/// Whom to act as, beyond the user and the groups that the client library sends.
fn act_as(config: &mut kube::Config) -> anyhow::Result<()> {
    let login = &config.auth_info;
    let uid = login.impersonate_uid.iter().map(|uid| ("impersonate-uid".to_owned(), uid));
    let extra = login.impersonate_user_extra.iter().flatten();
    let extra =
        extra.flat_map(|(key, values)| values.iter().map(move |value| (format!("impersonate-extra-{key}"), value)));
    for (name, value) in uid.chain(extra) {
        let name = HeaderName::try_from(name).context("a key of its `as-user-extra` is no part of a header's name")?;
        let value = HeaderValue::try_from(value).context("a value of its `as-uid` or `as-user-extra` is no header")?;
        config.headers.push((name, value));
    }
    Ok(())
}

/// A proxy as the client library takes it. What is wrong is told without the address, which may hold a password.
fn proxy(text: &str) -> anyhow::Result<Uri> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url: Uri = text.parse().map_err(|_| anyhow!("it is no address"))?;
    let (scheme, authority) = (url.scheme_str().unwrap_or_default(), url.authority().map_or("", |part| part.as_str()));
    let login = authority.rsplit_once('@').map(|(login, _)| login);
    let scheme = match scheme {
        "http" | "https" => scheme,
        // The proxy looks names up for both, as kubectl has it.
        "socks5" | "socks5h" => {
            ensure!(login.is_none(), "a login at a SOCKS5 proxy is not supported on the way to the apiserver");
            "socks5"
        }
        other => bail!("`{other}` is none of `http`, `https`, `socks5` and `socks5h`"),
    };
    let is_escaped = login.is_some_and(|login| login.contains('%'));
    ensure!(!is_escaped, "a login with escaped characters (`%`) is not supported on the way to the apiserver");
    let port = if scheme == "socks5" && url.port().is_none() { ":1080" } else { "" };
    format!("{scheme}://{authority}{port}/").parse().map_err(|_| anyhow!("it is no address"))
}

#[cfg(test)]
mod tests;
