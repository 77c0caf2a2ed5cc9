//! Where Ardour is: the programs that work without a window are in a folder of its own, outside `PATH`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;

/// Where Debian has the one major version that the session script is written for.
pub const FOLDER: &str = "/usr/lib/ardour7";

/// An installed Ardour.
pub struct Ardour {
    /// Where its programs are.
    pub folder: PathBuf,
    /// Its version, as its main program's name says it.
    pub version: String,
}

/// Ardour, when all the programs that an export without a window needs are there.
///
/// # Errors
/// When one is missing; the sentence says which.
pub fn find(folder: &Path) -> Result<Ardour> {
    let programs =
        fs::read_dir(folder).with_context(|| format!("Ardour 7 is not in {}", folder.display()))?;
    let names: Vec<String> =
        programs.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    for needed in ["luasession", "ardour-vst3-scanner"] {
        if !names.iter().any(|name| name == needed) {
            bail!("{} has no {needed}", folder.display());
        }
    }
    let exporter = format!("{}-export", folder.file_name().unwrap_or_default().to_string_lossy());
    process::on_path(&exporter).with_context(|| format!("{exporter} is not on PATH"))?;
    let numbered = |name: &&String| {
        name.strip_prefix("ardour-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let version = names.iter().find(numbered).map_or("7", |name| &name["ardour-".len()..]);
    // Debian marks a source without its foreign parts.
    Ok(Ardour { folder: folder.into(), version: version.replace("~ds0", "") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{self, Scratch};

    #[test]
    fn what_is_missing_is_named() {
        let scratch = Scratch::new();
        let said = |folder: &Path| format!("{:#}", find(folder).map(|found| found.version).unwrap_err());
        assert!(said(&scratch.0.join("nowhere")).contains("Ardour 7 is not in"));
        assert!(said(&scratch.0).contains("luasession"));
        for name in ["luasession", "ardour-vst3-scanner"] {
            files::write(&scratch.0.join(name), "").unwrap();
        }
        assert!(said(&scratch.0).contains("-export is not on PATH"));
    }
}
