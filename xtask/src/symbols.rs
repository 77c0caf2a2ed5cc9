//! Debug information apart from what ships: three quarters of a binary tell line numbers to debuggers, and nothing to hosts.
//!
//! Linux alone is handled, with the `objcopy` that comes with the Rust compiler, or the system's; elsewhere the binary
//! ships as the linker left it. The binary names its debug file and that file's checksum, so that a debugger which finds
//! the two in one folder reads a crash of the shipped binary as well as one of an unstripped build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::files;
use crate::process;

/// Splits `binary` into what ships, called `name` and returned, and what a debugger wants beside it, both in `folder`.
///
/// # Errors
/// When `objcopy` cannot be found or fails, or a file cannot be written.
pub fn split(binary: &Path, name: &str, folder: &Path) -> Result<PathBuf> {
    if !cfg!(target_os = "linux") {
        return Ok(binary.into());
    }
    let objcopy = objcopy()?;
    files::create_folder(folder)?;
    let (shipped, debug) = (folder.join(name), folder.join(format!("{name}.debug")));
    let partial = files::suffixed(&shipped, ".partial");
    let mut copied = Command::new(&objcopy);
    process::capture(copied.arg("--only-keep-debug").arg(binary).arg(&debug))?;
    // The link's checksum is of the debug file as it is now: it is written first.
    let mut link = std::ffi::OsString::from("--add-gnu-debuglink=");
    link.push(&debug);
    let mut stripped = Command::new(&objcopy);
    process::capture(stripped.arg("--strip-all").arg(link).arg(binary).arg(&partial))?;
    fs::rename(&partial, &shipped).with_context(|| format!("cannot write {}", shipped.display()))?;
    // The part that `split-debuginfo = "packed"` keeps out of the binary.
    let package = files::suffixed(binary, ".dwp");
    if package.is_file() {
        files::link_or_copy(&package, &folder.join(format!("{name}.dwp")))?;
    }
    Ok(shipped)
}

/// The `objcopy` of the Rust compiler, else the system's.
fn objcopy() -> Result<PathBuf> {
    let sysroot = process::capture(Command::new("rustc").args(["--print", "sysroot"]))?;
    let platforms = Path::new(sysroot.trim()).join("lib").join("rustlib");
    let rusts = fs::read_dir(platforms)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin").join(format!("rust-objcopy{}", env::consts::EXE_SUFFIX)));
    let mut rusts: Vec<PathBuf> = rusts.filter(|program| program.is_file()).collect();
    rusts.sort();
    rusts.into_iter().next().or_else(|| process::on_path("objcopy")).context(
        "debug information cannot be split off: neither the Rust compiler brings `rust-objcopy`, nor is `objcopy` \
         (Debian: binutils) on PATH",
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::files::Scratch;

    #[test]
    fn what_ships_is_smaller_runs_and_names_its_debug_file() {
        let scratch = Scratch::new();
        let whole = env::current_exe().unwrap();
        let shipped = split(&whole, "program", &scratch.0).unwrap();
        let size = |path: &Path| path.metadata().unwrap().len();
        assert!(size(&shipped) * 2 < size(&whole), "little was split off");
        let said = process::capture(Command::new(&shipped).arg("--list")).unwrap();
        assert!(said.contains("names_its_debug_file"), "{said}");
        let bytes = fs::read(&shipped).unwrap();
        let named = bytes.windows(13).any(|window| window == b"program.debug");
        assert!(named && size(&scratch.0.join("program.debug")) > 0);
    }

    #[test]
    fn a_file_that_is_no_binary_is_an_error() {
        let scratch = Scratch::new();
        files::write(&scratch.0.join("text"), "no binary").unwrap();
        assert!(split(&scratch.0.join("text"), "shipped", &scratch.0.join("folder")).is_err());
    }
}
