//! `cargo xtask demo`: from a fresh clone to a mix that one can listen to.
//!
//! Sets up, builds, bundles, then starts the host program of the `tests` crate, which loads the built CLAP, plays four
//! stems into its four sidechains and writes what comes out. The bundle must find its own runtime and model: nothing is
//! pointed out to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::bundle;
use crate::places::{self, Places};
use crate::process;
use crate::steps::Steps;

/// What can be said on the command line.
#[derive(Args, Default)]
pub struct DemoArguments {
    /// A folder with vocals, bass, drums and other as WAV or FLAC [default: the demo song]
    #[arg(long, value_name = "DIR")]
    stems: Option<PathBuf>,
    /// Where the mix goes [default: target/demo/mix.wav]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Play at the speed of the audio, as a DAW does, instead of as fast as possible
    #[arg(long)]
    realtime: bool,
}

/// The stems to mix and the file to write, as absolute paths.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    stems: PathBuf,
    out: PathBuf,
}

/// Sets up, builds, mixes.
pub fn run(places: &Places, arguments: &DemoArguments) -> Result<()> {
    let plan = plan(places, arguments)?;
    let mut steps = Steps::default();
    bundle::prepare(places, &mut steps)?;
    steps.required("build the host program", || build_host(places))?;
    steps.required("mix", || mix(places, &plan, arguments.realtime))?;
    steps.finish()?;
    println!("The mix: {}", places::display(places, &plan.out));
    Ok(())
}

/// The demo as one step of the tests: the bundles are there, the demo song becomes a mix.
pub fn check(places: &Places) -> Result<()> {
    build_host(places)?;
    mix(places, &plan(places, &DemoArguments::default())?, false)
}

fn plan(places: &Places, arguments: &DemoArguments) -> Result<Plan> {
    let here = std::env::current_dir().context("the current folder is gone")?;
    let stems = match &arguments.stems {
        Some(folder) => here.join(folder),
        None => places.root.join("assets").join("demo"),
    };
    if !stems.is_dir() {
        bail!("there is no folder of stems at {}", places::display(places, &stems));
    }
    let out = match &arguments.out {
        Some(file) => here.join(file),
        None => places.target.join("demo").join("mix.wav"),
    };
    Ok(Plan { stems, out })
}

/// Builds the host program.
pub fn build_host(places: &Places) -> Result<()> {
    process::run(&mut places.cargo_build(&["--bin", "demo-host"]))
}

/// The built host program.
pub fn host(places: &Places) -> PathBuf {
    places.program("demo-host")
}

fn mix(places: &Places, plan: &Plan, realtime: bool) -> Result<()> {
    if let Some(folder) = plan.out.parent() {
        crate::files::create_folder(folder)?;
    }
    let mut command = host_command(&host(places), &places.plugin("clap"), plan, realtime);
    process::run(alone(places, &mut command))
}

/// `command` without what a developer's shell or cache holds: that would hide a part that is missing from a bundle.
pub fn alone<'a>(places: &Places, command: &'a mut Command) -> &'a mut Command {
    command.env_remove("ORT_DYLIB_PATH").env_remove("TRIBUTARY_MODEL");
    command.env("XDG_CACHE_HOME", places.empty_cache())
}

fn host_command(program: &Path, clap: &Path, plan: &Plan, realtime: bool) -> Command {
    let mut command = Command::new(program);
    command.arg("--clap").arg(clap).arg("--stems").arg(&plan.stems).arg("--out").arg(&plan.out);
    if realtime {
        command.arg("--realtime");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{self, Scratch};

    fn places(scratch: &Scratch) -> Places {
        Places {
            root: scratch.0.join("clone"),
            target: scratch.0.join("build"),
            cache: scratch.0.join("cache"),
        }
    }

    #[test]
    fn the_demo_song_is_mixed_into_the_build_folder() {
        let scratch = Scratch::new();
        let places = places(&scratch);
        files::create_folder(&places.root.join("assets/demo")).unwrap();
        let plan = plan(&places, &DemoArguments::default()).unwrap();
        assert_eq!(plan.stems, places.root.join("assets/demo"));
        assert_eq!(plan.out, places.target.join("demo/mix.wav"));
    }

    #[test]
    fn a_missing_folder_of_stems_is_named_before_anything_is_built() {
        let scratch = Scratch::new();
        let arguments = DemoArguments { stems: Some("no/such/song".into()), ..DemoArguments::default() };
        let error = plan(&places(&scratch), &arguments).unwrap_err().to_string();
        assert!(error.contains("no/such/song"), "{error}");
    }

    #[test]
    fn the_host_is_told_what_was_asked_for() {
        let plan = Plan { stems: "/song".into(), out: "/mix.wav".into() };
        let words = |realtime| {
            process::words(&host_command(Path::new("demo-host"), Path::new("/T.clap"), &plan, realtime))
        };
        assert_eq!(words(false), "demo-host --clap /T.clap --stems /song --out /mix.wav");
        assert!(words(true).ends_with(" --realtime"));
    }
}
