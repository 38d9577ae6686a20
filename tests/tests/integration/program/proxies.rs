//! The apiserver behind a proxy, over TLS.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::{Proxy, User};

use crate::program::harness::{World, plain, story};

/// A kubeconfig that names the apiserver as nobody on this machine knows it.
fn renamed(world: &World, proxy_url: Option<&str>) -> Result<(std::path::PathBuf, String)> {
    let original = world.plane.kubeconfig(User::ADMIN)?;
    let mut file: Value = serde_json::from_slice(&fs::read(original)?)?;
    let port = world.plane.url().rsplit(':').next().context("the URL has a port")?.to_owned();
    let to = format!("apiserver.example.org:{port}");
    let cluster = file.pointer_mut("/clusters/0/cluster").context("a kubeconfig names its cluster")?;
    cluster["server"] = format!("https://{to}").into();
    cluster["tls-server-name"] = "127.0.0.1".into();
    if let Some(url) = proxy_url {
        cluster["proxy-url"] = url.into();
    }
    let path = world.config().with_file_name("proxied.kubeconfig");
    fs::write(&path, file.to_string())?;
    Ok((path, to))
}

#[tokio::test]
async fn an_apiserver_is_reached_by_a_proxy_of_the_environment_and_of_the_kubeconfig() {
    story(plain, async |world| {
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        for (scheme, by) in [("http", "CONNECT"), ("socks5", "SOCKS5")] {
            for is_named in [false, true] {
                let proxy = Proxy::start().await?;
                let url = proxy.url(scheme);
                let (kubeconfig, to) = renamed(world, is_named.then_some(url.as_str()))?;
                let mut nsm = testbed::program("nsm")?;
                nsm.args(["protect", &demo.name]).env("CONFIG_PATH", world.config()).env("KUBECONFIG", kubeconfig);
                nsm.env("NO_PROXY", "10.0.0.0/8,.svc");
                if !is_named {
                    nsm.env("HTTPS_PROXY", &url);
                }
                let output = tokio::task::spawn_blocking(move || nsm.output()).await??;
                ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let passed = proxy.passed();
                ensure!(passed.iter().any(|passed| passed.by == by && passed.to == to), "{passed:?}");
            }
        }
        Ok(())
    })
    .await;
}
