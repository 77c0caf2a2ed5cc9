//! What an installation consists of: which file goes into which of the user's folders. The one list from which
//! `install` copies and `package` packs, so that both put the same files.
//!
//! Every bundle is complete by itself – one that is copied elsewhere still works, and so does a host in a sandbox, which
//! sees `~/.vst3` but not the user's data folder – yet the runtime, the models and the binary are on disk once: files of
//! the same bytes are names of one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files;
use crate::layout::{self, NAME, System};

/// A folder of the user's that files are installed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    /// Where hosts look for CLAPs.
    Clap,
    /// Where hosts look for VST3 bundles and their presets.
    Vst3,
    /// Where shells look for programs.
    Programs,
}

impl Home {
    /// Its word in a package's list.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clap => "clap",
            Self::Vst3 => "vst3",
            Self::Programs => "programs",
        }
    }
}

/// A place below one of the user's folders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The folder.
    pub home: Home,
    /// Where in it.
    pub path: PathBuf,
}

/// What is put at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// The bytes of this file, relative to the folder of bundles. Places of the same file share it on disk.
    File(PathBuf),
    /// A symbolic link to another place: the command line, which finds runtime and models beside its real self.
    LinkTo(Place),
}

/// One file of an installation. Items sort by content first: places that share a file stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// What is put there.
    pub content: Content,
    /// Where.
    pub place: Place,
}

/// All items that `bundled` holds, sorted.
///
/// # Errors
/// When a file cannot be read.
pub fn of(system: System, bundled: &Path) -> Result<Vec<Item>> {
    let mut first_of: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut items = Vec::new();
    for path in paths(system, bundled)? {
        let digest = files::sha256(&bundled.join(&path))?;
        let from = first_of.entry(digest).or_insert_with(|| path.clone()).clone();
        items.push(Item { content: Content::File(from), place: Place { home: home_of(&path), path } });
    }
    let program = Place { home: Home::Clap, path: layout::program(system) };
    if system == System::Linux && bundled.join(&program.path).is_file() {
        let place = Place { home: Home::Programs, path: NAME.to_lowercase().into() };
        items.push(Item { content: Content::LinkTo(program), place });
    }
    items.sort();
    Ok(items)
}

/// Every file below the top-level names, relative to `bundled`.
fn paths(system: System, bundled: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for name in layout::top_level(system) {
        if bundled.join(&name).is_file() {
            paths.push(name.into());
        } else {
            paths.extend(
                files::below(&bundled.join(&name))?.into_iter().map(|path| Path::new(&name).join(path)),
            );
        }
    }
    Ok(paths)
}

/// The folder that a file of the bundles goes to.
fn home_of(path: &Path) -> Home {
    let top = path.iter().next().unwrap_or_default().to_string_lossy();
    if top.ends_with(".vst3") || top == layout::PRESETS { Home::Vst3 } else { Home::Clap }
}

/// A folder that looks like one of bundles, for tests: one shared file, one of each bundle's own, a program, a preset.
#[cfg(test)]
pub fn example(bundled: &Path, model_file: &str) {
    files::remove(bundled).unwrap();
    for path in ["Tributary.clap", "Tributary.vst3/Contents/x86_64-linux/Tributary.so"] {
        files::write(&bundled.join(path), "binary").unwrap();
    }
    for folder in ["Tributary", "Tributary.vst3/Contents/Resources"] {
        files::write(&bundled.join(folder).join("models/default").join(model_file), "model").unwrap();
    }
    files::write(&bundled.join("Tributary/tributary"), "#!/bin/sh\necho the program\n").unwrap();
    files::write(&bundled.join("presets/Tributary/Tributary/Voice forward.vstpreset"), "preset").unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Scratch;

    #[test]
    fn files_of_the_same_bytes_come_from_one() {
        let scratch = Scratch::new();
        example(&scratch.0, "front.onnx");
        let items = of(System::Linux, &scratch.0).unwrap();
        let from = |home, path: &str| {
            let place = Place { home, path: path.into() };
            items.iter().find(|item| item.place == place).unwrap().content.clone()
        };
        let file = |path: &str| Content::File(path.into());
        assert_eq!(from(Home::Clap, "Tributary.clap"), file("Tributary.clap"));
        let binary = "Tributary.vst3/Contents/x86_64-linux/Tributary.so";
        assert_eq!(from(Home::Vst3, binary), file("Tributary.clap"));
        let model = "Tributary.vst3/Contents/Resources/models/default/front.onnx";
        assert_eq!(from(Home::Vst3, model), from(Home::Clap, "Tributary/models/default/front.onnx"));
        let preset = "presets/Tributary/Tributary/Voice forward.vstpreset";
        assert_eq!(from(Home::Vst3, preset), file(preset));
        let program = Place { home: Home::Clap, path: "Tributary/tributary".into() };
        assert_eq!(from(Home::Programs, "tributary"), Content::LinkTo(program));
        assert_eq!(items.len(), 7);
        assert!(items.is_sorted());
    }
}
