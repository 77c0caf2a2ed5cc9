//! What the operating system must provide, found by trying it, not by asking for package names.
//!
//! Rust and its C linker are there, or this program would not have been built. The plug-in itself needs no development
//! packages: it opens X11 and OpenGL at run time. What is left is Python, and the libraries that the Python hosts load.
//! A Debian-like system gets what is missing through apt-get where that needs no password; nothing here ever asks.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::python;

/// One thing that must be there.
pub struct Need {
    /// What it is, in a few words.
    what: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    works: fn() -> bool,
}

/// What `demo`, `bundle` and `install` need: a pip that can fetch ONNX Runtime.
pub const TO_BUILD: &[Need] = &[
    Need { what: "Python 3", package: "python3", works: python::is_there },
    Need { what: "pip or venv for Python 3", package: "python3-venv", works: python::has_pip_or_venv },
];

const VENV: Need = Need { what: "venv for Python 3", package: "python3-venv", works: python::has_venv };

/// What `train` needs besides.
pub const TO_TRAIN: &[Need] = &[VENV];

/// What configurations with sampled songs need besides, from Debian 12 (`model-export/crafx2/songs/sources.py` knows the
/// files by their checksums).
pub const TO_SAMPLE: &[Need] = &[
    Need {
        what: "FluidSynth 2",
        package: "libfluidsynth3",
        works: || python::can_load("libfluidsynth.so.3"),
    },
    Need {
        what: "FluidR3 GM",
        package: "fluid-soundfont-gm",
        works: || Path::new("/usr/share/sounds/sf2/FluidR3_GM.sf2").is_file(),
    },
    Need {
        what: "MuseScore General",
        package: "musescore-general-soundfont",
        works: || Path::new("/usr/share/sounds/sf3/MuseScore_General_Full.sf3").is_file(),
    },
    Need {
        what: "one-shots of Sonic Pi",
        package: "sonic-pi-samples",
        works: || Path::new("/usr/share/sonic-pi/samples").is_dir(),
    },
    Need {
        what: "the music of Freedoom",
        package: "freedoom",
        works: || Path::new("/usr/share/games/doom/freedoom2.wad").is_file(),
    },
];

/// What `test` needs besides: virtual environments, and the libraries that DawDreamer links.
pub const TO_TEST: &[Need] = &[
    VENV,
    Need { what: "libGL.so.1", package: "libgl1", works: || python::can_load("libGL.so.1") },
    Need { what: "libX11.so.6", package: "libx11-6", works: || python::can_load("libX11.so.6") },
    Need {
        what: "libglib-2.0.so.0",
        package: "libglib2.0-0",
        works: || python::can_load("libglib-2.0.so.0"),
    },
    Need { what: "libstdc++.so.6", package: "libstdc++6", works: || python::can_load("libstdc++.so.6") },
];

/// What the browser test of `listen` needs besides. Tests run without it; that is reported.
pub const TO_BROWSE: &[Need] = &[
    Need { what: "Chromium", package: "chromium", works: || process::on_path("chromium").is_some() },
    Need {
        what: "chromedriver",
        package: "chromium-driver",
        works: || process::on_path("chromedriver").is_some(),
    },
];

/// How packages can be installed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    /// apt-get as root.
    Apt,
    /// apt-get through a sudo that asks for no password.
    SudoApt,
    /// apt-get, but only after a password that we do not ask for.
    AptByHand,
    /// No apt-get.
    Unknown,
}

impl Installer {
    fn find() -> Self {
        if process::on_path("apt-get").is_none() {
            return Self::Unknown;
        }
        if process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
            return Self::Apt;
        }
        let sudo = process::on_path("sudo").is_some();
        if sudo && process::succeeds(Command::new("sudo").args(["-n", "true"])) {
            Self::SudoApt
        } else {
            Self::AptByHand
        }
    }
}

/// Makes sure that all of `needs` are met: installs what is missing, or says which line does.
pub fn provide(needs: &[Need]) -> Result<()> {
    let missing = unmet(needs);
    if missing.is_empty() {
        println!("all there: {}", list(needs.iter().map(|need| need.what)));
        return Ok(());
    }
    println!("missing: {}", list(missing.iter().map(|need| need.what)));
    let installer = Installer::find();
    if let Some(advice) = advice(installer, &missing) {
        bail!(advice);
    }
    apt_get(installer, &["update", "--quiet"])?;
    let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    install.extend(packages(&missing));
    apt_get(installer, &install)?;
    let still: Vec<&Need> = unmet(needs);
    if !still.is_empty() {
        bail!(
            "the packages {} are installed, yet this is still missing: {}. If the first python3 on PATH is not the \
             system's own, install it there or put the system's first",
            packages(&still).join(" "),
            list(still.iter().map(|need| need.what)),
        );
    }
    Ok(())
}

/// Whether all of `needs` are met already.
pub fn is_there(needs: &[Need]) -> bool {
    unmet(needs).is_empty()
}

fn unmet(needs: &[Need]) -> Vec<&Need> {
    needs.iter().filter(|need| !(need.works)()).collect()
}

/// What a person must do by hand, or nothing when `installer` can act by itself.
fn advice(installer: Installer, missing: &[&Need]) -> Option<String> {
    match installer {
        Installer::Apt | Installer::SudoApt => None,
        Installer::AptByHand => Some(format!(
            "system packages are missing. This line installs them; then run the command again:\n\n    \
             sudo apt-get update && sudo apt-get install --no-install-recommends {}\n",
            packages(missing).join(" ")
        )),
        Installer::Unknown => Some(format!(
            "these are missing: {}. This system has no apt-get; install what provides them (on Debian the packages \
             are called: {}) and run the command again",
            list(missing.iter().map(|need| need.what)),
            packages(missing).join(" ")
        )),
    }
}

fn packages(needs: &[&Need]) -> Vec<&'static str> {
    let mut names: Vec<&str> = needs.iter().map(|need| need.package).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// Runs apt-get so that it never asks, and waits a while for another apt-get to end.
fn apt_get(installer: Installer, arguments: &[&str]) -> Result<()> {
    let mut command = match installer {
        Installer::SudoApt => {
            let mut command = Command::new("sudo");
            command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            command
        }
        _ => Command::new("apt-get"),
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=120"]).args(arguments);
    process::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: &[Need] = &[
        Need { what: "one", package: "package-b", works: || false },
        Need { what: "two", package: "package-a", works: || true },
        Need { what: "three", package: "package-a", works: || false },
        Need { what: "four", package: "package-a", works: || false },
    ];

    #[test]
    fn only_what_does_not_work_is_missing_and_packages_come_once() {
        let missing = unmet(NEEDS);
        assert_eq!(list(missing.iter().map(|need| need.what)), "one, three, four");
        assert_eq!(packages(&missing), ["package-a", "package-b"]);
    }

    #[test]
    fn without_rights_the_line_to_type_is_given() {
        let advice = advice(Installer::AptByHand, &unmet(NEEDS)).unwrap();
        assert!(advice.contains("apt-get install --no-install-recommends package-a package-b"), "{advice}");
    }

    #[test]
    fn elsewhere_the_needs_are_named() {
        let advice = advice(Installer::Unknown, &unmet(NEEDS)).unwrap();
        assert!(advice.contains("one, three, four") && advice.contains("no apt-get"), "{advice}");
    }

    #[test]
    fn with_rights_nothing_is_asked_of_the_person() {
        assert_eq!(advice(Installer::Apt, &unmet(NEEDS)), None);
        assert_eq!(advice(Installer::SudoApt, &unmet(NEEDS)), None);
    }
}
