//! `cargo xtask validate`: the package and the bundles in hosts that other people wrote, as far as they are here.
//!
//! Not part of the tests: it fetches hosts from the Python registry and uses what the system has. Every mix is compared
//! with the command line's, sample for sample. What was not tried is said with the reason, and one table of all of it, with
//! versions, can be recorded in `docs/hosts.md`.

mod ardour;
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::demo;
use crate::files;
use crate::package;
use crate::places::Places;
use crate::process;
use crate::python::VirtualEnvironment;
use crate::steps::Steps;
use crate::validators;

use report::{Report, Row};

/// What can be said on the command line.
#[derive(Args)]
pub struct ValidateArguments {
    /// Write the table of results into docs/hosts.md
    #[arg(long)]
    record: bool,
}

/// About what DawDreamer, pedalboard and their companions weigh.
const DOWNLOAD_MB: u32 = 150;

/// The script of the clean root.
const CLEAN_ROOT: &str = include_str!("validate/clean_root.sh");

/// Namespaces of its own for one command: a root that may mount, and no network.
const UNSHARE: [&str; 4] = ["--user", "--map-root-user", "--mount", "--net"];

/// What a host is tried with.
struct Bench<'a> {
    places: &'a Places,
    /// A folder for mixes.
    out: PathBuf,
    /// Python with DawDreamer and pedalboard, where it could be built.
    python: Option<VirtualEnvironment>,
    /// The command line's mix of the demo song, which every host must make.
    expected: PathBuf,
    steps: Steps,
    report: Report,
}

/// Packs, then tries every host that is here.
pub fn run(places: &Places, arguments: &ValidateArguments) -> Result<()> {
    announce(places);
    let mut steps = Steps::default();
    let archive = package::prepare(places, &mut steps)?;
    steps.required("build the host program", || demo::build_host(places))?;
    let out = places.target.join("validate");
    files::remove(&out)?;
    files::create_folder(&out)?;
    let expected = out.join("command-line.wav");
    steps.required("mix with the command line", || mix_with_command_line(places, &expected))?;
    let python = hosts(places, &mut steps);
    let mut bench = Bench { places, out, python, expected, steps, report: Report::default() };
    bench.own_host();
    bench.validators();
    bench.dawdreamer();
    bench.pedalboard();
    bench.ardour();
    bench.clean_root(&archive);
    println!("\n{}", bench.report.table());
    if arguments.record {
        let page = places.root.join("docs").join("hosts.md");
        bench.steps.checked("record", || bench.report.record(&page));
    }
    bench.steps.finish()
}

fn announce(places: &Places) {
    println!(
        "Installs: DawDreamer, pedalboard, NumPy and soundfile from the Python registry, about {DOWNLOAD_MB} MB, into an \
         environment in {}.",
        places.cache.display()
    );
    println!(
        "Uses what is here and installs nothing of it: Ardour 7, clap-validator, Steinberg's validator, pluginval, unshare."
    );
}

/// The song that everything is tried with.
fn song(places: &Places) -> PathBuf {
    places.root.join("assets").join("demo")
}

/// A script that drives a host.
fn script(places: &Places, name: &str) -> PathBuf {
    places.root.join("tests").join("hosts").join(name)
}

/// The bundled program mixes as the live plug-in does.
fn mix_with_command_line(places: &Places, out: &Path) -> Result<()> {
    let mut command = Command::new(places.bundled().join("Tributary").join("tributary"));
    command.arg("mix").arg(song(places)).args(["--profile", "adaptive", "-o"]).arg(out);
    process::run(demo::alone(places, &mut command))
}

fn hosts(places: &Places, steps: &mut Steps) -> Option<VirtualEnvironment> {
    let mut built = None;
    steps.checked("Python hosts: environment", || {
        let environment = VirtualEnvironment::of(places, &script(places, "requirements.lock"))?;
        environment.build()?;
        built = Some(environment);
        Ok(())
    });
    built
}

impl Bench<'_> {
    /// Runs one trial as a step and notes how it ended: what it returns, or why it failed.
    fn tried(&mut self, host: &str, version: &str, what: &str, work: impl FnOnce(&Self) -> Result<String>) {
        let mut steps = std::mem::take(&mut self.steps);
        let mut row = None;
        steps.checked(&format!("{host}: {what}"), || {
            let ended = work(self);
            row = Some(Row::new(host, version, what, ended.as_ref().map(String::as_str)));
            ended.map(|said| println!("{said}"))
        });
        self.steps = steps;
        self.report.rows.extend(row);
    }

    /// Notes what is not tried here, and why.
    fn not_tried(&mut self, host: &str, what: &str, why: &str) {
        self.steps.skip(host, why);
        self.report.rows.push(Row::not_tried(host, what, why));
    }

    /// One of the scripts in Python; what it printed.
    fn python(&self, name: &str, arguments: &[&Path]) -> Result<String> {
        let environment = self.python.as_ref().context("there is no environment")?;
        let mut command = environment.python();
        command.arg(script(self.places, name)).args(arguments);
        Ok(process::capture(demo::alone(self.places, &mut command))?.trim().to_owned())
    }

    /// Whether a mix is the command line's; in words.
    fn compared(&self, mix: &Path) -> Result<String> {
        self.python("compare.py", &[&self.expected, mix])
    }

    fn version_of(&self, package: &str) -> String {
        let code = format!("import importlib.metadata as m; print(m.version('{package}'))");
        let asked = self.python.as_ref().map(|python| process::capture(python.python().args(["-c", &code])));
        asked.and_then(Result::ok).unwrap_or_default().trim().to_owned()
    }

    /// Our own small host, built on clack.
    fn own_host(&mut self) {
        let mix = self.out.join("clap-host.wav");
        self.tried(
            "own CLAP host",
            env!("CARGO_PKG_VERSION"),
            "bounce, four sidechains, against the command line",
            |b| {
                let mut command = Command::new(demo::host(b.places));
                command.arg("--clap").arg(b.places.plugin("clap"));
                command.arg("--stems").arg(song(b.places)).arg("--out").arg(&mix);
                process::run(demo::alone(b.places, &mut command))?;
                b.compared(&mix)
            },
        );
    }

    fn validators(&mut self) {
        for validator in &validators::ALL {
            let what = format!("its own tests of the {}", validator.ending.to_uppercase());
            match validator.find() {
                Some(path) => {
                    let said = process::capture(Command::new(path).arg("--version")).unwrap_or_default();
                    let version = said.lines().next().unwrap_or_default().to_owned();
                    self.tried(validator.program, &version, &what, |b| {
                        validator.run(b.places).map(|()| "no failure".into())
                    });
                }
                None => self.not_tried(validator.program, &what, "not on PATH"),
            }
        }
    }

    /// The VST3 alone, and with the CLAP in the same process: the installation makes one file of the two.
    fn dawdreamer(&mut self) {
        let version = self.version_of("dawdreamer");
        let [alone, together] = ["alone", "with-clap"].map(|n| self.out.join(format!("dawdreamer-{n}.wav")));
        let clap = self.places.plugin("clap");
        let trials: [(&str, &PathBuf, &[&Path]); 2] = [
            ("VST3, four sidechains, against the command line", &alone, &[]),
            ("the same with the CLAP loaded in one process", &together, &[&clap]),
        ];
        for (what, mix, more) in trials {
            self.tried("DawDreamer", &version, what, |b| {
                let vst3 = b.places.plugin("vst3");
                let song = song(b.places);
                let arguments: Vec<&Path> =
                    [&*vst3, &*song, mix].into_iter().chain(more.iter().copied()).collect();
                b.python("dawdreamer_mix.py", &arguments)?;
                b.compared(mix)
            });
        }
    }

    fn pedalboard(&mut self) {
        let version = self.version_of("pedalboard");
        self.tried("pedalboard", &version, "VST3, main input only, Mix at 0 %", |b| {
            b.python("pedalboard_dry.py", &[&b.places.plugin("vst3")])
        });
    }

    /// Four tracks into four sidechains, exported twice.
    fn ardour(&mut self) {
        let what = "VST3, four tracks into four sidechains, exported twice, against the command line";
        let ardour = match ardour::find(Path::new(ardour::FOLDER)) {
            Ok(ardour) => ardour,
            Err(why) => return self.not_tried("Ardour", what, &format!("{why:#}")),
        };
        self.tried("Ardour", &ardour.version, what, |b| {
            let mut said = String::new();
            for number in ["first", "second"] {
                let mix = b.out.join(format!("ardour-{number}.wav"));
                let (vst3, song) = (b.places.plugin("vst3"), song(b.places));
                b.python("ardour_export.py", &[&ardour.folder, &vst3, &song, &mix])?;
                said = b.compared(&mix).with_context(|| format!("the {number} export"))?;
            }
            Ok(format!("both {said}"))
        });
    }

    /// The package on a machine that has never seen Tributary.
    fn clean_root(&mut self, archive: &Path) {
        let (host, what) =
            ("clean root", "install twice, mix, the installed CLAP in the own host, uninstall");
        if !process::succeeds(Command::new("unshare").args(UNSHARE).arg("true")) {
            return self.not_tried(host, what, "this system gives no user and mount namespaces (`unshare`)");
        }
        if process::on_path("zstd").is_none() {
            return self.not_tried(host, what, "zstd, which tar unpacks with, is not on PATH");
        }
        self.tried(host, &report::system(), what, |b| {
            let (script, folder) = (b.out.join("clean_root.sh"), b.out.join("root"));
            files::write(&script, CLEAN_ROOT)?;
            files::create_folder(&folder)?;
            let mut command = Command::new("unshare");
            command.args(UNSHARE).arg("sh").arg(script).arg(&folder).arg(archive);
            process::run(command.arg(demo::host(b.places)).arg(song(b.places)))?;
            Ok("both mixes equal to the bit; nothing left in the home".into())
        });
    }
}
