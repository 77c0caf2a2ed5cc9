//! Python, kept out of the user's own: probes, pip, and virtual environments in the cache.
//!
//! An environment is keyed by its requirements and by the interpreter, so that a changed lock file gets a new one and a
//! finished one is used for ever. It is filled in place – environments cannot be moved – and counts only once a marker
//! file, written last, says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::files::{self, Lock};
use crate::places::Places;
use crate::process;

/// The oldest and the newest Python for which the locked packages exist.
const OLDEST: (u32, u32) = (3, 11);
const NEWEST: (u32, u32) = (3, 13);

/// Written last into an environment; without it the environment is built anew.
const MARKER: &str = "tributary-complete";

/// The system's Python.
pub fn python() -> Command {
    Command::new(if cfg!(windows) { "python" } else { "python3" })
}

fn runs(code: &str) -> bool {
    process::succeeds(python().args(["-c", code]))
}

/// Whether there is a Python 3.
pub fn is_there() -> bool {
    runs("import sys; sys.exit(sys.version_info[0] != 3)")
}

/// Whether it can make virtual environments; Debian keeps `ensurepip` in a package of its own.
pub fn has_venv() -> bool {
    runs("import venv, ensurepip")
}

/// Whether packages can be fetched one way or the other.
pub fn has_pip_or_venv() -> bool {
    runs("import pip") || has_venv()
}

/// Whether the dynamic linker finds a shared library, which on Linux alone is a question.
pub fn can_load(library: &str) -> bool {
    !cfg!(target_os = "linux") || runs(&format!("import ctypes; ctypes.CDLL('{library}')"))
}

/// A `python -m pip` to download with: the system's, or one in an environment made at `scratch`.
pub fn pip(scratch: &Path) -> Result<Command> {
    let mut command = if runs("import pip") {
        python()
    } else {
        process::run(python().args(["-m", "venv"]).arg(scratch))
            .context("Python has neither pip nor a working venv")?;
        Command::new(interpreter(scratch))
    };
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
    Ok(command)
}

/// The Python of an environment.
fn interpreter(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// A virtual environment in the cache, for one list of requirements.
pub struct VirtualEnvironment {
    folder: PathBuf,
    requirements: PathBuf,
}

impl VirtualEnvironment {
    /// The environment for a requirements file; nothing is built yet.
    ///
    /// # Errors
    /// When the file cannot be read, or Python is missing or too old.
    pub fn of(places: &Places, requirements: &Path) -> Result<Self> {
        let text =
            fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
        let version = process::capture(python().args(["-c", "import sys; print(*sys.version_info[:2])"]))?;
        let version = checked_version(&version)?;
        let folder = places.cache.join(format!("python-{}", key(&text, version)));
        Ok(Self { folder, requirements: requirements.into() })
    }

    /// Whether it is built and complete.
    pub fn is_complete(&self) -> bool {
        self.folder.join(MARKER).is_file() && interpreter(&self.folder).exists()
    }

    /// Builds it unless it is complete. Another process that builds the same one is waited for.
    pub fn build(&self) -> Result<()> {
        let _lock = Lock::beside(&self.folder)?;
        if self.is_complete() {
            println!("in the cache: {}", self.folder.display());
            return Ok(());
        }
        files::remove(&self.folder)?;
        process::run(python().args(["-m", "venv"]).arg(&self.folder))?;
        let install = ["-m", "pip", "--disable-pip-version-check", "install", "--no-input", "--quiet"];
        process::run(
            self.python()
                .args(install)
                .args(["--progress-bar", "off", "--requirement"])
                .arg(&self.requirements),
        )
        .with_context(|| {
            format!(
                "pip cannot install {}; see what it says above (offline? disk full?)",
                self.requirements.display()
            )
        })?;
        files::write(&self.folder.join(MARKER), "This environment is complete.\n")?;
        println!("built {}", self.folder.display());
        Ok(())
    }

    /// Its Python, as a command.
    pub fn python(&self) -> Command {
        Command::new(interpreter(&self.folder))
    }

    /// Its Python, as a path.
    pub fn interpreter(&self) -> PathBuf {
        interpreter(&self.folder)
    }
}

fn checked_version(printed: &str) -> Result<(u32, u32)> {
    let mut numbers = printed.split_whitespace().map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        bail!("python3 does not say its version (it printed {printed:?})");
    };
    if !(OLDEST..=NEWEST).contains(&(major, minor)) {
        bail!(
            "python3 is Python {major}.{minor}; the packages for tests and training exist for {}.{} to {}.{}. Put one \
             of those first on PATH",
            OLDEST.0,
            OLDEST.1,
            NEWEST.0,
            NEWEST.1
        );
    }
    Ok((major, minor))
}

/// Names an environment: sixteen hexadecimal digits over its requirements, the Python version and the platform.
fn key(requirements: &[u8], (major, minor): (u32, u32)) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{major}.{minor} {} {}\n", std::env::consts::OS, std::env::consts::ARCH));
    hasher.update(requirements);
    files::hexadecimal(&hasher.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_tells_requirements_and_versions_apart() {
        let one = key(b"numpy==2.4.6\n", (3, 11));
        assert_eq!(one, key(b"numpy==2.4.6\n", (3, 11)));
        assert_eq!(one.len(), 16);
        assert_ne!(one, key(b"numpy==2.4.7\n", (3, 11)));
        assert_ne!(one, key(b"numpy==2.4.6\n", (3, 12)));
    }

    #[test]
    fn a_python_without_packages_is_refused_in_words() {
        assert_eq!(checked_version("3 13\n").unwrap(), (3, 13));
        let error = checked_version("3 9\n").unwrap_err().to_string();
        assert!(error.contains("3.9") && error.contains("3.11"), "{error}");
        assert!(checked_version("3 14\n").is_err());
        assert!(checked_version("").is_err());
    }

    #[test]
    fn an_environment_without_its_marker_is_not_complete() {
        let scratch = files::Scratch::new();
        let environment = VirtualEnvironment {
            folder: scratch.0.clone(),
            requirements: scratch.0.join("requirements.lock"),
        };
        files::write(&environment.interpreter(), "not really Python").unwrap();
        assert!(!environment.is_complete());
        files::write(&scratch.0.join(MARKER), "").unwrap();
        assert!(environment.is_complete());
    }
}
