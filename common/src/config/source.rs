//! Where a process gets its configuration from, and reading it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Mistake, Refused, Settings,
    layers::{self, File},
    raw::Raw,
    read,
};
use crate::timings::Timings;

/// The variable that names the file or directory unless an option does.
const PATH_VARIABLE: &str = "CONFIG_PATH";

/// Where the store is kept below the directory for state.
const STORE_FILE: &str = "namespace-manager/nsm.db";

/// The layers of one process's configuration. The environment is taken once, files are read at each load.
#[derive(Clone, Debug, Default)]
pub struct Source {
    path: Option<PathBuf>,
    variables: BTreeMap<String, String>,
    flags: Vec<(&'static str, &'static str, String)>,
    timings: Timings,
}

/// One variable of this process's environment; an empty one counts as absent.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Source {
    /// The environment of this process, and the files at `path`, else at `CONFIG_PATH`, else none.
    #[must_use]
    pub fn of_process(path: Option<PathBuf>) -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self::new(path, std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))))
    }

    /// An environment that is told.
    #[must_use]
    pub fn new(path: Option<PathBuf>, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().collect();
        let mut source = Self { path, variables, ..Self::default() };
        if source.path.is_none() {
            source.path = source.variable(PATH_VARIABLE).map(PathBuf::from);
        }
        source
    }

    /// Lets an option of the command line outrank the rest: `--mode` sets `mode`.
    #[must_use]
    pub fn with_flag(mut self, flag: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        self.flags.push((flag, key, value.into()));
        self
    }

    /// Gives settings these timings instead of those of a release. They are no part of the configuration.
    #[must_use]
    pub fn with_timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// The file or directory, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// When anything at all is wrong; it names as much of it as can be found at once.
    pub fn load(&self) -> Result<Settings, Refused> {
        self.check(&self.files())
    }

    /// The files as they are now.
    pub(super) fn files(&self) -> Vec<File> {
        self.path.as_deref().map(layers::files).unwrap_or_default()
    }

    /// Checks what was read.
    pub(super) fn check(&self, files: &[File]) -> Result<Settings, Refused> {
        let mut mistakes = Vec::new();
        let mut tree = layers::merge(files, &mut mistakes);
        layers::merge_variables(&mut tree, &self.variables, &mut mistakes);
        for (flag, key, value) in &self.flags {
            layers::merge_flag(&mut tree, flag, key, value);
        }
        let raw = match read::read::<Raw>(&mut tree) {
            Ok(raw) if mistakes.is_empty() => raw,
            Ok(_) => return Err(mistakes.into()),
            Err(found) => {
                mistakes.extend(found);
                return Err(mistakes.into());
            }
        };
        Settings::new(raw, self.default_store(), self.timings).map_err(|found| {
            let mistake = |invalid: lifecycle::policy::Invalid| {
                Mistake::new(&tree.nearest(&invalid.key).origin, invalid.key, invalid.why)
            };
            found.into_iter().map(mistake).collect::<Vec<_>>().into()
        })
    }

    fn default_store(&self) -> Result<String, String> {
        let state = self.variable("XDG_STATE_HOME").map(PathBuf::from);
        let home = || self.variable("HOME").map(|home| Path::new(home).join(".local/state"));
        match state.or_else(home) {
            Some(state) => Ok(format!("sqlite:{}", state.join(STORE_FILE).display())),
            None => {
                Err("neither XDG_STATE_HOME nor HOME is set; write for example `sqlite:/var/lib/nsm/nsm.db`".to_owned())
            }
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
