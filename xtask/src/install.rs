//! `cargo xtask install` and `uninstall`: the bundles in the user's own plug-in folders.
//!
//! Installing writes a list of the files it is about to put there; uninstalling removes the files on that list and the
//! folders that are empty then, and nothing else. A model of one's own beside the default one stays.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::bundle;
use crate::files;
use crate::layout::{self, System};
use crate::places::{self, Places};
use crate::steps::Steps;

/// Where the bundles go, and where the list of their files is kept.
struct Homes {
    clap: PathBuf,
    vst3: PathBuf,
    list: PathBuf,
}

impl Homes {
    fn find() -> Result<Self> {
        let (clap, vst3) = places::plugin_homes(&|name| env::var_os(name))?;
        let list =
            places::data_home(&|name| env::var_os(name))?.join("tributary").join("installed-files.txt");
        Ok(Self { clap, vst3, list })
    }

    /// The folder that a top-level name of `bundled` goes to.
    fn of(&self, name: &str) -> &Path {
        if name.ends_with(".vst3") || name == layout::PRESETS { &self.vst3 } else { &self.clap }
    }
}

/// Builds the bundles and installs them.
pub fn install(places: &Places) -> Result<()> {
    let mut steps = Steps::default();
    bundle::prepare(places, &mut steps)?;
    let homes = Homes::find()?;
    let names = layout::top_level(System::of(env::consts::OS)?);
    steps.required("install", || {
        put(&places.bundled(), &names, &homes)?;
        for name in &names {
            println!("{}", homes.of(name).join(name).display());
        }
        Ok(())
    })?;
    steps.finish()?;
    println!("Let your DAW scan for plug-ins again to find {}.", layout::NAME);
    Ok(())
}

/// Removes what was installed.
pub fn uninstall(_places: &Places) -> Result<()> {
    let homes = Homes::find()?;
    let kept = take_away(&homes)?;
    println!("{} is removed from {} and {}", layout::NAME, homes.clap.display(), homes.vst3.display());
    for path in kept {
        println!("kept, because it was not installed by this command: {}", path.display());
    }
    Ok(())
}

/// Copies the bundles file by file, then removes files of an earlier installation that are no longer part of it.
fn put(bundled: &Path, names: &[String], homes: &Homes) -> Result<()> {
    let mut copies: Vec<(PathBuf, PathBuf)> = Vec::new();
    for name in names {
        let (from, to) = (bundled.join(name), homes.of(name).join(name));
        if from.is_file() {
            copies.push((from, to));
        } else {
            copies.extend(files::below(&from)?.into_iter().map(|path| (from.join(&path), to.join(path))));
        }
    }
    let before = listed(&homes.list)?;
    let now: BTreeSet<PathBuf> = copies.iter().map(|(_, to)| to.clone()).collect();
    // Old and new files are listed before the first copy, so that an interrupted installation can be undone.
    write_list(&homes.list, &before.union(&now).cloned().collect())?;
    for (from, to) in &copies {
        files::copy(from, to)?;
    }
    remove_listed(&before.difference(&now).cloned().collect(), homes)?;
    write_list(&homes.list, &now)
}

/// Removes the listed files and the folders left empty; returns the folders in which something of the user's remains.
fn take_away(homes: &Homes) -> Result<Vec<PathBuf>> {
    let installed = listed(&homes.list)?;
    if installed.is_empty() {
        bail!("nothing is installed: {} is missing or empty", homes.list.display());
    }
    let kept = remove_listed(&installed, homes)?;
    files::remove(&homes.list)?;
    Ok(kept)
}

fn remove_listed(listed: &BTreeSet<PathBuf>, homes: &Homes) -> Result<Vec<PathBuf>> {
    let mut folders = BTreeSet::new();
    for file in listed {
        files::remove(file)?;
        let above = file.ancestors().skip(1);
        folders.extend(above.take_while(|f| *f != homes.clap && *f != homes.vst3).map(Path::to_path_buf));
    }
    // In reverse order a folder comes after the folders inside it. Only an empty one can be removed.
    let mut kept: Vec<PathBuf> = folders
        .into_iter()
        .rev()
        .filter(|folder| folder.exists() && fs::remove_dir(folder).is_err())
        .collect();
    kept.reverse();
    Ok(kept)
}

/// The files on the list; none when there is no list. Every path must lie in a plug-in folder's reach: absolute.
fn listed(list: &Path) -> Result<BTreeSet<PathBuf>> {
    if !list.exists() {
        return Ok(BTreeSet::new());
    }
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    Ok(text.lines().map(PathBuf::from).filter(|path| path.is_absolute()).collect())
}

fn write_list(list: &Path, paths: &BTreeSet<PathBuf>) -> Result<()> {
    files::write(list, &paths.iter().map(|path| format!("{}\n", path.display())).collect::<String>())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::files::Scratch;

    fn homes(scratch: &Scratch) -> Homes {
        let home = scratch.0.join("home");
        Homes { clap: home.join(".clap"), vst3: home.join(".vst3"), list: home.join("data/list.txt") }
    }

    fn bundles(scratch: &Scratch, model_file: &str) -> (PathBuf, Vec<String>) {
        let bundled = scratch.0.join("bundled");
        files::remove(&bundled).unwrap();
        for path in ["Tributary.clap", "Tributary.vst3/Contents/x86_64-linux/Tributary.so"] {
            files::write(&bundled.join(path), "binary").unwrap();
        }
        files::write(&bundled.join("Tributary/models/default").join(model_file), "model").unwrap();
        files::write(&bundled.join("presets/Tributary/Tributary/Gentle.vstpreset"), "preset").unwrap();
        (bundled, layout::top_level(System::Linux))
    }

    #[test]
    fn uninstalling_removes_exactly_what_was_installed() {
        let scratch = Scratch::new();
        let homes = homes(&scratch);
        let (bundled, names) = bundles(&scratch, "front.onnx");
        files::write(&homes.clap.join("Other.clap"), "foreign").unwrap();
        files::write(&homes.clap.join("Tributary/models/mine/contract.json"), "my own model").unwrap();
        put(&bundled, &names, &homes).unwrap();
        assert!(homes.clap.join("Tributary.clap").is_file());
        assert!(homes.vst3.join("Tributary.vst3/Contents/x86_64-linux/Tributary.so").is_file());
        assert!(homes.vst3.join("presets/Tributary/Tributary/Gentle.vstpreset").is_file());
        let kept = take_away(&homes).unwrap();
        let left = files::below(&scratch.0.join("home")).unwrap();
        let expected = [".clap/Other.clap", ".clap/Tributary/models/mine/contract.json"].map(PathBuf::from);
        assert_eq!(left, expected);
        assert!(kept.contains(&homes.clap.join("Tributary")), "{kept:?}");
        assert!(!homes.vst3.join("Tributary.vst3").exists());
    }

    #[test]
    fn a_new_version_takes_the_old_ones_files_along() {
        let scratch = Scratch::new();
        let homes = homes(&scratch);
        let (bundled, names) = bundles(&scratch, "old.onnx");
        put(&bundled, &names, &homes).unwrap();
        let (bundled, names) = bundles(&scratch, "new.onnx");
        put(&bundled, &names, &homes).unwrap();
        let models = files::below(&homes.clap.join("Tributary/models")).unwrap();
        assert_eq!(models, [Path::new("default/new.onnx")]);
        take_away(&homes).unwrap();
        assert!(files::below(&scratch.0.join("home")).unwrap().is_empty());
    }

    #[test]
    fn without_a_list_nothing_is_touched() {
        let scratch = Scratch::new();
        let homes = homes(&scratch);
        files::write(&homes.clap.join("Tributary.clap"), "put there by hand").unwrap();
        assert!(take_away(&homes).is_err());
        assert!(homes.clap.join("Tributary.clap").exists());
    }
}
