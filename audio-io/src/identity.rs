//! Whether two paths are the same file or folder, also by another name, through a link or as a hard link.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// A path without links and detours, also when its end does not exist yet.
pub fn unlinked(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or(path.to_owned());
    let existing = absolute.ancestors().find_map(|part| Some((part, fs::canonicalize(part).ok()?)));
    let Some((part, mut real)) = existing else { return absolute };
    for component in absolute.strip_prefix(part).unwrap_or(Path::new("")).components() {
        match component {
            Component::ParentDir => drop(real.pop()),
            other => real.push(other),
        }
    }
    real
}

/// What makes two paths the same file or folder.
#[derive(Debug)]
pub enum Identity {
    /// Device and number of what exists.
    Number(u64, u64),
    /// The path without links. File systems differ in whether case matters, so it never makes a difference.
    Path(String),
}

impl Identity {
    /// Of what lies at a path, or would lie there.
    pub fn of(path: &Path) -> Self {
        number_of(path).unwrap_or_else(|| Identity::Path(unlinked(path).to_string_lossy().to_lowercase()))
    }

    /// Whether a path without links is this folder or lies in it.
    pub fn holds(&self, path: &Path) -> bool {
        path.ancestors().any(|part| Identity::of(part) == *self)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Identity::Number(a, b), Identity::Number(c, d)) => (a, b) == (c, d),
            (Identity::Path(a), Identity::Path(b)) => a == b,
            _ => false,
        }
    }
}

#[cfg(unix)]
fn number_of(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some(Identity::Number(metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn number_of(_: &Path) -> Option<Identity> {
    None
}
