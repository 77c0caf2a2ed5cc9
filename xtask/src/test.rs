//! `cargo xtask test`: everything that can be checked on this machine, in one go.
//!
//! First it says what it will download. Then it runs all steps, cheap ones first; a failed step is noted and the
//! independent ones still run. Programs that are not part of the project – plug-in validators – are used when they are
//! on `PATH` and reported as absent otherwise.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::bundle;
use crate::demo;
use crate::onnx_runtime;
use crate::places::Places;
use crate::process;
use crate::python::VirtualEnvironment;
use crate::setup;
use crate::steps::Steps;
use crate::system;
use crate::train;
use crate::validators;

/// What can be said on the command line.
#[derive(Args)]
pub struct TestArguments {
    /// Leave out the training code, whose PyTorch is a download of about 3 GB
    #[arg(long)]
    no_training: bool,
}

/// About what PyTorch and its companions weigh.
pub const TRAINING_DOWNLOAD_MB: u32 = 3000;

/// About what DawDreamer and its companions weigh.
const HOSTS_DOWNLOAD_MB: u32 = 110;

/// About what Chromium, its driver and their libraries weigh.
const BROWSER_DOWNLOAD_MB: u32 = 120;

/// Sets up and runs every check.
pub fn run(places: &Places, arguments: &TestArguments) -> Result<()> {
    let training = !arguments.no_training;
    announce(places, training);
    let mut steps = Steps::default();
    setup::prepare(places, &mut steps)?;
    steps.required("system packages for tests", || system::provide(system::TO_TEST))?;
    provide_browser(&mut steps);
    check_sources(places, &mut steps);
    let bundled = check_program(places, &mut steps);
    if training {
        check_training(places, bundled, &mut steps);
    } else {
        steps.skip("training code", "--no-training");
    }
    steps.finish()
}

/// The listening test's page is tested in Chromium where it is or can be installed. Elsewhere that is reported, and those
/// tests say themselves that they are skipped.
fn provide_browser(steps: &mut Steps) {
    let name = "Chromium, for the listening test's page";
    match system::provide(system::TO_BROWSE) {
        Ok(()) => drop(steps.checked(name, || Ok(()))),
        Err(error) => steps.skip(name, &format!("{error:#}")),
    }
}

/// The requirements of the Python program that hosts the VST3.
pub fn host_requirements(places: &Places) -> PathBuf {
    places.root.join("tests").join("python").join("requirements.lock")
}

/// The requirements of the training code and its checks.
pub fn training_requirements(places: &Places) -> PathBuf {
    places.model_export().join("requirements.lock")
}

fn announce(places: &Places, training: bool) {
    let lacks = |requirements: &Path| {
        requirements.is_file()
            && !VirtualEnvironment::of(places, requirements)
                .is_ok_and(|environment| environment.is_complete())
    };
    let downloads = downloads(
        !onnx_runtime::is_there(places),
        lacks(&host_requirements(places)),
        training && lacks(&training_requirements(places)),
    );
    println!("Downloads for this run, kept in {}:", places.cache.display());
    for line in downloads {
        println!("  {line}");
    }
    if !system::is_there(system::TO_BROWSE) {
        println!(
            "  Chromium and its driver from the system's packages, about {BROWSER_DOWNLOAD_MB} MB, where possible"
        );
    }
    println!("  Rust crates that Cargo does not have yet, up to 120 MB");
    if !training {
        println!("The training code is left out (--no-training).");
    }
}

/// One line for each download that is still to come.
fn downloads(runtime: bool, hosts: bool, training: bool) -> Vec<String> {
    let all = [
        (
            runtime,
            "ONNX Runtime, and a release that reports for a test's control",
            2 * onnx_runtime::DOWNLOAD_MB,
        ),
        (hosts, "DawDreamer and NumPy, to host the VST3", HOSTS_DOWNLOAD_MB),
        (training, "PyTorch and its companions (leave out with --no-training)", TRAINING_DOWNLOAD_MB),
    ];
    all.iter().filter(|(wanted, ..)| *wanted).map(|(_, what, mb)| format!("{what}, about {mb} MB")).collect()
}

/// Formatting, lints and documentation. All use the release profile, so that Cargo shares what it can with the build.
fn check_sources(places: &Places, steps: &mut Steps) {
    let cargo = |arguments: &[&str]| process::run(places.cargo().args(arguments));
    steps.checked("Cargo.lock is current", || {
        process::capture(places.cargo().args(["metadata", "--locked", "--format-version=1"])).map(drop)
    });
    steps.checked("rustfmt", || cargo(&["fmt", "--all", "--check"]));
    steps.checked("clippy", || {
        cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"])
    });
    // The library of `plugin` and the program of `cli` are both called tributary: their pages must not meet in one run.
    for (name, targets) in [("rustdoc, libraries", "--lib"), ("rustdoc, programs", "--bins")] {
        steps.checked(name, || {
            let mut command = places.cargo();
            command.args(["doc", "--release", "--workspace", "--no-deps", targets]);
            process::run(command.env("RUSTDOCFLAGS", "--deny warnings"))
        });
    }
}

/// The build, the bundles, all Rust tests, and the bundles in hosts and validators. Whether there are bundles.
fn check_program(places: &Places, steps: &mut Steps) -> bool {
    let bundled = steps.checked("build and bundle", || bundle::assemble(places, &bundle::build(places)?));
    let hosts = python_environment(places, steps, "Python host", &host_requirements(places));
    let reporting = provide_reporting_runtime(places, steps);
    if !bundled {
        for name in ["build the Rust tests", "Rust tests", "demo", "validators"] {
            steps.skip(name, "there are no bundles");
        }
        return false;
    }
    let tests = |last: &[&str]| {
        let mut command = places.cargo();
        command.args(["test", "--release", "--workspace", "--no-fail-fast"]).args(last);
        command.env("TRIBUTARY_BUNDLED", places.bundled());
        command.env("ORT_DYLIB_PATH", onnx_runtime::library(places)?);
        command.env("XDG_CACHE_HOME", places.empty_cache());
        if let Some(hosts) = &hosts {
            command.env("TRIBUTARY_PYTHON", hosts.interpreter());
        }
        if let Some(library) = &reporting {
            command.env("TRIBUTARY_REPORTING_RUNTIME", library);
        }
        process::run(&mut command)
    };
    if steps.checked("build the Rust tests", || tests(&["--no-run"])) {
        steps.checked("Rust tests", || tests(&[]));
    } else {
        steps.skip("Rust tests", "they do not build");
    }
    steps.checked("demo", || demo::check(places));
    check_with_validators(places, steps);
    true
}

/// A release of ONNX Runtime with the telemetry collector, for the control of the test of privacy. Where it cannot be had
/// that is reported, and the control says itself that it is skipped.
fn provide_reporting_runtime(places: &Places, steps: &mut Steps) -> Option<PathBuf> {
    let name = "control: ONNX Runtime that reports";
    match onnx_runtime::provide_reporting(places) {
        Ok(library) => {
            steps.checked(name, || Ok(()));
            Some(library)
        }
        Err(error) => {
            steps.skip(name, &format!("{error:#}"));
            None
        }
    }
}

/// Builds a Python environment as a step of its own; none when that fails or its requirements are absent.
fn python_environment(
    places: &Places,
    steps: &mut Steps,
    what: &str,
    requirements: &Path,
) -> Option<VirtualEnvironment> {
    let name = format!("{what}: environment");
    if !requirements.is_file() {
        steps.skip(&name, &format!("{} is absent", requirements.display()));
        return None;
    }
    let mut built = None;
    steps.checked(&name, || {
        let environment = VirtualEnvironment::of(places, requirements)?;
        environment.build()?;
        built = Some(environment);
        Ok(())
    });
    built
}

fn check_with_validators(places: &Places, steps: &mut Steps) {
    for validator in &validators::ALL {
        match validator.find() {
            Some(_) => drop(steps.checked(validator.program, || validator.run(places))),
            None => steps.skip(validator.program, "absent: not on PATH"),
        }
    }
}

/// Lints and tests of the Python package that trains and exports models.
fn check_training(places: &Places, bundled: bool, steps: &mut Steps) {
    let requirements = training_requirements(places);
    let Some(environment) = python_environment(places, steps, "training", &requirements) else {
        for name in ["ruff check", "ruff format", "pytest"] {
            steps.skip(name, "there is no environment");
        }
        return;
    };
    let modules: [(&str, &[&str]); 3] = [
        ("ruff check", &["ruff", "check", "."]),
        ("ruff format", &["ruff", "format", "--check", "."]),
        ("pytest", &["pytest"]),
    ];
    for (name, arguments) in modules {
        steps.checked(name, || {
            let mut command = environment.python();
            command.arg("-m").args(arguments).current_dir(places.model_export());
            if name == "pytest" {
                // Some tests mix with an exported bundle: through the program itself, and through the plug-in in a host.
                train::build_program(places)?;
                command.env("TRIBUTARY", train::program(places));
                command.env("ORT_DYLIB_PATH", onnx_runtime::library(places)?);
                if bundled {
                    demo::build_host(places)?;
                    command
                        .env("TRIBUTARY_HOST", demo::host(places))
                        .env("TRIBUTARY_CLAP", places.plugin("clap"));
                }
            }
            process::run(&mut command)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_still_to_come_is_announced() {
        assert!(downloads(false, false, false).is_empty());
        let all = downloads(true, true, true);
        assert_eq!(all.len(), 3);
        assert!(all[2].contains("3000 MB") && all[2].contains("--no-training"), "{all:?}");
        assert_eq!(downloads(true, false, false).len(), 1);
    }
}
