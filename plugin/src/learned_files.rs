//! Where learned profiles lie as files that belong to no project, and what they are called: in `learned` in the user's folder,
//! beside their own models and targets. A name and not a path, as for those, because the framework has no window to look for
//! files with.

use crate::places;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Of a file's name.
const ENDING: &str = "json";
/// More files than this are not listed.
const LISTED_MAX: usize = 40;
/// More files than this get no name of the same beginning.
const NUMBER_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct LearnedFiles {
    /// `None` on a system that names no folder of the user.
    folder: Option<PathBuf>,
}

impl LearnedFiles {
    /// Those of this user.
    pub fn of_user() -> Self {
        Self { folder: places::of_user("learned") }
    }

    /// Names of all files. Reads a folder: not for the audio thread.
    pub fn names(&self) -> Vec<String> {
        let entries =
            self.folder.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
        let named = |path: PathBuf| {
            let is_it = path.extension().is_some_and(|ending| ending == ENDING) && path.is_file();
            path.file_stem().filter(|_| is_it)?.to_str().map(str::to_owned)
        };
        let names: BTreeSet<String> =
            entries.filter_map(|entry| named(entry.path())).filter(|name| places::is_name(name)).collect();
        names.into_iter().take(LISTED_MAX).collect()
    }

    /// The file of that name, whether it is there or not; `None` unless the name can be one.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder.as_ref().filter(|_| places::is_name(name))?;
        Some(folder.join(format!("{name}.{ENDING}")))
    }

    /// A name that begins so and is not taken, and its file; makes the folder.
    ///
    /// # Errors
    /// A sentence: there is no folder of the user, or it cannot be made.
    pub fn free(&self, beginning: &str) -> Result<(String, PathBuf), String> {
        let folder = self.folder.as_ref().ok_or("The system names no folder for the user's files.")?;
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("The folder {} cannot be made: {error}.", folder.display()))?;
        let name = |number: usize| match number {
            1 => beginning.to_owned(),
            number => format!("{beginning} ({number})"),
        };
        let free = (1..NUMBER_MAX).map(name).find_map(|name| {
            let path = self.path(&name).filter(|path| !path.exists())?;
            Some((name, path))
        });
        free.ok_or_else(|| format!("No more files can be named “{beginning}”."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_by_name_and_none_is_written_over() {
        let root = std::env::temp_dir().join(format!("tributary-learned-files-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let files = LearnedFiles { folder: Some(root.join("learned")) };
        assert!(files.names().is_empty(), "there is no folder yet");
        for wanted in ["Song 3.31", "Song 3.31 (2)", "Song 3.31 (3)"] {
            let (name, path) = files.free("Song 3.31").expect("free");
            assert_eq!(name, wanted);
            std::fs::write(path, "{}").expect("a file");
        }
        std::fs::write(root.join("learned/notes.txt"), "").expect("a file");
        assert_eq!(files.names(), ["Song 3.31", "Song 3.31 (2)", "Song 3.31 (3)"]);
        assert!(files.path("../elsewhere").is_none());
        assert!(files.free("a/b").is_err());
        assert!(LearnedFiles::default().free("Song").expect_err("no folder").contains("folder"));
        std::fs::remove_dir_all(root).expect("removed");
    }
}
