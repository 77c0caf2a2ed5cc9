//! `cargo xtask install` and `uninstall`: the bundles and the command line in the user's own folders.
//!
//! Installing writes a list of the files it is about to put there and of the folders it has to make; uninstalling removes
//! what is on that list, folders only when they are empty then, and nothing else. A model of one's own beside the default
//! one stays. `install.sh`, which travels with the package, does the same by the same list; a test compares the two.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::bundle;
use crate::contents::{self, Content, Home, Item, Place};
use crate::files;
use crate::layout::{self, System};
use crate::places::{self, Environment, Places};
use crate::steps::Steps;

/// Where things go, and where the list of them is kept.
struct Homes {
    clap: PathBuf,
    vst3: PathBuf,
    programs: PathBuf,
    list: PathBuf,
}

impl Homes {
    fn find(environment: Environment<'_>) -> Result<Self> {
        let (clap, vst3) = places::plugin_homes(environment)?;
        let programs = places::programs_home(environment)?;
        let list = places::data_home(environment)?.join("tributary").join("installed-files.txt");
        let lines = |path: &Path| path.to_string_lossy().contains('\n');
        if [&clap, &vst3, &programs, &list].iter().any(|path| lines(path)) {
            bail!(
                "a folder of yours has a line break in its path, and the list of installed files has one line for each"
            );
        }
        Ok(Self { clap, vst3, programs, list })
    }

    fn of(&self, home: Home) -> &Path {
        match home {
            Home::Clap => &self.clap,
            Home::Vst3 => &self.vst3,
            Home::Programs => &self.programs,
        }
    }

    fn path(&self, place: &Place) -> PathBuf {
        self.of(place.home).join(&place.path)
    }
}

/// What the list holds.
#[derive(Default)]
struct Listed {
    /// Files and links that were put there.
    files: BTreeSet<PathBuf>,
    /// Folders that were made for them; a line of the list that ends in a slash.
    folders: BTreeSet<PathBuf>,
}

impl Listed {
    /// Nothing when there is no list. Lines that are no absolute path are not believed.
    fn read(list: &Path) -> Result<Self> {
        if !list.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
        let (folders, files): (Vec<&str>, Vec<&str>) =
            text.lines().filter(|line| Path::new(line).is_absolute()).partition(|line| line.ends_with('/'));
        let paths = |lines: Vec<&str>| lines.iter().map(|line| line.trim_end_matches('/').into()).collect();
        Ok(Self { files: paths(files), folders: paths(folders) })
    }

    fn write(&self, list: &Path) -> Result<()> {
        let folders = self.folders.iter().map(|path| format!("{}/\n", path.display()));
        let files = self.files.iter().map(|path| format!("{}\n", path.display()));
        let mut lines: Vec<String> = folders.chain(files).collect();
        lines.sort();
        files::write(list, &lines.concat())
    }
}

/// Builds the bundles and installs them.
pub fn install(places: &Places) -> Result<()> {
    let mut steps = Steps::default();
    bundle::prepare(places, &mut steps)?;
    let homes = Homes::find(&|name| env::var_os(name))?;
    let bundled = places.bundled();
    let items = contents::of(System::of(env::consts::OS)?, &bundled)?;
    steps.required("install", || {
        put(&bundled, &items, &homes)?;
        let tops: BTreeSet<PathBuf> = items.iter().filter_map(|item| top(item, &homes)).collect();
        tops.iter().for_each(|path| println!("{}", path.display()));
        Ok(())
    })?;
    steps.finish()?;
    println!("Let your DAW scan for plug-ins again to find {}.", layout::NAME);
    Ok(())
}

/// What one sees of an item in the user's folder.
fn top(item: &Item, homes: &Homes) -> Option<PathBuf> {
    Some(homes.of(item.place.home).join(item.place.path.iter().next()?))
}

/// Removes what was installed.
pub fn uninstall(_places: &Places) -> Result<()> {
    let homes = Homes::find(&|name| env::var_os(name))?;
    let kept = take_away(&homes)?;
    println!("{} is removed from {} and {}", layout::NAME, homes.clap.display(), homes.vst3.display());
    for path in kept {
        println!("kept, because something in it was not installed by this command: {}", path.display());
    }
    Ok(())
}

/// Puts every item in its place, then removes files of an earlier installation that are no longer part of it.
fn put(bundled: &Path, items: &[Item], homes: &Homes) -> Result<()> {
    let before = Listed::read(&homes.list)?;
    let files: BTreeSet<PathBuf> = items.iter().map(|item| homes.path(&item.place)).collect();
    if let Some(foreign) = files.difference(&before.files).find(|path| path.symlink_metadata().is_ok()) {
        bail!(
            "{} is there already and was not installed by this; move it away first. Nothing was installed",
            foreign.display()
        );
    }
    let made = files.iter().chain([&homes.list]).flat_map(|file| missing_above(file));
    let folders: BTreeSet<PathBuf> = before.folders.iter().cloned().chain(made).collect();
    // Old and new files are listed before the first copy, so that an interrupted installation can be undone.
    let all = before.files.union(&files).cloned().collect();
    Listed { files: all, folders: folders.clone() }.write(&homes.list)?;
    let mut last: Option<&Item> = None;
    for item in items {
        put_item(bundled, item, last, homes)?;
        last = Some(item);
    }
    before.files.difference(&files).try_for_each(|gone| files::remove(gone))?;
    Listed { files, folders }.write(&homes.list)
}

/// Puts one item in its place; one with the content of the `last` becomes a second name of that.
fn put_item(bundled: &Path, item: &Item, last: Option<&Item>, homes: &Homes) -> Result<()> {
    let to = homes.path(&item.place);
    match &item.content {
        Content::LinkTo(place) => files::symbolic_link(&homes.path(place), &to),
        Content::File(from) => match last.filter(|last| last.content == item.content) {
            Some(last) => files::link_or_copy(&homes.path(&last.place), &to),
            None => files::copy(&bundled.join(from), &to),
        },
    }
}

/// The folders above a file that are not there yet.
fn missing_above(file: &Path) -> Vec<PathBuf> {
    file.ancestors().skip(1).take_while(|folder| !folder.is_dir()).map(Path::to_path_buf).collect()
}

/// Removes what is on the list; returns the folders in which something of the user's remains.
fn take_away(homes: &Homes) -> Result<Vec<PathBuf>> {
    let installed = Listed::read(&homes.list)?;
    if installed.files.is_empty() {
        bail!("nothing is installed: {} is missing or empty", homes.list.display());
    }
    installed.files.iter().try_for_each(|file| files::remove(file))?;
    files::remove(&homes.list)?;
    // In reverse order a folder comes after the folders inside it. Only an empty one can be removed.
    let left = installed.folders.into_iter().rev().filter(|f| f.exists() && fs::remove_dir(f).is_err());
    let is_ours = |folder: &PathBuf| {
        [&homes.clap, &homes.vst3].iter().any(|home| folder.starts_with(home) && folder != *home)
    };
    let mut kept: Vec<PathBuf> = left.filter(is_ours).collect();
    kept.reverse();
    Ok(kept)
}

/// Installs an example into a home, for tests of the package's script.
#[cfg(all(test, target_os = "linux"))]
pub fn into_home(bundled: &Path, home: &Path) -> Result<()> {
    put(bundled, &contents::of(System::Linux, bundled)?, &homes_in(home))
}

/// Takes it away again.
#[cfg(all(test, target_os = "linux"))]
pub fn out_of_home(home: &Path) -> Result<()> {
    take_away(&homes_in(home)).map(drop)
}

#[cfg(all(test, target_os = "linux"))]
fn homes_in(home: &Path) -> Homes {
    Homes::find(&|name| (name == "HOME").then(|| home.into())).unwrap()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    use super::*;
    use crate::files::Scratch;
    use crate::process;

    const OWN: [&str; 2] = [".clap/Other.clap", ".clap/Tributary/models/mine/contract.json"];

    fn home(scratch: &Scratch) -> PathBuf {
        scratch.0.join("a home")
    }

    fn homes(scratch: &Scratch) -> Homes {
        homes_in(&home(scratch))
    }

    /// A folder of bundles with one model file of that name, and what is to be installed of it.
    fn bundles(scratch: &Scratch, model_file: &str) -> (PathBuf, Vec<Item>) {
        let bundled = scratch.0.join("bundled");
        contents::example(&bundled, model_file);
        let items = contents::of(System::Linux, &bundled).unwrap();
        (bundled, items)
    }

    fn install(scratch: &Scratch, model_file: &str) -> Homes {
        let homes = homes(scratch);
        let (bundled, items) = bundles(scratch, model_file);
        put(&bundled, &items, &homes).unwrap();
        homes
    }

    /// Every file, link and folder below a home, each in a line.
    fn tree(home: &Path) -> String {
        if !home.exists() {
            return String::new();
        }
        process::capture(Command::new("sh").current_dir(home).args(["-c", "find . | sort"])).unwrap()
    }

    #[test]
    fn uninstalling_leaves_no_trace_of_an_installation_in_an_empty_home() {
        let scratch = Scratch::new();
        let homes = install(&scratch, "front.onnx");
        let (clap, vst3) = (homes.clap.join("Tributary"), homes.vst3.join("Tributary.vst3/Contents"));
        let [one, two] = [clap, vst3.join("Resources")].map(|f| f.join("models/default/front.onnx"));
        assert_eq!(one.metadata().unwrap().ino(), two.metadata().unwrap().ino(), "on disk once");
        let program = fs::canonicalize(homes.programs.join("tributary")).unwrap();
        assert_eq!(program, fs::canonicalize(homes.clap.join("Tributary/tributary")).unwrap());
        assert!(homes.vst3.join("presets/Tributary/Tributary/Voice forward.vstpreset").is_file());
        assert!(take_away(&homes).unwrap().is_empty());
        assert_eq!(tree(&home(&scratch)), "");
    }

    #[test]
    fn what_was_there_before_stays() {
        let scratch = Scratch::new();
        for path in OWN {
            files::write(&home(&scratch).join(path), "my own").unwrap();
        }
        files::create_folder(&home(&scratch).join(".local/share")).unwrap();
        let before = tree(&home(&scratch));
        let homes = install(&scratch, "front.onnx");
        let kept = take_away(&homes).unwrap();
        assert_eq!(kept, Vec::<PathBuf>::new(), "folders of the user's own are not on the list");
        assert_eq!(tree(&home(&scratch)), before);
    }

    #[test]
    fn a_folder_that_was_made_and_holds_something_else_now_is_kept_and_named() {
        let scratch = Scratch::new();
        let homes = install(&scratch, "front.onnx");
        files::write(&homes.clap.join("Tributary/models/mine/contract.json"), "my own model").unwrap();
        let kept = take_away(&homes).unwrap();
        assert_eq!(kept, ["Tributary", "Tributary/models"].map(|path| homes.clap.join(path)));
        assert!(homes.clap.join("Tributary/models/mine/contract.json").is_file());
    }

    #[test]
    fn a_new_version_takes_the_old_ones_files_along() {
        let scratch = Scratch::new();
        install(&scratch, "old.onnx");
        let homes = install(&scratch, "new.onnx");
        let models = files::below(&homes.clap.join("Tributary/models")).unwrap();
        assert_eq!(models, [Path::new("default/new.onnx")]);
        take_away(&homes).unwrap();
        assert_eq!(tree(&home(&scratch)), "");
    }

    #[test]
    fn what_was_put_there_by_hand_is_neither_replaced_nor_removed() {
        let scratch = Scratch::new();
        let homes = homes(&scratch);
        files::write(&homes.clap.join("Tributary.clap"), "put there by hand").unwrap();
        let before = tree(&home(&scratch));
        assert!(take_away(&homes).is_err());
        let (bundled, items) = bundles(&scratch, "front.onnx");
        let error = put(&bundled, &items, &homes).unwrap_err().to_string();
        assert!(error.contains("Tributary.clap is there already"), "{error}");
        assert_eq!(tree(&home(&scratch)), before);
    }
}
