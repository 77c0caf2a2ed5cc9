//! Where things are: the repository, the build folder, the user's cache and plug-in folders.
//!
//! Every path that a command reads or writes comes from here, so that `CARGO_TARGET_DIR`, `XDG_CACHE_HOME` and
//! `XDG_DATA_HOME` are honored everywhere or nowhere.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::layout::NAME;
use crate::process;

/// The folders that commands work in.
pub struct Places {
    /// The repository: the folder of the workspace manifest.
    pub root: PathBuf,
    /// Cargo's build folder, wherever the user has it.
    pub target: PathBuf,
    /// Tributary's folder in the user's cache.
    pub cache: PathBuf,
}

impl Places {
    /// Asks Cargo for the workspace and the build folder, and the environment for the cache.
    pub fn find() -> Result<Self> {
        let text = process::capture(process::cargo().args(["metadata", "--no-deps", "--format-version=1"]))
            .context("cannot read the workspace; run this inside the Tributary repository")?;
        let metadata: serde_json::Value =
            serde_json::from_str(&text).context("cargo metadata is not JSON")?;
        let path = |key: &str| -> Result<PathBuf> {
            Ok(metadata[key].as_str().with_context(|| format!("cargo metadata has no {key}"))?.into())
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            cache: cache_home(&|name| env::var_os(name))?.join("tributary"),
        })
    }

    /// Cargo, started in the repository.
    pub fn cargo(&self) -> Command {
        let mut command = process::cargo();
        command.current_dir(&self.root);
        command
    }

    /// A release build of some targets of the workspace, named as `cargo build` does (`--lib`, `--bin NAME`).
    ///
    /// The whole workspace is selected and its targets are filtered, never one package alone: Cargo unifies features
    /// over the selected packages, and another selection would compile most dependencies a second time.
    pub fn cargo_build(&self, targets: &[&str]) -> Command {
        let mut command = self.cargo();
        command.args(["build", "--release", "--workspace"]).args(targets);
        command
    }

    /// A cache folder that never holds anything, for programs that must find what they need beside themselves or not
    /// at all: the plug-in looks for the runtime in the user's cache last, which would hide a part missing from a bundle.
    pub fn empty_cache(&self) -> PathBuf {
        self.target.join("empty-cache")
    }

    /// Where the bundles are put together.
    pub fn bundled(&self) -> PathBuf {
        self.target.join("bundled")
    }

    /// A program that a release build made, by its name in the workspace.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// The bundled plug-in with an ending: `clap` or `vst3`.
    pub fn plugin(&self, ending: &str) -> PathBuf {
        self.bundled().join(format!("{NAME}.{ending}"))
    }

    /// The models that ship inside the bundles.
    pub fn models(&self) -> PathBuf {
        self.root.join("assets").join("models")
    }

    /// The folder of the Python package that trains and exports models.
    pub fn model_export(&self) -> PathBuf {
        self.root.join("model-export")
    }
}

/// Reads one environment variable; tests hand in their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The user's cache folder.
///
/// A relative `XDG_CACHE_HOME` is ignored, as the XDG base directory specification asks.
pub fn cache_home(environment: Environment<'_>) -> Result<PathBuf> {
    if cfg!(windows) {
        return known_folder(environment, "LOCALAPPDATA", "");
    }
    if let Some(folder) = absolute(environment, "XDG_CACHE_HOME") {
        return Ok(folder);
    }
    let in_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    known_folder(environment, "HOME", in_home)
}

/// The user's folder for data that programs keep: here lies the list of installed files.
pub fn data_home(environment: Environment<'_>) -> Result<PathBuf> {
    if cfg!(windows) {
        return known_folder(environment, "LOCALAPPDATA", "");
    }
    if let Some(folder) = absolute(environment, "XDG_DATA_HOME") {
        return Ok(folder);
    }
    let in_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
    known_folder(environment, "HOME", in_home)
}

/// The user's CLAP and VST3 folders, as the two formats' specifications name them. macOS and Windows: untested.
pub fn plugin_homes(environment: Environment<'_>) -> Result<(PathBuf, PathBuf)> {
    let (variable, clap, vst3) = if cfg!(windows) {
        ("LOCALAPPDATA", "Programs/Common/CLAP", "Programs/Common/VST3")
    } else if cfg!(target_os = "macos") {
        ("HOME", "Library/Audio/Plug-Ins/CLAP", "Library/Audio/Plug-Ins/VST3")
    } else {
        ("HOME", ".clap", ".vst3")
    };
    Ok((known_folder(environment, variable, clap)?, known_folder(environment, variable, vst3)?))
}

/// The user's folder of programs. The XDG base directory specification names it for Linux; elsewhere nothing is put there.
pub fn programs_home(environment: Environment<'_>) -> Result<PathBuf> {
    known_folder(environment, if cfg!(windows) { "LOCALAPPDATA" } else { "HOME" }, ".local/bin")
}

fn absolute(environment: Environment<'_>, variable: &str) -> Option<PathBuf> {
    environment(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn known_folder(environment: Environment<'_>, variable: &str, below: &str) -> Result<PathBuf> {
    let folder = absolute(environment, variable)
        .with_context(|| format!("{variable} is not set to an absolute path; it names your own folders"))?;
    Ok(if below.is_empty() { folder } else { folder.join(below) })
}

/// `path` as the user would write it: relative to the repository when it lies inside.
pub fn display(places: &Places, path: &Path) -> String {
    path.strip_prefix(&places.root).unwrap_or(path).display().to_string()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn with<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn the_cache_follows_xdg_and_falls_back_to_home() {
        let both = [("XDG_CACHE_HOME", "/c"), ("HOME", "/h")];
        assert_eq!(cache_home(&with(&both)).unwrap(), Path::new("/c"));
        assert_eq!(cache_home(&with(&both[1..])).unwrap(), Path::new("/h/.cache"));
    }

    #[test]
    fn relative_and_empty_xdg_folders_are_ignored() {
        for value in ["", "relative/folder"] {
            let pairs = [("XDG_CACHE_HOME", value), ("XDG_DATA_HOME", value), ("HOME", "/h")];
            assert_eq!(cache_home(&with(&pairs)).unwrap(), Path::new("/h/.cache"));
            assert_eq!(data_home(&with(&pairs)).unwrap(), Path::new("/h/.local/share"));
        }
    }

    #[test]
    fn without_a_home_the_error_names_the_variable() {
        let error = plugin_homes(&with(&[])).unwrap_err();
        assert!(error.to_string().contains("HOME"), "{error}");
    }

    #[test]
    fn plugin_folders_are_those_of_the_specifications() {
        let (clap, vst3) = plugin_homes(&with(&[("HOME", "/h")])).unwrap();
        assert_eq!((clap.as_path(), vst3.as_path()), (Path::new("/h/.clap"), Path::new("/h/.vst3")));
    }
}
