//! Where a process gets its configuration from, and reading it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use config::{Value, ValueKind};
use kube::config::Kubeconfig;

use super::{
    Mistake, Origin, Refused, Settings,
    layers::{self, Assignment, File, Layers},
    place,
    raw::Raw,
    read,
};
use crate::environment::kubeconfigs;
use crate::timings::Timings;

/// The variable that names the file or directory unless an option does.
const PATH_VARIABLE: &str = "CONFIG_PATH";

/// Where stores are kept below the directory for state.
const STORES: &str = "namespace-manager";

/// How a store is called where no kubeconfig names a context; so were all once.
const STORE_FILE: &str = "nsm.db";

/// The longest that the part of a file's name may be that a context gives it.
const MAX_NAME_LENGTH: usize = 100;

/// The sections of a configuration that say where a stop is written, what else refuses by it, and how our annotations are called.
const FOR_STOP: [&str; 4] = ["store", "guard", "annotations", "ci"];

/// The layers of one process's configuration. The environment is taken once, files are read at each load.
#[derive(Clone, Debug, Default)]
pub struct Source {
    path: Option<PathBuf>,
    variables: BTreeMap<String, String>,
    flags: Vec<(&'static str, &'static str, String)>,
    timings: Timings,
    /// The kubeconfig and the context, where options name them.
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
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

    /// Names the kubeconfig and the context that are used instead of those that kubectl would use: the store is kept apart for
    /// each context unless it is said where.
    #[must_use]
    pub fn with_cluster(mut self, kubeconfig: Option<PathBuf>, context: Option<String>) -> Self {
        self.kubeconfig = kubeconfig.filter(|file| !file.as_os_str().is_empty());
        self.context = context.filter(|name| !name.is_empty());
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

    /// The settings of a stop, also where the configuration is refused, unless what is wrong may concern where the store is. Of
    /// such a one the sections [`FOR_STOP`] alone are taken, those of them that are right, and what was refused is returned
    /// besides. Nothing else is to be read from these settings.
    ///
    /// # Errors
    /// When there is a mistake in `store`, in a file as a whole, or under a name that is no section's and may be meant for it.
    pub fn load_for_stop(&self) -> Result<(Settings, Option<Refused>), Refused> {
        let files = self.files();
        let refused = match self.check(&files) {
            Ok(settings) => return Ok((settings, None)),
            Err(refused) => refused,
        };
        let schema = schemars::schema_for!(Raw).to_value();
        let is_elsewhere =
            |mistake: &Mistake| mistake.section() != "store" && schema["properties"].get(mistake.section()).is_some();
        if !refused.mistakes.iter().all(is_elsewhere) {
            return Err(refused);
        }
        let (mut tree, _) = self.merged(&files);
        if let ValueKind::Table(sections) = &mut tree.kind {
            sections.retain(|section, _| FOR_STOP.contains(&section.as_str()) && !refused.concerns(section));
        }
        match self.settings(&tree, Vec::new()) {
            Ok(settings) => Ok((settings, Some(refused))),
            Err(_) => Err(refused),
        }
    }

    /// The files as they are now.
    pub(super) fn files(&self) -> Vec<File> {
        self.path.as_deref().map(layers::files).unwrap_or_default()
    }

    /// Checks what was read.
    pub(super) fn check(&self, files: &[File]) -> Result<Settings, Refused> {
        let (tree, mistakes) = self.merged(files);
        self.settings(&tree, mistakes)
    }

    /// All layers, one over the other, and what is wrong with them by now.
    fn merged(&self, files: &[File]) -> (Value, Vec<Mistake>) {
        let mut layers = Layers::default();
        files.iter().for_each(|file| layers.add(file));
        let variables = self.variables.iter().filter_map(|(name, text)| Assignment::by_variable(name, text));
        variables.for_each(|assignment| layers.add(&assignment));
        self.flags.iter().for_each(|(flag, key, value)| layers.add(&Assignment::by_flag(flag, key, value)));
        layers.finish()
    }

    fn settings(&self, tree: &Value, mut mistakes: Vec<Mistake>) -> Result<Settings, Refused> {
        let raw = match read::read::<Raw>(tree) {
            Ok(raw) if mistakes.is_empty() => raw,
            Ok(_) => return Err(mistakes.into()),
            Err(found) => {
                mistakes.extend(found);
                return Err(mistakes.into());
            }
        };
        Settings::new(raw, self.default_store(), self.timings).map_err(|found| {
            let mistake = |invalid: lifecycle::policy::Invalid| {
                Mistake::new(&Origin::of(place::nearest(tree, &invalid.key)), invalid.key, invalid.why)
            };
            found.into_iter().map(mistake).collect::<Vec<_>>().into()
        })
    }

    fn default_store(&self) -> Result<String, String> {
        match self.default_stores() {
            Some(stores) => {
                let name = self.context_name().map_or(STORE_FILE.to_owned(), |context| store_file(&context));
                Ok(format!("sqlite:{}", stores.join(name).display()))
            }
            None => {
                Err("neither XDG_STATE_HOME nor HOME is set; write for example `sqlite:/var/lib/nsm/nsm.db`".to_owned())
            }
        }
    }

    /// The directory of the stores of which nobody said where they are kept.
    #[must_use]
    pub fn default_stores(&self) -> Option<PathBuf> {
        let state = self.variable("XDG_STATE_HOME").map(PathBuf::from);
        let home = || self.variable("HOME").map(|home| Path::new(home).join(".local/state"));
        Some(state.or_else(home)?.join(STORES))
    }

    /// The context that is used, by an option or by the kubeconfig alone: no plugin of it is run, and nobody is asked. A file
    /// that cannot be read names none.
    fn context_name(&self) -> Option<String> {
        if self.context.is_some() {
            return self.context.clone();
        }
        let files = match &self.kubeconfig {
            Some(file) => vec![file.clone()],
            None => kubeconfigs(|name| self.variable(name).map(str::to_owned)),
        };
        let named = |file: &PathBuf| Kubeconfig::read_from(file).ok()?.current_context;
        files.iter().filter_map(named).find(|context| !context.is_empty())
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Whether a file is called as the store of some context, or as all once were.
#[must_use]
pub fn is_default_store(name: &str) -> bool {
    name == STORE_FILE || name.starts_with("nsm-") && name.ends_with(".db")
}

/// The former place of a store that nobody said a place for, which did not name the context.
#[must_use]
pub fn former_default_store(store: &Path) -> Option<PathBuf> {
    let former = store.with_file_name(STORE_FILE);
    (former != store).then_some(former)
}

/// The file of a context's store. Contexts of clouds hold `/` and `:`; where the name had to be changed, a digest of it
/// tells it from every other that is changed alike.
fn store_file(context: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    let is_kept = context.len() <= MAX_NAME_LENGTH && !context.is_empty() && context.chars().all(is_safe);
    if is_kept {
        return format!("nsm-{context}.db");
    }
    let safe: String = context.chars().take(MAX_NAME_LENGTH).map(|c| if is_safe(c) { c } else { '-' }).collect();
    format!("nsm-{safe}-{}.db", lifecycle::policy::hash(&context))
}
