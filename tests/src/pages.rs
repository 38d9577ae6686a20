//! The examples of the pages: every piece of YAML that people may paste, and what it is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// The languages of the blocks. A block in another one, or in none, is refused: it might hold an example that nobody tries.
const LANGUAGES: [&str; 4] = ["console", "json", "text", "yaml"];

/// A piece of YAML in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Path in the checkout.
    pub page: String,
    /// The line before its first, from 1.
    pub line: usize,
    pub kind: Kind,
    pub text: String,
}

/// What an example is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A configuration of ours, as a file or as `config` of the chart.
    Configuration,
    /// Values of the chart.
    Values,
    /// An object of a cluster.
    Object,
    /// Rules for Prometheus.
    Rules,
}

/// Every example of the README, of `docs` and of the charts.
///
/// # Errors
/// A page has a block of which it is not known what it is.
pub fn examples() -> Result<Vec<Example>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let schema = fs::read_to_string(root.join("charts/namespace-manager/values.schema.json"))?;
    let known = Known::of(&serde_json::from_str(&schema)?)?;
    let mut pages = vec![root.join("README.md")];
    for directory in ["docs", "charts"] {
        find(&root.join(directory), &mut pages)?;
    }
    pages.sort();
    let mut examples = Vec::new();
    for path in pages {
        let page = path.strip_prefix(&root)?.display().to_string();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{page}`"))?;
        if is_a(&path, "yaml") {
            examples.push(Example { kind: known.kind(&text).context(page.clone())?, page, line: 0, text });
            continue;
        }
        for (line, text) in blocks(&text).with_context(|| page.clone())? {
            let kind = known.kind(&text).with_context(|| format!("{page}:{line}"))?;
            examples.push(Example { page: page.clone(), line, kind, text });
        }
    }
    Ok(examples)
}

/// The pages below a directory, and whole files that are examples.
fn find(directory: &Path, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            find(&path, pages)?;
        } else if is_a(&path, "md") || name == "NOTES.txt" || name.ends_with(".example.yaml") {
            pages.push(path);
        }
    }
    Ok(())
}

fn is_a(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|extension| extension == kind)
}

/// The pieces of YAML in a page, each with the line above it: blocks, and what commands are given by `<<'YAML'`.
fn blocks(page: &str) -> Result<Vec<(usize, String)>> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(page.lines());
    while let Some((start, opening)) = lines.next() {
        let indentation = opening.len() - opening.trim_start().len();
        let Some(language) = opening.trim_start().strip_prefix("```") else {
            ensure!(!opening.trim_start().starts_with("~~~"), "line {start}: write a block with ```");
            continue;
        };
        ensure!(LANGUAGES.contains(&language), "line {start}: a block of `{language}`; say one of {LANGUAGES:?}");
        let mut block = Vec::new();
        loop {
            let Some((number, line)) = lines.next() else { bail!("line {start}: the block does not end") };
            if line.trim() == "```" {
                break;
            }
            block.push((number, line.get(indentation..).unwrap_or_default()));
        }
        match language {
            "yaml" => found.push((start, text(&block))),
            "console" => found.extend(given(&block)?),
            "text" => {
                ensure!(!block.iter().any(|(_, line)| is_pair(line)), "line {start}: it reads like `yaml`; say so")
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Whether a line is a key with a value, as in YAML.
fn is_pair(line: &str) -> bool {
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let pair = line.trim().trim_start_matches("- ").split_once(':');
    pair.is_some_and(|(key, value)| is_key(key) && (value.is_empty() || value.starts_with(' ')))
}

/// What the commands of a block are given as text.
fn given(block: &[(usize, &str)]) -> Result<Vec<(usize, String)>> {
    let mut found = Vec::new();
    let mut rest = block.iter();
    while let Some((start, command)) = rest.next() {
        if !command.contains("<<") {
            continue;
        }
        ensure!(command.ends_with("<<'YAML'"), "line {start}: give a text by <<'YAML'");
        let text: Vec<_> = rest.by_ref().take_while(|(_, line)| *line != "YAML").copied().collect();
        found.push((*start, self::text(&text)));
    }
    Ok(found)
}

fn text(lines: &[(usize, &str)]) -> String {
    lines.iter().flat_map(|(_, line)| [*line, "\n"]).collect()
}

/// The keys by which examples are told apart.
struct Known {
    configuration: Vec<String>,
    values: Vec<String>,
}

impl Known {
    /// Those of the schema of the chart.
    fn of(schema: &Value) -> Result<Self> {
        let keys = |properties: &Value| {
            let keys = properties.as_object().map(Map::keys).context("the schema has no properties")?;
            anyhow::Ok(keys.cloned().collect())
        };
        let values = &schema["properties"];
        Ok(Self { configuration: keys(&values["config"]["properties"])?, values: keys(values)? })
    }

    /// What an example is, by its keys at the top.
    fn kind(&self, text: &str) -> Result<Kind> {
        let keys = keys(text)?;
        let all_of = |known: &[String]| keys.iter().all(|key| known.iter().any(|known| known == key));
        if keys.contains(&"apiVersion") && keys.contains(&"kind") {
            return Ok(Kind::Object);
        }
        match (keys.as_slice(), all_of(&self.configuration), all_of(&self.values)) {
            ([], ..) => bail!("an example without keys"),
            (["groups"], ..) => Ok(Kind::Rules),
            (_, true, false) => Ok(Kind::Configuration),
            (_, false, true) => Ok(Kind::Values),
            (_, true, true) => bail!("{keys:?} can be a configuration and values; show more of it"),
            (_, false, false) => {
                bail!("{keys:?} is neither a configuration nor values nor anything else that is known")
            }
        }
    }
}

/// The keys at the top of a map.
fn keys(text: &str) -> Result<Vec<&str>> {
    let is_at_the_top = |line: &&str| !line.trim().is_empty() && !line.starts_with([' ', '#']);
    text.lines()
        .filter(is_at_the_top)
        .map(|line| {
            let (key, _) = line.split_once(':').with_context(|| format!("`{line}` does not begin with a key"))?;
            Ok(key.trim_matches('"'))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use common::config::{Settings, Source};

    use super::*;

    fn load(text: &str) -> Result<Settings> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("config.yaml");
        fs::write(&file, text)?;
        Ok(Source::new(Some(file), [("HOME".to_owned(), "/home/someone".to_owned())]).load()?)
    }

    #[test]
    fn it_is_known_of_every_example_what_it_is() {
        let mut counts = BTreeMap::new();
        for example in examples().unwrap() {
            *counts.entry(example.kind).or_insert(0) += 1;
        }
        let least = [(Kind::Configuration, 12), (Kind::Values, 1), (Kind::Object, 2), (Kind::Rules, 1)];
        for (kind, least) in least {
            assert!(counts.get(&kind).is_some_and(|count| *count >= least), "{kind:?}: {counts:?}");
        }
    }

    #[test]
    fn every_configuration_is_taken_as_it_stands() {
        let examples = examples().unwrap();
        for example in examples.iter().filter(|example| example.kind == Kind::Configuration) {
            if let Err(error) = load(&example.text) {
                panic!("{}:{}: {error:#}", example.page, example.line);
            }
        }
    }

    /// So that what Helm makes of it is tried.
    #[test]
    fn the_key_on_stands_without_quotes() {
        let examples = examples().unwrap();
        let says = |key: &str| examples.iter().filter(|example| example.text.contains(key)).count();
        assert!(says("\n    on:\n") >= 4, "{}", says("\n    on:\n"));
        assert_eq!(says("\"on\":") + says("'on':"), 0);
    }

    #[track_caller]
    fn refused(page: &str, words: &str) {
        let known =
            Known { configuration: vec!["mode".into(), "api".into()], values: vec!["config".into(), "api".into()] };
        let read = || blocks(page)?.iter().map(|(_, text)| known.kind(text)).collect::<Result<Vec<_>>>();
        let error = read().map_err(|error| error.to_string()).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn nothing_is_passed_over() {
        refused("a\n```yml\nmode: observe\n```\n", "line 2: a block of `yml`");
        refused("```\nmode: observe\n```\n", "a block of ``");
        refused("```text\n  - mode: observe\n```\n", "it reads like `yaml`");
        refused("~~~yaml\nmode: observe\n~~~\n", "write a block with ```");
        refused("```yaml\nmode: observe\n", "does not end");
        refused("```yaml\nmodus: observe\n```\n", "is neither a configuration nor values");
        refused("  ```yaml\n  api: {}\n  ```\n", "can be a configuration and values");
        refused("```yaml\n- a\n```\n", "does not begin with a key");
        refused("```yaml\n```\n", "an example without keys");
        refused("```console\n$ cat <<EOF\nmode: observe\nEOF\n```\n", "give a text by <<'YAML'");
        refused("```console\n$ cat <<'YAML'\nmodus: observe\nYAML\n```\n", "is neither");
    }
}
