//! `cargo xtask bundle`: builds the plug-in and puts both bundles together in `target/bundled`.
//!
//! A bundle is complete by itself: the binary, ONNX Runtime, the default model and every license that must travel with
//! them. It is made in a folder beside its place and exchanged as a whole, so that a host never meets half a bundle. What
//! both bundles hold is on disk once, and debug information lies apart, in `target/shipped`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::files;
use crate::layout::{self, Entry, Source, System};
use crate::licenses;
use crate::onnx_runtime;
use crate::places::{self, Places};
use crate::process;
use crate::setup;
use crate::steps::Steps;
use crate::symbols;

/// The crate whose library is the plug-in.
const PACKAGE: &str = "tributary";

/// The crate whose program is the command line.
const PROGRAM_PACKAGE: &str = "tributary-cli";

/// The script that takes an installation away again, beside what it installed.
pub const INSTALLER: (&str, &str) = ("install.sh", include_str!("install.sh"));

/// Sets up, builds and bundles.
pub fn run(places: &Places) -> Result<()> {
    let mut steps = Steps::default();
    prepare(places, &mut steps)?;
    steps.finish()
}

/// Set-up, build and bundling as the first steps of another command.
pub fn prepare(places: &Places, steps: &mut Steps) -> Result<()> {
    setup::prepare(places, steps)?;
    let built = steps.required("build the plug-in", || build(places))?;
    steps.required("bundle", || assemble(places, &built))
}

/// What Cargo has built.
pub struct Built {
    /// The plug-in's library.
    library: PathBuf,
    /// The program that prints what the library's VST3 factory says of itself.
    describer: PathBuf,
    /// The command line.
    program: PathBuf,
}

/// The example that describes the VST3 factory.
const DESCRIBER: &str = "module_info";

/// Builds the plug-in, the command line, and the program that describes the plug-in.
pub fn build(places: &Places) -> Result<Built> {
    let targets = ["--lib", "--bin", PROGRAM, "--example", DESCRIBER];
    let mut command = places.cargo_build(&targets);
    command.arg("--message-format=json-render-diagnostics");
    let built =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !built.status.success() {
        bail!("the plug-in does not build; see the messages above");
    }
    let messages = String::from_utf8(built.stdout).context("cargo's messages are not UTF-8")?;
    let library = library_in(&messages).context("cargo built no library for the plug-in")?;
    let describer = describer_in(&messages).context("cargo built no description of the plug-in")?;
    Ok(Built { library, describer, program: places.program(PROGRAM) })
}

/// The command line's name.
const PROGRAM: &str = "tributary";

/// Finds the describing program among Cargo's messages.
fn describer_in(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["reason"] == "compiler-artifact" && message["target"]["name"] == DESCRIBER;
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    })
}

/// Finds the plug-in's dynamic library among Cargo's JSON messages, one a line.
fn library_in(messages: &str) -> Option<PathBuf> {
    let files = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let target = &message["target"];
        let is_ours = message["reason"] == "compiler-artifact"
            && target["name"] == PACKAGE
            && target["crate_types"].as_array()?.iter().any(|kind| kind == "cdylib");
        is_ours.then(|| message["filenames"].as_array().cloned())?
    });
    files.flatten().filter_map(|file| file.as_str().map(PathBuf::from)).find(|file| {
        file.extension().is_some_and(|ending| ["so", "dylib", "dll"].iter().any(|e| ending == *e))
    })
}

/// Makes both bundles from what was built.
pub fn assemble(places: &Places, built: &Built) -> Result<()> {
    let system = System::of(std::env::consts::OS)?;
    let resources = resources(places)?;
    let version = env!("CARGO_PKG_VERSION");
    let bundled = places.bundled();
    let presets = files::suffixed(&bundled, ".presets");
    files::remove(&presets)?;
    let module_info = process::capture(Command::new(&built.describer).arg(&presets))
        .context("the plug-in's factory cannot be described")?;
    let processor = std::env::consts::ARCH;
    let (library, program) = ship(places, built)?;
    let mut entries = layout::entries(system, processor, &library, &module_info, &resources, version);
    entries.push((layout::program(system), Source::File(program)));
    if system == System::Linux {
        let (name, text) = INSTALLER;
        entries.push((layout::clap_parts(system).join(name), Source::Text(text.into())));
    }
    let preset_files: Vec<_> = files::below(&presets)?.into_iter().map(|file| presets.join(file)).collect();
    entries.extend(layout::preset_entries(system, &preset_files));
    exchange(&entries, &layout::top_level(system), &bundled)?;
    for name in layout::top_level(system) {
        println!("{}", places::display(places, &bundled.join(name)));
    }
    Ok(())
}

/// Where binaries lie as they ship, with their debug information beside them.
pub fn shipped_folder(places: &Places) -> PathBuf {
    places.target.join("shipped")
}

/// The plug-in's binary and the command line, as they ship.
fn ship(places: &Places, built: &Built) -> Result<(PathBuf, PathBuf)> {
    let folder = shipped_folder(places);
    // Not "Tributary" and "tributary": some file systems take the two for one.
    let library = symbols::split(&built.library, "Tributary.clap", &folder)?;
    Ok((library, symbols::split(&built.program, PROGRAM, &folder)?))
}

/// The files that the plug-in needs beside itself: runtime, models, licenses.
fn resources(places: &Places) -> Result<Vec<Entry>> {
    let runtime = onnx_runtime::folder(places);
    let library = onnx_runtime::wheel_here()?.library;
    let mut resources = vec![(library.into(), Source::File(runtime.join(library)))];
    let models = places.models();
    if !models.join("default/contract.json").is_file() {
        bail!("the default model is missing: {} holds no default", places::display(places, &models));
    }
    for path in files::below(&models)? {
        resources.push((Path::new("models").join(&path), Source::File(models.join(path))));
    }
    let licenses = Path::new("licenses");
    resources.push((licenses.join("Tributary.txt"), Source::File(places.root.join("LICENSE"))));
    for name in onnx_runtime::NOTICES {
        let ending = if name.ends_with(".txt") { "" } else { ".txt" };
        let path = licenses.join(format!("ONNX-Runtime-{name}{ending}"));
        resources.push((path, Source::File(runtime.join(name))));
    }
    let crates = licenses::of_crates(places, &[PACKAGE, PROGRAM_PACKAGE])
        .context("cannot collect the licenses of the crates")?;
    resources.push((licenses.join("Rust-crates.txt"), Source::Text(crates)));
    Ok(resources)
}

/// Writes `entries` into a folder beside `bundled`, then moves each of `names` into place. A file that goes to two places
/// is on disk once.
fn exchange(entries: &[Entry], names: &[String], bundled: &Path) -> Result<()> {
    let partial = files::suffixed(bundled, ".partial");
    files::remove(&partial)?;
    let mut copies: BTreeMap<&Path, PathBuf> = BTreeMap::new();
    let written = entries.iter().try_for_each(|(path, source)| {
        let to = partial.join(path);
        match source {
            Source::Text(text) => files::write(&to, text),
            Source::File(from) => match copies.get(from.as_path()) {
                Some(copy) => files::link_or_copy(copy, &to),
                None => files::copy(from, &to).map(|()| drop(copies.insert(from.as_path(), to))),
            },
        }
    });
    let put = written.and_then(|()| {
        names.iter().try_for_each(|name| files::put(&partial.join(name), &bundled.join(name)))
    });
    files::remove(&partial)?;
    put
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::Scratch;

    #[test]
    fn the_library_is_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"serde","crate_types":["lib"]},"filenames":["/t/libserde.rlib"]}"#,
            "\nnot JSON\n",
            r#"{"reason":"compiler-artifact","target":{"name":"tributary","crate_types":["bin"]},"filenames":["/t/tributary"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"tributary","crate_types":["cdylib","lib"]},"#,
            r#""filenames":["/t/libtributary.rlib","/t/libtributary.so"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(library_in(messages), Some("/t/libtributary.so".into()));
        assert_eq!(library_in(""), None);
        let example =
            r#"{"reason":"compiler-artifact","target":{"name":"module_info"},"executable":"/t/module_info"}"#;
        assert_eq!(describer_in(example), Some("/t/module_info".into()));
        assert_eq!(describer_in(messages), None);
    }

    #[test]
    fn bundles_are_exchanged_as_a_whole() {
        let scratch = Scratch::new();
        let bundled = scratch.0.join("bundled");
        files::write(&bundled.join("Tributary/models/default/gone.onnx"), "an old model").unwrap();
        files::write(&scratch.0.join("binary"), "the library").unwrap();
        let system = System::Linux;
        let resources = [("models/default/contract.json".into(), Source::Text("{}".into()))];
        let mut entries = layout::entries(system, "x86_64", &scratch.0.join("binary"), "{}", &resources, "0");
        let preset = scratch.0.join("Gentle.vstpreset");
        files::write(&preset, "a preset").unwrap();
        entries.extend(layout::preset_entries(system, &[preset]));
        exchange(&entries, &layout::top_level(system), &bundled).unwrap();
        let mut expected: Vec<&Path> = entries.iter().map(|(path, _)| path.as_path()).collect();
        expected.sort();
        assert_eq!(files::below(&bundled).unwrap(), expected);
        assert!(!files::suffixed(&bundled, ".partial").exists());
    }

    #[test]
    fn a_bundle_that_cannot_be_made_leaves_the_old_one() {
        let scratch = Scratch::new();
        let bundled = scratch.0.join("bundled");
        files::write(&bundled.join("Tributary.clap"), "old").unwrap();
        let entries = layout::entries(System::Linux, "x86_64", &scratch.0.join("missing"), "{}", &[], "0");
        assert!(exchange(&entries, &layout::top_level(System::Linux), &bundled).is_err());
        assert_eq!(fs::read_to_string(bundled.join("Tributary.clap")).unwrap(), "old");
        assert_eq!(files::below(&scratch.0).unwrap(), [Path::new("bundled/Tributary.clap")]);
    }
}
