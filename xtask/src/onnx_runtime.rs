//! ONNX Runtime: fetched once through pip, checked against a pin, kept in the user's cache.
//!
//! The wheel of the `onnxruntime` package holds the C library that the plug-in loads; it is the same file in the wheels
//! for every Python version, so one wheel per platform is named and the user's Python does not matter.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::files::{self, Lock};
use crate::places::Places;
use crate::process;
use crate::python;

/// The version that the plug-in is built and tested with: the last one without a telemetry collector. From 1.29 on the
/// wheels write a device id and look up their vendor's event server as soon as an environment is made.
pub const VERSION: &str = "1.28.0";

/// About what the wheel weighs.
pub const DOWNLOAD_MB: u32 = 24;

/// The notices that ship with the library.
pub const NOTICES: [&str; 2] = ["LICENSE", "ThirdPartyNotices.txt"];

/// The wheel of one release for one platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheel {
    /// The release.
    version: &'static str,
    /// The platform's tag in the wheel's name.
    tag: &'static str,
    /// The library's file name.
    pub library: &'static str,
    /// The library's SHA-256.
    sha256: &'static str,
}

/// The wheel for an operating system and a processor, by Rust's names for them. Only the first is tested.
pub fn wheel(system: &str, processor: &str) -> Result<Wheel> {
    let (tag, library, sha256) = match (system, processor) {
        ("linux", "x86_64") => (
            "manylinux_2_28_x86_64",
            "libonnxruntime.so.1.28.0",
            "aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083",
        ),
        ("linux", "aarch64") => (
            "manylinux_2_28_aarch64",
            "libonnxruntime.so.1.28.0",
            "23a37c2994bc273e1d59a4f49af6cba5bf1cfbc29f04907ec27df375aba50a7d",
        ),
        ("macos", "aarch64") => (
            "macosx_14_0_arm64",
            "libonnxruntime.1.28.0.dylib",
            "cadd9517e089d197e5d381bc31813875eb8addce8712bac501645fea8008800c",
        ),
        ("windows", "x86_64") => (
            "win_amd64",
            "onnxruntime.dll",
            "3d6bd02dc137b9a1dfdac045a52b147ffb920bb06ab812b08fc8e14279859855",
        ),
        _ => bail!("there is no ONNX Runtime {VERSION} package for {system} on {processor}"),
    };
    Ok(Wheel { version: VERSION, tag, library, sha256 })
}

/// A release with the telemetry collector. It is never shipped and never loaded by the plug-in: a test sees it leave
/// traces, which proves that the test would notice some.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const REPORTING: Wheel = Wheel {
    version: "1.31.1",
    tag: "manylinux_2_28_x86_64",
    library: "libonnxruntime.so.1.31.1",
    sha256: "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
};

/// The wheel for the machine that this runs on.
pub fn wheel_here() -> Result<Wheel> {
    wheel(std::env::consts::OS, std::env::consts::ARCH)
}

/// The folder in the cache that holds the library and its notices.
pub fn folder(places: &Places) -> PathBuf {
    folder_of(places, VERSION)
}

fn folder_of(places: &Places, version: &str) -> PathBuf {
    places.cache.join(format!("onnxruntime-{version}"))
}

/// The library's path in the cache.
pub fn library(places: &Places) -> Result<PathBuf> {
    Ok(folder(places).join(wheel_here()?.library))
}

/// Whether the cache holds the library, unchanged, and its notices.
pub fn is_there(places: &Places) -> bool {
    wheel_here().is_ok_and(|wheel| is_valid(&folder(places), &wheel))
}

fn is_valid(folder: &Path, wheel: &Wheel) -> bool {
    NOTICES.iter().all(|name| folder.join(name).is_file())
        && files::sha256(&folder.join(wheel.library)).is_ok_and(|digest| digest == wheel.sha256)
}

/// Makes sure that the cache holds the library; downloads it when it does not.
pub fn provide(places: &Places) -> Result<()> {
    provide_wheel(places, &wheel_here()?)
}

/// Makes sure that the cache holds the release with the collector, for the test's control, and says where.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn provide_reporting(places: &Places) -> Result<PathBuf> {
    provide_wheel(places, &REPORTING)?;
    Ok(folder_of(places, REPORTING.version).join(REPORTING.library))
}

/// There is a pinned control for one platform only.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn provide_reporting(_places: &Places) -> Result<PathBuf> {
    bail!("no release with the telemetry collector is pinned for this platform")
}

fn provide_wheel(places: &Places, wheel: &Wheel) -> Result<()> {
    let (version, folder) = (wheel.version, folder_of(places, wheel.version));
    let _lock = Lock::beside(&folder)?;
    if is_valid(&folder, wheel) {
        println!("in the cache: {}", folder.display());
        return Ok(());
    }
    println!("downloading ONNX Runtime {version}, about {DOWNLOAD_MB} MB");
    let partial = files::suffixed(&folder, ".partial");
    files::remove(&partial)?;
    files::create_folder(&partial)?;
    let fetched = fetch(&partial, wheel).and_then(|finished| files::put(&finished, &folder));
    files::remove(&partial)?;
    fetched?;
    println!("put into {}", folder.display());
    Ok(())
}

/// Downloads and unpacks below `scratch`; returns the folder that is ready to be moved into place.
fn fetch(scratch: &Path, wheel: &Wheel) -> Result<PathBuf> {
    let downloads = scratch.join("download");
    process::run(
        python::pip(&scratch.join("pip"))?
            .args(["download", "--quiet", "--no-deps", "--only-binary=:all:"])
            .args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312"])
            .args(["--platform", wheel.tag, "--dest"])
            .arg(&downloads)
            .arg(format!("onnxruntime=={}", wheel.version)),
    )
    .with_context(|| {
        format!(
            "pip cannot download ONNX Runtime {}; see what it says above (is this machine offline?)",
            wheel.version
        )
    })?;
    let finished = scratch.join("finished");
    unpack(&downloads, &finished, wheel).context("cannot unpack the wheel of ONNX Runtime")?;
    let digest = files::sha256(&finished.join(wheel.library))?;
    if digest != wheel.sha256 {
        bail!(
            "the downloaded {} is not the pinned one (SHA-256 {digest}, expected {}); nothing was installed",
            wheel.library,
            wheel.sha256
        );
    }
    Ok(finished)
}

/// Takes the library and its notices out of the one wheel in `downloads`. A wheel is a zip archive, and Python, which
/// is needed anyway, reads those.
fn unpack(downloads: &Path, finished: &Path, wheel: &Wheel) -> Result<()> {
    const UNPACK: &str = "
import pathlib, shutil, sys, zipfile
downloads, finished, *members = sys.argv[1:]
[wheel] = pathlib.Path(downloads).glob('*.whl')
folder = pathlib.Path(finished)
folder.mkdir(parents=True)
with zipfile.ZipFile(wheel) as archive:
    for member in members:
        with archive.open(member) as source, open(folder / member.rsplit('/', 1)[-1], 'wb') as copy:
            shutil.copyfileobj(source, copy)
";
    let members = NOTICES.iter().map(|name| format!("onnxruntime/{name}"));
    let library = format!("onnxruntime/capi/{}", wheel.library);
    process::capture(
        python::python().args(["-c", UNPACK]).arg(downloads).arg(finished).args(members).arg(library),
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_own_pin() {
        let platforms =
            [("linux", "x86_64"), ("linux", "aarch64"), ("macos", "aarch64"), ("windows", "x86_64")];
        let mut pins: Vec<&str> = platforms.iter().map(|(s, p)| wheel(s, p).unwrap().sha256).collect();
        assert!(pins.iter().all(|pin| pin.len() == 64 && pin.chars().all(|c| c.is_ascii_hexdigit())));
        pins.sort_unstable();
        pins.dedup();
        assert_eq!(pins.len(), platforms.len());
    }

    #[test]
    fn an_unknown_platform_is_named() {
        let error = wheel("plan9", "mips").unwrap_err().to_string();
        assert!(error.contains("plan9") && error.contains("mips"), "{error}");
    }

    #[test]
    fn a_changed_or_incomplete_copy_is_not_valid() {
        let scratch = files::Scratch::new();
        // FIPS 180-2, appendix B.1: the digest of "abc".
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let wheel = Wheel { version: "0", tag: "any", library: "library.so", sha256 };
        files::write(&scratch.0.join("library.so"), "abc").unwrap();
        assert!(!is_valid(&scratch.0, &wheel), "the notices are missing");
        for name in NOTICES {
            files::write(&scratch.0.join(name), "notice").unwrap();
        }
        assert!(is_valid(&scratch.0, &wheel));
        files::write(&scratch.0.join("library.so"), "abd").unwrap();
        assert!(!is_valid(&scratch.0, &wheel), "the library was changed");
    }
}
