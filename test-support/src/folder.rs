//! A folder of its own for one test, gone when the test is over.

use std::ops::Deref;
use std::path::Path;

use tempfile::TempDir;

/// A new, empty folder; used as its path. It is removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// Makes one among the system's temporary files.
    ///
    /// # Panics
    /// When it cannot be made: no test can go on then.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default that touches the disk would surprise")]
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("tributary-test-").tempdir().expect("a temporary folder"))
    }

    /// One with copies of the files of another folder; folders in it are left out.
    ///
    /// # Panics
    /// When a file cannot be read or written.
    #[must_use]
    pub fn copy_of(from: &Path) -> Self {
        let folder = Self::new();
        for entry in std::fs::read_dir(from).expect("a folder to copy") {
            let path = entry.expect("an entry").path();
            if let Some(name) = path.file_name().filter(|_| path.is_file()) {
                std::fs::copy(&path, folder.join(name)).expect("a copy");
            }
        }
        folder
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.path()
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_own_and_vanishes_with_its_contents() {
        let (one, other) = (Folder::new(), Folder::new());
        assert_ne!(&*one, &*other);
        std::fs::write(one.join("file"), "text").expect("written");
        let copy = Folder::copy_of(&one);
        assert_eq!(std::fs::read(copy.join("file")).expect("copied"), b"text");
        let path = one.to_path_buf();
        drop(one);
        assert!(!path.exists() && copy.exists());
    }
}
