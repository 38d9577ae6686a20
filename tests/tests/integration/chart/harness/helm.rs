//! The real helm, with a home of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::{HOME, root};

/// Without a cluster helm has to be told what it renders for.
const KUBERNETES: &str = "1.34.4";

/// Runs helm.
#[derive(Debug)]
pub(crate) struct Helm {
    binary: PathBuf,
    home: TempDir,
}

impl Helm {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { binary: testbed::helm()?, home: TempDir::new()? })
    }

    /// Runs it with these arguments and returns what it prints.
    pub(crate) fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Result<String> {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let output = Command::new(&self.binary)
            .args(&arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .output()
            .with_context(|| format!("cannot run `{}`", self.binary.display()))?;
        if !output.status.success() {
            bail!("`helm {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The chart.
    pub(crate) fn chart() -> String {
        root().join("charts/namespace-manager").display().to_string()
    }

    /// A file with values. JSON is YAML.
    pub(crate) fn values(&self, values: &Value) -> Result<String> {
        self.file(&values.to_string())
    }

    /// A file with values as somebody wrote them.
    fn file(&self, values: &str) -> Result<String> {
        let path = self.home.path().join(format!("values-{:08x}.yaml", rand::random::<u32>()));
        std::fs::write(&path, values)?;
        Ok(path.display().to_string())
    }

    /// The objects that `helm template nsm` renders with these values, no cluster being there.
    pub(crate) fn render(&self, values: &Value) -> Result<Vec<Value>> {
        self.render_text(&values.to_string())
    }

    /// The same of values as somebody wrote them: helm reads YAML otherwise than we do.
    pub(crate) fn render_text(&self, values: &str) -> Result<Vec<Value>> {
        let (chart, file) = (Self::chart(), self.file(values)?);
        let text = self.run(&[
            "template",
            "nsm",
            &chart,
            "--namespace",
            HOME,
            "--kube-version",
            KUBERNETES,
            "--values",
            &file,
        ])?;
        let objects: Vec<Option<Value>> =
            serde_saphyr::from_multiple(&text).context("what was rendered is not YAML")?;
        Ok(objects.into_iter().flatten().collect())
    }

    /// `helm lint`, which renders too.
    pub(crate) fn lint(&self, values: &Value) -> Result<String> {
        let file = self.values(values)?;
        self.run(&["lint", "--strict", &Self::chart(), "--kube-version", KUBERNETES, "--values", &file])
    }

    /// Runs a command of helm on the cluster of this kubeconfig, in the release's namespace.
    pub(crate) fn on(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<String> {
        let kubeconfig = kubeconfig.display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--kubeconfig", &kubeconfig, "--namespace", HOME]);
        self.run(&all)
    }
}
