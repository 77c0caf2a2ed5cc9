//! `cargo xtask package`: the one file that a user downloads, and beside it one for debuggers.
//!
//! The archive holds every file once, a list of where each goes, checksums, and the installer that reads them. The same
//! files make the same archive to the bit: names are sorted, times and owners are fixed. Linux alone has an installer.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::bundle;
use crate::contents::{self, Content, Item};
use crate::files;
use crate::layout::System;
use crate::places::{self, Places};
use crate::process;
use crate::steps::Steps;

/// How hard is compressed: the highest level that needs no more memory to unpack than the archive is long.
const LEVEL: i32 = 19;

/// Debug information is for few: a quick level.
const DEBUG_LEVEL: i32 = 9;

/// What the archive says to who opens it.
const README: &str = "\
Tributary, an automatic mixing engineer: CLAP, VST3 and a command line for Linux.

    sh install.sh              puts them into ~/.clap, ~/.vst3 and ~/.local/bin; needs no rights but yours
    sh install.sh uninstall    removes exactly that again

files.txt says where each file goes, SHA256SUMS what each is. The licenses are in files/Tributary/licenses.
";

/// A file of an archive: its bytes, or where they are.
#[derive(Debug, Clone)]
enum Source {
    Text(String),
    File(PathBuf),
}

/// The files of an archive by their path in it.
type Members = BTreeMap<PathBuf, Source>;

/// Builds, bundles and packs.
pub fn run(places: &Places) -> Result<()> {
    let mut steps = Steps::default();
    let archive = prepare(places, &mut steps)?;
    steps.required("pack debug information", || pack_debug_information(places))?;
    steps.finish()?;
    println!("The package: {}", places::display(places, &archive));
    Ok(())
}

/// Builds, bundles and packs as steps of another command; the archive.
pub fn prepare(places: &Places, steps: &mut Steps) -> Result<PathBuf> {
    bundle::prepare(places, steps)?;
    steps.required("pack", || pack(places))
}

/// The name without endings, which is also that of the one folder inside.
fn name() -> String {
    format!("tributary-{}-{}-{}", env!("CARGO_PKG_VERSION"), env::consts::OS, env::consts::ARCH)
}

fn folder(places: &Places) -> PathBuf {
    places.target.join("package")
}

fn pack(places: &Places) -> Result<PathBuf> {
    let system = System::of(env::consts::OS)?;
    if system != System::Linux {
        bail!(
            "there is no installer for {} yet; `cargo xtask install` puts the bundles in place",
            env::consts::OS
        );
    }
    let bundled = places.bundled();
    let items = contents::of(system, &bundled)?;
    let archive = folder(places).join(format!("{}.tar.zst", name()));
    write_archive(&archive, &name(), &members(&bundled, &items)?, time_of(places), LEVEL)?;
    let sums = format!("{}  {}.tar.zst\n", files::sha256(&archive)?, name());
    files::write(&files::suffixed(&archive, ".sha256"), &sums)?;
    print!("{}", weights(&bundled, &items, &archive)?);
    Ok(archive)
}

/// Everything in the archive: the installer, its list, the files it copies, and their checksums.
fn members(bundled: &Path, items: &[Item]) -> Result<Members> {
    let (installer, text) = bundle::INSTALLER;
    let mut members = Members::from([
        (installer.into(), Source::Text(text.into())),
        ("README.txt".into(), Source::Text(README.into())),
        ("files.txt".into(), Source::Text(list(items)?)),
    ]);
    for item in items {
        if let Content::File(from) = &item.content {
            members.insert(Path::new("files").join(from), Source::File(bundled.join(from)));
        }
    }
    let mut sums = String::new();
    for (path, source) in &members {
        let sum = match source {
            Source::Text(text) => files::sha256_of(text.as_bytes()),
            Source::File(file) => files::sha256(file)?,
        };
        sums += &format!("{sum}  {}\n", path.display());
    }
    members.insert("SHA256SUMS".into(), Source::Text(sums));
    Ok(members)
}

/// The installer's list, a line for each place: kind, folder, place in it, and the file or the link's target.
fn list(items: &[Item]) -> Result<String> {
    let mut list = String::new();
    for item in items {
        let (kind, from) = match &item.content {
            Content::File(from) => ("file", Path::new("files").join(from)),
            Content::LinkTo(place) => ("link", Path::new(place.home.word()).join(&place.path)),
        };
        let line = [kind, item.place.home.word(), text(&item.place.path)?, text(&from)?].join("\t");
        list += &format!("{line}\n");
    }
    Ok(list)
}

/// A path that a list of lines and tabs can hold.
fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .filter(|text| !text.contains(['\n', '\t', '\\']))
        .with_context(|| format!("{} cannot stand in the installer's list", path.display()))
}

/// Files that a debugger wants, from the last build of the bundles.
fn pack_debug_information(places: &Places) -> Result<()> {
    let shipped = bundle::shipped_folder(places);
    let is_debug =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "debug" || ending == "dwp");
    let paths = files::below(&shipped)?.into_iter().filter(is_debug);
    let members: Members = paths.map(|path| (path.clone(), Source::File(shipped.join(path)))).collect();
    let name = format!("{}-debug", name());
    let archive = folder(places).join(format!("{name}.tar.zst"));
    write_archive(&archive, &name, &members, time_of(places), DEBUG_LEVEL)?;
    println!("{}, {:.1} MB", places::display(places, &archive), megabytes(size(&archive)?));
    Ok(())
}

/// The time that every file in an archive bears, in seconds: what the environment says, else that of the last commit.
fn time_of(places: &Places) -> u64 {
    let said = env::var("SOURCE_DATE_EPOCH").ok();
    let committed = || {
        let mut git = Command::new("git");
        process::capture(git.current_dir(&places.root).args(["log", "-1", "--format=%ct"])).ok()
    };
    said.or_else(committed).and_then(|time| time.trim().parse().ok()).unwrap_or(0)
}

/// Writes a zstd-compressed archive of `members` in one folder, under a temporary name that is renamed.
fn write_archive(path: &Path, folder: &str, members: &Members, time: u64, level: i32) -> Result<()> {
    files::create_folder(files::parent(path)?)?;
    let partial = files::suffixed(path, ".partial");
    let written = write_members(&partial, folder, members, time, level);
    if written.is_err() {
        files::remove(&partial)?;
    }
    written.with_context(|| format!("cannot write {}", path.display()))?;
    files::put(&partial, path)
}

fn write_members(path: &Path, folder: &str, members: &Members, time: u64, level: i32) -> Result<()> {
    let mut encoder = zstd::Encoder::new(File::create(path)?, level)?;
    encoder.include_checksum(true)?;
    encoder.long_distance_matching(true)?;
    let mut archive = tar::Builder::new(encoder);
    for (path, source) in members {
        let bytes = match source {
            Source::Text(text) => text.clone().into_bytes(),
            Source::File(file) => {
                fs::read(file).with_context(|| format!("cannot read {}", file.display()))?
            }
        };
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(if is_program(path, source) { 0o755 } else { 0o644 });
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, Path::new(folder).join(path), bytes.as_slice())?;
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(())
}

/// Whether a file is to be run or loaded.
fn is_program(path: &Path, source: &Source) -> bool {
    match source {
        Source::Text(_) => path == Path::new(bundle::INSTALLER.0),
        #[cfg(unix)]
        Source::File(file) => {
            use std::os::unix::fs::PermissionsExt;
            file.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
        }
        #[cfg(not(unix))]
        Source::File(_) => false,
    }
}

/// What is downloaded, and what lies on the disk after it is installed: files of the same bytes once.
fn weights(bundled: &Path, items: &[Item], archive: &Path) -> Result<String> {
    let mut of_models: BTreeMap<String, u64> = BTreeMap::new();
    let (mut rest, mut last) = (0, None);
    for item in items {
        let Content::File(from) = &item.content else { continue };
        if last == Some(from) {
            continue;
        }
        last = Some(from);
        let bytes = size(&bundled.join(from))?;
        let mut parts = from.iter().skip_while(|part| *part != "models").skip(1);
        match parts.next() {
            Some(model) => *of_models.entry(model.to_string_lossy().into_owned()).or_default() += bytes,
            None => rest += bytes,
        }
    }
    let mut said = format!(
        "download {:.1} MB; installed {:.1} MB without models, with them {:.1} MB\n",
        megabytes(size(archive)?),
        megabytes(rest),
        megabytes(rest + of_models.values().sum::<u64>())
    );
    for (model, bytes) in of_models {
        said += &format!("  model {model}: {:.2} MB\n", megabytes(bytes));
    }
    Ok(said)
}

fn size(path: &Path) -> Result<u64> {
    Ok(path.metadata().with_context(|| format!("cannot look at {}", path.display()))?.len())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::files::Scratch;

    /// A time that no file on disk has.
    const TIME: u64 = 86_400;

    /// Packs an example; the archive's one folder, unpacked.
    fn unpacked(scratch: &Scratch) -> PathBuf {
        let bundled = scratch.0.join("bundled");
        contents::example(&bundled, "front.onnx");
        let items = contents::of(System::Linux, &bundled).unwrap();
        let archive = scratch.0.join("package.tar.zst");
        write_archive(&archive, "package", &members(&bundled, &items).unwrap(), TIME, 1).unwrap();
        let tar = zstd::Decoder::new(File::open(&archive).unwrap()).unwrap();
        tar::Archive::new(tar).unpack(scratch.0.join("a place to unpack")).unwrap();
        scratch.0.join("a place to unpack/package")
    }

    fn script(package: &Path, home: &Path, word: &str) -> Result<String> {
        let mut command = Command::new("sh");
        command.arg(package.join("install.sh")).arg(word).env("HOME", home).env_remove("XDG_DATA_HOME");
        process::capture(command.current_dir("/"))
    }

    /// Every file, link and folder below a home with links' targets, then the list of what is installed.
    fn installed(home: &Path) -> String {
        let all = "find . -printf '%p %l\\n' | sort; cat .local/share/tributary/installed-files.txt";
        let said = process::capture(Command::new("sh").current_dir(home).args(["-c", all])).unwrap();
        said.replace(home.to_str().unwrap(), "HOME")
    }

    #[test]
    fn the_script_and_the_command_install_the_same_and_undo_each_other() {
        let scratch = Scratch::new();
        let package = unpacked(&scratch);
        let homes = ["by the script", "by the command"].map(|name| scratch.0.join(name));
        homes.iter().for_each(|home| files::create_folder(home).unwrap());
        for _twice in 0..2 {
            script(&package, &homes[0], "install").unwrap();
            crate::install::into_home(&scratch.0.join("bundled"), &homes[1]).unwrap();
            assert_eq!(installed(&homes[0]), installed(&homes[1]));
        }
        let binary = homes[0].join(".clap/Tributary.clap");
        let other = homes[0].join(".vst3/Tributary.vst3/Contents/x86_64-linux/Tributary.so");
        use std::os::unix::fs::MetadataExt;
        assert_eq!(binary.metadata().unwrap().ino(), other.metadata().unwrap().ino(), "on disk once");
        crate::install::out_of_home(&homes[0]).unwrap();
        script(&package, &homes[1], "uninstall").unwrap();
        for home in &homes {
            assert_eq!(fs::read_dir(home).unwrap().count(), 0, "{}", home.display());
        }
    }

    #[test]
    fn the_script_keeps_what_it_did_not_install() {
        let scratch = Scratch::new();
        let (package, home) = (unpacked(&scratch), scratch.0.join("home"));
        let mine = home.join(".clap/Tributary/models/mine/contract.json");
        script(&package, &files::create_folder(&home).map(|()| home.clone()).unwrap(), "install").unwrap();
        files::write(&mine, "my own model").unwrap();
        let installed_script = home.join(".clap/Tributary");
        files::copy(&package.join("install.sh"), &installed_script.join("install.sh")).unwrap();
        let said = script(&installed_script, &home, "uninstall").unwrap();
        assert!(said.contains("kept") && mine.is_file(), "{said}");
        assert!(!home.join(".clap/Tributary.clap").exists() && !home.join(".vst3").exists());
        let again = script(&package, &home, "uninstall").unwrap_err().to_string();
        assert!(again.contains("nothing is installed"), "{again}");
    }

    #[test]
    fn the_script_refuses_what_is_foreign_or_damaged_before_it_does_anything() {
        let scratch = Scratch::new();
        let (package, home) = (unpacked(&scratch), scratch.0.join("home"));
        files::write(&home.join(".vst3/Tributary.vst3/Contents/x86_64-linux/Tributary.so"), "by hand")
            .unwrap();
        let foreign = script(&package, &home, "install").unwrap_err().to_string();
        assert!(foreign.contains("Tributary.so is there already"), "{foreign}");
        let before = files::below(&home).unwrap();
        assert_eq!(before.len(), 1);
        files::remove(&home).unwrap();
        files::create_folder(&home).unwrap();
        files::write(&package.join("files/Tributary.clap"), "other bytes").unwrap();
        let damaged = script(&package, &home, "install").unwrap_err().to_string();
        assert!(damaged.contains("damaged") && damaged.contains("Tributary.clap"), "{damaged}");
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    }

    #[test]
    fn a_new_version_by_the_script_takes_the_old_ones_files_along() {
        let scratch = Scratch::new();
        let (package, home) = (unpacked(&scratch), scratch.0.join("home"));
        files::create_folder(&home).unwrap();
        let bundled = scratch.0.join("bundled");
        contents::example(&bundled, "old.onnx");
        crate::install::into_home(&bundled, &home).unwrap();
        script(&package, &home, "install").unwrap();
        let models = files::below(&home.join(".clap/Tributary/models")).unwrap();
        assert_eq!(models, [Path::new("default/front.onnx")]);
        script(&package, &home, "uninstall").unwrap();
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let scratch = Scratch::new();
        let bytes = || {
            unpacked(&scratch);
            // Files on disk are newer in the second round.
            std::thread::sleep(std::time::Duration::from_millis(20));
            fs::read(scratch.0.join("package.tar.zst")).unwrap()
        };
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn the_list_refuses_names_that_would_break_its_lines() {
        assert_eq!(text(Path::new("Voice forward.vstpreset")).unwrap(), "Voice forward.vstpreset");
        assert!(text(Path::new("a\tb")).is_err() && text(Path::new("a\nb")).is_err());
    }
}
