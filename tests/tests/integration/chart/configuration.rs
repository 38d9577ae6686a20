//! The configuration that is rendered, read by our own parser.

use std::path::Path;

use anyhow::{Context, Result};
use common::config::{Login, Settings, Source, Trust};
use lifecycle::{Mode, pipeline::CiSystem};
use serde_json::{Value, json};

use super::harness::{FULL, HOME, everything, find};
use super::rendering::{render, worker_verbs};

/// Loads the configuration that was rendered, with our own parser.
pub(super) fn settings(objects: &[Value]) -> Result<Settings> {
    let directory = tempfile::tempdir()?;
    let text = find(objects, "ConfigMap", &format!("{FULL}-config"))["data"]["config.yaml"].as_str();
    std::fs::write(directory.path().join("config.yaml"), text.context("no config.yaml")?)?;
    Ok(Source::new(Some(directory.path().to_owned()), []).load()?)
}

#[test]
fn the_defaults_delete_nothing_and_have_limits() -> Result<()> {
    let objects = render(&json!({}));
    let settings = settings(&objects)?;
    assert_eq!(settings.mode, Mode::Observe);
    assert_eq!((settings.budget.limit(0), settings.unannounced.limit(0)), (20, 10));
    assert_eq!(worker_verbs(&objects), r#"["get","patch"]"#);
    for component in ["collect-controller", "action-controller", "api"] {
        assert_eq!(find(&objects, "Deployment", &format!("{FULL}-{component}"))["spec"]["replicas"], 2);
    }
    Ok(())
}

#[test]
fn our_own_parser_takes_every_configuration_that_is_rendered() -> Result<()> {
    let settings = settings(&render(&everything()))?;
    assert_eq!(settings.mode, Mode::Enforce);
    assert_eq!(settings.raw.exclude, ["infra-.*", "a\\d{2}(x|y)", HOME]);
    let webhook = settings.notices.webhook.context("no webhook")?;
    assert_eq!(webhook.secret_file, Some("/etc/namespace-manager-secrets/webhook/secret".into()));
    let prometheus = settings.prometheus.context("no Prometheus")?;
    let directory = Path::new("/etc/namespace-manager-secrets/prometheus");
    let password_file = directory.join("password");
    assert_eq!(prometheus.login, Login::Basic { username: "nsm".to_owned(), password_file });
    assert_eq!(prometheus.trust, Trust::Authorities(directory.join("ca.crt")));
    assert_eq!(prometheus.identity.context("no certificate")?.key_file, directory.join("tls.key"));
    let gitlab = settings.ci.get(&CiSystem::Gitlab).context("no GitLab")?;
    assert_eq!(gitlab.token_file, Path::new("/etc/namespace-manager-secrets/gitlab/token"));
    assert_eq!(gitlab.trust, Trust::Authorities("/etc/namespace-manager-secrets/gitlab/ca.crt".into()));
    for (system, name) in [(CiSystem::Gitlab, "gitlab"), (CiSystem::Github, "github")] {
        let file = Path::new("/etc/namespace-manager-secrets/hooks").join(name);
        assert_eq!(settings.ci[&system].webhook_secret_file, Some(file));
    }
    Ok(())
}

/// What webhooks show is for the API alone, which may not see what else the CI systems are asked with; and a section that
/// nobody wrote does not come of it.
#[test]
fn the_secrets_of_webhooks_are_mounted_into_the_api_alone() -> Result<()> {
    let token = json!({"name": "ci", "token": "token"});
    let values = json!({
        "config": {"gitlab": {"url": "https://gitlab.example.org"}},
        "secrets": {"gitlab": token, "hooks": {"name": "from-gitlab", "gitlab": "secret"}},
    });
    let objects = render(&values);
    assert!(!settings(&objects)?.ci.contains_key(&CiSystem::Github));
    let mut mounting: Vec<_> = objects
        .iter()
        .filter(|object| object.to_string().contains("from-gitlab"))
        .map(|object| object["metadata"]["name"].as_str().unwrap_or_default())
        .collect();
    mounting.sort_unstable();
    assert_eq!(mounting, [format!("{FULL}-api")]);
    let api = find(&objects, "Deployment", &format!("{FULL}-api"));
    let mounts = api["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].as_array().context("no mounts")?;
    let hooks = mounts.iter().find(|mount| mount["name"] == "secret-hooks").context("it is not mounted")?;
    assert_eq!(hooks["mountPath"], "/etc/namespace-manager-secrets/hooks");
    assert!(!api.to_string().contains("secret-gitlab"), "{api}");
    Ok(())
}

/// The name begins with the release's, which `exclude` leaves to people: the policy holds it, and the configuration too.
#[test]
fn the_releases_own_namespace_is_excluded() -> Result<()> {
    assert_eq!(settings(&render(&json!({})))?.raw.exclude, [HOME]);
    Ok(())
}
