//! What the pages tell people to paste is what works: commands of helm and kubectl are run, in the order of the page, on a
//! control plane; those of nsm are read by nsm; values are rendered.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use testbed::{ControlPlane, Options, User, binary};

use super::harness::{Helm, file, root};

/// The blocks of a language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned()).collect()
}

/// The commands of a page, each with the text it is given by `<<'YAML'`.
fn commands(page: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for block in blocks(page, "console") {
        for line in block.lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push(command.to_owned()),
                (None, Some(last)) => *last = format!("{last}\n{line}"),
                (None, None) => panic!("output before a command: {line}"),
            }
        }
    }
    commands
}

/// What needs a node: pods that run. Their arguments are checked all the same.
fn needs_a_node(command: &str) -> bool {
    [" exec ", " rollout ", " logs "].iter().any(|word| command.contains(word))
}

/// Checks that nsm understands the arguments that are given to it in a pod.
fn check_nsm(command: &str) -> Result<()> {
    let Some((_, arguments)) = command.split_once(" -- nsm ") else { return Ok(()) };
    let binary = binary("nsm")?;
    let binary = binary.get_program().to_string_lossy().into_owned();
    let output = Command::new("sh").arg("-c").arg(format!("{binary} {arguments} --help")).output()?;
    ensure!(output.status.success(), "`nsm {arguments}`: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A shell in a directory that looks like a checkout, with helm and kubectl.
fn shell(plane: &ControlPlane, directory: &Path, command: &str) -> Result<String> {
    let helm = testbed::helm()?;
    let path = format!("{}:/usr/bin:/bin", helm.parent().context("helm is in a directory")?.display());
    let output = Command::new("sh")
        .args(["-e", "-c", command])
        .current_dir(directory)
        .env_clear()
        .env("PATH", path)
        .env("HOME", directory)
        .env("KUBECONFIG", plane.kubeconfig(User::ADMIN)?)
        .output()?;
    ensure!(output.status.success(), "`{command}`: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn the_commands_of_the_pages_work_when_pasted() -> Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    let directory = tempfile::tempdir()?;
    std::os::unix::fs::symlink(root().join("charts").canonicalize()?, directory.path().join("charts"))?;
    let installation = file("docs/installation.md")?;
    let [values] = blocks(&installation, "yaml").try_into().expect("one file of values");
    std::fs::write(directory.path().join("values.yaml"), values)?;
    let mut run = 0;
    for command in commands(&installation).iter().chain(&commands(&file("docs/operations.md")?)) {
        check_nsm(command)?;
        if !needs_a_node(command) {
            shell(&plane, directory.path(), command)?;
            run += 1;
        }
    }
    assert!(run > 15, "only {run} commands were found");
    Ok(())
}

#[test]
fn the_values_of_the_page_are_a_configuration() -> Result<()> {
    let [values] = blocks(&file("docs/installation.md")?, "yaml").try_into().expect("one file of values");
    let settings = super::configuration::settings(&Helm::new()?.render_text(&values)?)?;
    assert_eq!(settings.policies.iter().count(), 1);
    Ok(())
}

/// What is said of names holds for this release.
#[test]
fn names_in_the_pages_are_those_of_the_release() -> Result<()> {
    let helm = Helm::new()?;
    let values = helm.values(&json!({}))?;
    let chart = Helm::chart();
    let release = "namespace-manager";
    let text = helm.run(&[
        "template",
        release,
        &chart,
        "--namespace",
        release,
        "--kube-version",
        "1.34.4",
        "--values",
        &values,
    ])?;
    for name in ["api", "stop", "workers", "reader", "operator"] {
        assert!(text.contains(&format!("\n  name: {release}-{name}\n")), "{name}");
    }
    Ok(())
}
