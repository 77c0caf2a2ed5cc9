//! `cargo xtask train`: from nothing to a model bundle, with one command.
//!
//! The package in `model-export` generates songs, has `tributary normalize` normalize them, trains and exports. Here its
//! environment and that program are provided, and the folders are named. An interrupted run goes on where it was. At the
//! end the new bundle mixes a song that no training saw: a model that cannot be heard is no success.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::onnx_runtime;
use crate::places::{self, Places};
use crate::process;
use crate::python::VirtualEnvironment;
use crate::setup;
use crate::steps::Steps;
use crate::system;
use crate::test;

/// What can be said on the command line.
#[derive(Args)]
pub struct TrainArguments {
    /// The name of a training configuration in model-export/configs
    #[arg(long, value_name = "NAME", default_value = "default")]
    config: String,
    /// Where the model bundle goes [default: target/models/NAME; assets/models/default is what ships]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Stop a training run after this many minutes, with its best so far
    #[arg(long)]
    minutes: Option<f64>,
    /// The device that PyTorch trains on
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Songs to train on, as `tributary normalize` wrote them [default: generated ones]
    #[arg(long, value_name = "DIR", requires = "held_out")]
    data: Option<PathBuf>,
    /// Songs that choose the weights, likewise
    #[arg(long, value_name = "DIR", requires = "data")]
    held_out: Option<PathBuf>,
}

/// Generates, normalizes, trains, exports.
pub fn run(places: &Places, arguments: &TrainArguments) -> Result<()> {
    check_config(places, &arguments.config)?;
    let here = std::env::current_dir().context("the current folder is gone")?;
    let out = arguments
        .out
        .as_ref()
        .map_or_else(|| places.target.join("models").join(&arguments.config), |folder| here.join(folder));
    let environment = VirtualEnvironment::of(places, &test::training_requirements(places))?;
    if !environment.is_complete() {
        println!("PyTorch and its companions will be downloaded, about {} MB", test::TRAINING_DOWNLOAD_MB);
    }
    let mut steps = Steps::default();
    setup::prepare(places, &mut steps)?;
    steps.required("venv", || system::provide(system::TO_TRAIN))?;
    if arguments.data.is_none() && is_sampled(places, &arguments.config)? {
        steps.required("sounds and music to train on", || system::provide(system::TO_SAMPLE))?;
    }
    steps.required("training: environment", || environment.build())?;
    steps.required("build the command line program", || build_program(places))?;
    steps.required("generate, normalize, train, export", || {
        let mut command = environment.python();
        command.args(words(places, arguments, &out)).current_dir(places.model_export());
        process::run(command.env("ORT_DYLIB_PATH", onnx_runtime::library(places)?))
    })?;
    steps.required("mix the demo song with it", || {
        let mut command = Command::new(program(places));
        command.args([
            "mix".as_ref(),
            places.root.join("assets").join("demo").as_os_str(),
            "--model".as_ref(),
        ]);
        command.arg(&out).arg("-o").arg(work_folder(places, arguments).join("demo.wav"));
        process::run(command.env("ORT_DYLIB_PATH", onnx_runtime::library(places)?))
    })?;
    steps.finish()?;
    println!("The model bundle: {}", places::display(places, &out));
    Ok(())
}

/// Where songs, checkpoints and the mix of the demo go.
fn work_folder(places: &Places, arguments: &TrainArguments) -> PathBuf {
    places.target.join("train").join(&arguments.config)
}

/// Builds `tributary`, which normalizes songs.
pub fn build_program(places: &Places) -> Result<()> {
    process::run(&mut places.cargo_build(&["--bin", "tributary"]))
}

/// The built `tributary`.
pub fn program(places: &Places) -> PathBuf {
    places.program("tributary")
}

fn check_config(places: &Places, name: &str) -> Result<()> {
    let folder = places.model_export().join("configs");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            (path.extension()? == "toml").then(|| Some(path.file_stem()?.to_string_lossy().into_owned()))?
        })
        .collect();
    if !names.iter().any(|known| known == name) {
        names.sort();
        bail!("there is no training configuration {name:?}; there are: {}", names.join(", "));
    }
    Ok(())
}

/// Whether a configuration, or the one that it differs from, asks for sampled songs.
fn is_sampled(places: &Places, name: &str) -> Result<bool> {
    let path = places.model_export().join("configs").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let entry = |key: &str| {
        text.lines().find_map(|line| {
            let (found, value) = line.split_once('=')?;
            (found.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    match (entry("sampled"), entry("base")) {
        (Some(answer), _) => Ok(answer == "true"),
        (None, Some(base)) => is_sampled(places, &base),
        (None, None) => Ok(false),
    }
}

/// The command line of the package, after Python's own name.
fn words(places: &Places, arguments: &TrainArguments, out: &Path) -> Vec<std::ffi::OsString> {
    let mut command = Command::new("python");
    command.args(["-m", "crafx2", "make", &arguments.config, "--device", &arguments.device]);
    command.arg("--output").arg(out);
    command.arg("--work").arg(work_folder(places, arguments));
    command.arg("--tributary").arg(program(places));
    let here = std::env::current_dir().unwrap_or_default();
    for (option, folder) in [("--data", &arguments.data), ("--held-out", &arguments.held_out)] {
        if let Some(folder) = folder {
            command.arg(option).arg(here.join(folder));
        }
    }
    if let Some(minutes) = arguments.minutes {
        command.args(["--minutes", &minutes.to_string()]);
    }
    command.get_args().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{self, Scratch};

    fn places(scratch: &Scratch) -> Places {
        Places { root: scratch.0.clone(), target: scratch.0.join("target"), cache: scratch.0.join("cache") }
    }

    #[test]
    fn an_unknown_configuration_is_answered_with_the_known_ones() {
        let scratch = Scratch::new();
        let places = places(&scratch);
        for name in ["smoke.toml", "default.toml", "notes.txt"] {
            files::write(&places.model_export().join("configs").join(name), "").unwrap();
        }
        assert!(check_config(&places, "smoke").is_ok());
        let error = check_config(&places, "large").unwrap_err().to_string();
        assert!(error.contains("default, smoke") && !error.contains("notes"), "{error}");
    }

    #[test]
    fn a_configuration_asks_for_samples_itself_or_through_its_base() {
        let scratch = Scratch::new();
        let places = places(&scratch);
        for (name, text) in [
            ("plain.toml", "[data]\nsongs = 3\n"),
            ("sampled.toml", "name = \"sampled\"\n[data]\nsampled = true\n"),
            ("based.toml", "base = \"sampled\"\n[data]\nsongs = 3\n"),
            ("without.toml", "base = \"sampled\"\n[data]\nsampled = false\n"),
        ] {
            files::write(&places.model_export().join("configs").join(name), text).unwrap();
        }
        for (name, wanted) in [("plain", false), ("sampled", true), ("based", true), ("without", false)] {
            assert_eq!(is_sampled(&places, name).unwrap(), wanted, "{name}");
        }
        assert!(is_sampled(&places, "absent").is_err());
    }

    #[test]
    fn the_package_is_told_config_folders_and_program() {
        let scratch = Scratch::new();
        let places = places(&scratch);
        let folder = Some(PathBuf::from("/songs"));
        let arguments = TrainArguments {
            config: "smoke".into(),
            out: None,
            minutes: Some(1.5),
            device: "cpu".into(),
            data: folder.clone(),
            held_out: folder,
        };
        let words = words(&places, &arguments, Path::new("/bundle"));
        let text: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        assert_eq!(text[..4], ["-m", "crafx2", "make", "smoke"]);
        let after = |name: &str| text.iter().position(|word| word == name).map(|at| text[at + 1].to_string());
        assert_eq!(after("--output").as_deref(), Some("/bundle"));
        assert_eq!(after("--minutes").as_deref(), Some("1.5"));
        assert_eq!(after("--data").as_deref(), Some("/songs"));
        assert_eq!(after("--held-out").as_deref(), Some("/songs"));
        assert_eq!(after("--tributary"), Some(program(&places).display().to_string()));
    }
}
