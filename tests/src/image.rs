//! Images, made here and imported without a registry.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// An image in a file that container runtimes import (`docker save` writes such ones).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `local.test/NAME:KEY`. The key is a digest of everything in the image, so another content is another name: what is running, or
    /// was imported, is never mistaken for what was just built.
    pub name: String,
    pub archive: PathBuf,
    /// Of all files in it, in bytes.
    pub unpacked: u64,
}

/// What is to be in an image: nothing but this.
#[derive(Debug, Default)]
pub struct Recipe {
    files: BTreeMap<String, (Content, u32)>,
    entrypoint: Vec<String>,
    environment: Vec<String>,
    user: String,
}

#[derive(Debug)]
enum Content {
    File(PathBuf),
    Link(String),
}

impl Recipe {
    /// An image without any file, whose processes are root's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a program, a copy of the file `from`, at `path` (without a leading slash).
    #[must_use]
    pub fn program(mut self, path: &str, from: &Path) -> Self {
        self.files.insert(path.to_owned(), (Content::File(from.to_owned()), 0o755));
        self
    }

    /// With a file that everybody may read, a copy of `from`.
    #[must_use]
    pub fn file(mut self, path: &str, from: &Path) -> Self {
        self.files.insert(path.to_owned(), (Content::File(from.to_owned()), 0o644));
        self
    }

    /// With a symbolic link to `target`.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.files.insert(path.to_owned(), (Content::Link(target.to_owned()), 0o777));
        self
    }

    /// What runs when a pod names no command.
    #[must_use]
    pub fn entrypoint(mut self, command: &[&str]) -> Self {
        self.entrypoint = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// With a variable in the environment of its processes, unless a pod says otherwise.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// Number of the user whose the processes are, unless a pod says otherwise.
    #[must_use]
    pub fn user(mut self, user: u32) -> Self {
        self.user = user.to_string();
        self
    }

    /// Writes the image `name` to `DIRECTORY/NAME.tar`. The same content makes the same bytes: names are sorted, and nothing has a time or an owner.
    ///
    /// # Errors
    /// A file of the recipe is missing, or the image cannot be written.
    pub fn write(&self, name: &str, directory: &Path) -> Result<Image> {
        let path = directory.join(format!("{name}.layer"));
        let unpacked = self.write_layer(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        let layer = digest(&mut File::open(&path)?)?;
        let config = serde_json::to_vec(&self.config(&layer))?;
        let config_digest = digest(&mut config.as_slice())?;
        let image = Image {
            name: format!("local.test/{name}:{}", &config_digest[..12]),
            archive: directory.join(format!("{name}.tar")),
            unpacked,
        };
        let (config_name, layer_name) = (format!("{config_digest}.json"), format!("{layer}.tar"));
        let manifest = json!([{"Config": config_name, "RepoTags": [image.name], "Layers": [layer_name]}]);
        let mut archive = Builder::new(BufWriter::new(File::create(&image.archive)?));
        append(&mut archive, &config_name, config.len() as u64, 0o644, config.as_slice())?;
        append(&mut archive, &layer_name, path.metadata()?.len(), 0o644, File::open(&path)?)?;
        let manifest = serde_json::to_vec(&manifest)?;
        append(&mut archive, "manifest.json", manifest.len() as u64, 0o644, manifest.as_slice())?;
        archive.into_inner()?.flush()?;
        fs::remove_file(path)?;
        Ok(image)
    }

    fn write_layer(&self, path: &Path) -> Result<u64> {
        let mut layer = Builder::new(BufWriter::new(File::create(path)?));
        let mut directories = Vec::new();
        let mut unpacked = 0;
        for (name, (content, mode)) in &self.files {
            let above: Vec<&Path> = Path::new(name).ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
            for directory in above.into_iter().rev() {
                if !directories.contains(&directory) {
                    layer.append_data(&mut header(EntryType::Directory, 0, 0o755), directory, io::empty())?;
                    directories.push(directory);
                }
            }
            match content {
                Content::File(from) => {
                    let file = File::open(from).with_context(|| format!("cannot open `{}`", from.display()))?;
                    let size = file.metadata()?.len();
                    append(&mut layer, name, size, *mode, file)?;
                    unpacked += size;
                }
                Content::Link(target) => {
                    layer.append_link(&mut header(EntryType::Symlink, 0, *mode), name, target)?;
                }
            }
        }
        layer.into_inner()?.flush()?;
        Ok(unpacked)
    }

    fn config(&self, layer: &str) -> Value {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let path = "PATH=/usr/local/bin:/bin".to_owned();
        let environment: Vec<_> = std::iter::once(&path).chain(&self.environment).collect();
        json!({
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Env": environment,
                "User": self.user,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        })
    }
}

fn append<W: Write>(archive: &mut Builder<W>, name: &str, size: u64, mode: u32, content: impl Read) -> Result<()> {
    archive.append_data(&mut header(EntryType::Regular, size, mode), name, content)?;
    Ok(())
}

fn header(kind: EntryType, size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// SHA-256 in hexadecimal digits.
fn digest(content: &mut impl Read) -> Result<String> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = content.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        digest.update(&chunk[..read]);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(content: &str, directory: &Path) -> Image {
        let file = directory.join("content");
        fs::write(&file, content).unwrap();
        let recipe = Recipe::new().program("bin/tool", &file).link("bin/other", "tool").file("etc/tool.conf", &file);
        recipe.user(65532).entrypoint(&["/bin/tool"]).write("tool", directory).unwrap()
    }

    #[test]
    fn the_same_content_is_the_same_image() {
        let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (first, second) = (write("content", one.path()), write("content", two.path()));
        assert_eq!((&first.name, first.unpacked), (&second.name, 14));
        assert!(fs::read(first.archive).unwrap() == fs::read(second.archive).unwrap(), "the archives differ");
    }

    #[test]
    fn another_environment_is_another_name() {
        let directory = tempfile::tempdir().unwrap();
        let image = |recipe: Recipe| recipe.write("tool", directory.path()).unwrap().name;
        assert_ne!(image(Recipe::new().env("A", "1")), image(Recipe::new().env("A", "2")));
        assert_ne!(image(Recipe::new().env("A", "1")), image(Recipe::new()));
    }

    #[test]
    fn another_content_is_another_name() {
        let directory = tempfile::tempdir().unwrap();
        let name = write("content", directory.path()).name;
        let key = name.strip_prefix("local.test/tool:").unwrap();
        assert!(key.len() == 12 && key != "latest", "{name}");
        assert_ne!(write("other", directory.path()).name, name);
    }
}
