//! Where settings are written, from the weakest to the strongest: files, environment variables, options.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    Mistake, Origin,
    tree::{Node, Value},
    yaml,
};

/// What begins the name of a variable that is a setting; `__` again stands between section and key.
const VARIABLE_PREFIX: &str = "NSM__";

/// The most that one file may weigh. A configuration of thousands of policies is far below it.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// One file as it was read, or why it was not.
pub(super) type File = (PathBuf, Result<String, String>);

/// The files a path stands for: itself, or what a directory holds of `*.yml` and `*.yaml`, in alphabetical order.
pub(super) fn files(path: &Path) -> Vec<File> {
    let single = || vec![(path.to_owned(), read(path))];
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) | Err(_) => return single(),
    }
    match list(path) {
        Ok(found) if found.is_empty() => {
            let why = "the directory holds no `*.yml` or `*.yaml` file; put one there, or name a file";
            vec![(path.to_owned(), Err(why.to_owned()))]
        }
        Ok(found) => found
            .into_iter()
            .map(|path| {
                let text = read(&path);
                (path, text)
            })
            .collect(),
        Err(error) => vec![(path.to_owned(), Err(unreadable(&error)))],
    }
}

/// Merges files in their order.
pub(super) fn merge(files: &[File], mistakes: &mut Vec<Mistake>) -> Node {
    let mut tree = Node::empty();
    for (path, text) in files {
        let parsed = match text {
            Ok(text) => yaml::parse_file(path, text),
            Err(why) => Err(Mistake::new(&Origin::file(path, 0), "", why)),
        };
        match parsed {
            Ok(over) => tree.merge(over),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    tree
}

/// Lays what the environment says over a tree.
pub(super) fn merge_variables(tree: &mut Node, variables: &BTreeMap<String, String>, mistakes: &mut Vec<Mistake>) {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let origin = Origin::Variable(name.clone());
        if path.iter().any(String::is_empty) {
            let why = "it is not the name of a setting; write `NSM__SECTION__KEY`";
            mistakes.push(Mistake::new(&origin, "", why));
            continue;
        }
        match value(text, &origin) {
            Ok(value) => tree.merge(Node::at_path(&path, value, &origin)),
            Err(mistake) => mistakes.push(Mistake { key: path.join("."), ..mistake }),
        }
    }
}

/// Lays what an option says over a tree.
pub(super) fn merge_flag(tree: &mut Node, flag: &'static str, key: &str, text: &str) {
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    tree.merge(Node::at_path(&path, Value::Word(text.to_owned()), &Origin::Flag(flag)));
}

/// A list or a map is written as YAML; anything else is a word, so that a `:` in it means nothing.
fn value(text: &str, origin: &Origin) -> Result<Value, Mistake> {
    let text = text.trim();
    if text.is_empty() {
        Ok(Value::Null)
    } else if text.starts_with(['[', '{']) {
        yaml::parse(text, |_| origin.clone()).map(|node| node.value)
    } else {
        Ok(Value::Word(text.to_owned()))
    }
}

fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml");
        // A ConfigMap's files are links into a hidden directory beside them.
        if yaml && !hidden && !path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is larger than {} MiB; this cannot be a configuration", MAX_FILE_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8; save it as such".to_owned())
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "it must not be read by this user; give the right to read it (`chmod a+r`)".to_owned()
        }
        _ => format!("it cannot be read: {error}"),
    }
}
