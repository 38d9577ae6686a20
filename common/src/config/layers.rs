//! Where settings are written, from the weakest to the strongest: files, environment variables, options. Each is a source of
//! the crate `config`, which lays one over the other: maps merge, everything else replaces.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use config::{Config, ConfigError, Format as _, Source, Value, ValueKind};

use super::{
    Mistake, Origin,
    place::{self, Place, Table},
    yaml::{self, Yaml},
};

/// What begins the name of a variable that is a setting; `__` again stands between section and key.
const VARIABLE_PREFIX: &str = "NSM__";

/// The most that one file may weigh. A configuration of thousands of policies is far below it.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The one key at the top of what a source gives. A key that stands there is a path to the crate: `a.b` would be the key `b`
/// in the section `a`, and `a[0]` the first of a list.
const ROOT: &str = "configuration";

/// One file as it was read, or why it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    path: PathBuf,
    text: Result<String, String>,
}

/// One setting, as a variable or an option gives it a value.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    origin: Origin,
    path: Vec<String>,
    text: String,
}

impl Source for File {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        let unread = |why: &String| refuse(Mistake::new(&Origin::file(&self.path, 0), "", why));
        let text = self.text.as_ref().map_err(unread)?;
        let uri = self.path.to_string_lossy().into_owned();
        Ok(below_root(Yaml.parse(Some(&uri), text).map_err(ConfigError::Foreign)?.into()))
    }
}

impl Source for Assignment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        if self.path.iter().any(String::is_empty) {
            let why = "it is not the name of a setting; write `NSM__SECTION__KEY`";
            return Err(refuse(Mistake::new(&self.origin, "", why)));
        }
        let mut value = self.value().map_err(|mistake| refuse(Mistake { key: self.path.join("."), ..mistake }))?;
        for key in self.path.iter().rev() {
            let mut table = Table::new();
            place::note(&mut table, &self.origin);
            place::insert(&mut table, key, value);
            value = table.into();
        }
        Ok(below_root(value))
    }
}

impl Assignment {
    /// What an environment variable says, if it is a setting.
    pub(super) fn by_variable(name: &str, text: &str) -> Option<Self> {
        let path = name.strip_prefix(VARIABLE_PREFIX)?;
        Some(Self {
            origin: Origin::Variable(name.to_owned()),
            path: path.split("__").map(str::to_lowercase).collect(),
            text: text.trim().to_owned(),
        })
    }

    /// What an option of the command line says.
    pub(super) fn by_flag(flag: &str, key: &str, text: &str) -> Self {
        let path = key.split('.').map(str::to_owned).collect();
        Self { origin: Origin::Flag(flag.to_owned()), path, text: text.to_owned() }
    }

    /// A list or a map is written as YAML; anything else is a word, so that a `:` in it means nothing.
    fn value(&self) -> Result<Value, Mistake> {
        let is_variable = matches!(self.origin, Origin::Variable(_));
        if is_variable && self.text.starts_with(['[', '{']) {
            return yaml::parse(&self.text, |_| self.origin.clone());
        }
        let kind = if is_variable && self.text.is_empty() { ValueKind::Nil } else { self.text.clone().into() };
        Ok(Place { origin: self.origin.clone(), written: Some(self.text.clone()) }.value(kind))
    }
}

/// Lays layers over each other, the strongest last. The crate's builder ends at the first that is refused; here the others
/// are read all the same, to find everything that is wrong.
#[derive(Debug, Default)]
pub(super) struct Layers {
    merged: Config,
    mistakes: Vec<Mistake>,
}

impl Layers {
    pub(super) fn add(&mut self, layer: &impl Source) {
        if let Err(error) = layer.collect_to(&mut self.merged.cache) {
            self.mistakes.push(mistake(error));
        }
    }

    /// All of them as one, and what is wrong with them by now.
    pub(super) fn finish(self) -> (Value, Vec<Mistake>) {
        // There is none where no layer says anything.
        let mut root = self.merged.get_table(ROOT).unwrap_or_default();
        place::note(&mut root, &Origin::Nowhere);
        (root.into(), self.mistakes)
    }
}

fn below_root(value: Value) -> Table {
    Table::from([(ROOT.to_owned(), value)])
}

fn refuse(mistake: Mistake) -> ConfigError {
    ConfigError::Foreign(mistake.into())
}

fn mistake(error: ConfigError) -> Mistake {
    let other = |why: String| Mistake::new(&Origin::Nowhere, "", why);
    match error {
        ConfigError::Foreign(cause) => match cause.downcast() {
            Ok(mistake) => *mistake,
            Err(cause) => other(cause.to_string()),
        },
        error => other(error.to_string()),
    }
}

/// The files a path stands for: itself, or what a directory holds of `*.yml` and `*.yaml`, in alphabetical order.
pub(super) fn files(path: &Path) -> Vec<File> {
    let file = |path: &Path| File { path: path.to_owned(), text: read(path) };
    let refused = |why: String| vec![File { path: path.to_owned(), text: Err(why) }];
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) | Err(_) => return vec![file(path)],
    }
    match list(path) {
        Ok(found) if found.is_empty() => {
            refused("the directory holds no `*.yml` or `*.yaml` file; put one there, or name a file".to_owned())
        }
        Ok(found) => found.iter().map(|path| file(path)).collect(),
        Err(error) => refused(unreadable(&error)),
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
