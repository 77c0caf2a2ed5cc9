//! Where the built plug-ins are, and copies of them with other contents.
//!
//! Tests run against what is shipped: the folder that `cargo xtask bundle` fills. A test that needs another model, or a
//! broken one, stages a copy of the `.clap` with that content beside it – so the plug-in's own way of finding its parts
//! is under test as well. Stands apart because it is about files, not about sound.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// The CLAP identifier of the plug-in.
pub const CLAP_ID: &str = "audio.tributary.mix";

/// The folder with the built bundles: `$TRIBUTARY_BUNDLED`, else `target/bundled` of the workspace.
#[must_use]
pub fn bundled_folder() -> PathBuf {
    std::env::var_os("TRIBUTARY_BUNDLED")
        .map_or_else(|| workspace_folder().join("target/bundled"), PathBuf::from)
}

/// The root of the workspace.
#[must_use]
pub fn workspace_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder of a committed model bundle.
#[must_use]
pub fn model_folder(name: &str) -> PathBuf {
    workspace_folder().join("assets/models").join(name)
}

/// The built CLAP, or `None` and a loud line on the terminal. `cargo xtask test` always bundles first.
#[must_use]
pub fn built_clap() -> Option<PathBuf> {
    built("Tributary.clap")
}

/// The built VST3, or `None` and a loud line on the terminal.
#[must_use]
pub fn built_vst3() -> Option<PathBuf> {
    built("Tributary.vst3")
}

/// Whoever names a folder promises that the bundles are in it; then their absence is a failure.
fn built(name: &str) -> Option<PathBuf> {
    let path = bundled_folder().join(name);
    let promised = std::env::var_os("TRIBUTARY_BUNDLED").is_some();
    assert!(path.exists() || !promised, "TRIBUTARY_BUNDLED is set, but {} is absent", path.display());
    present_or_skipped(path)
}

/// The ONNX Runtime that ships beside the built CLAP.
#[must_use]
pub fn bundled_runtime() -> Option<PathBuf> {
    let entries = std::fs::read_dir(bundled_folder().join("Tributary")).ok()?;
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    files
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("onnxruntime")))
}

/// `path` if it exists; else says that a test is skipped for want of it.
#[must_use]
pub fn present_or_skipped(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("{} absent", path.display()));
    None
}

/// Says on the terminal that something is not tested. Goes past the test harness, which would swallow `eprintln!`.
pub fn skipped(reason: &str) {
    // A terminal that cannot be written to must not fail a test.
    let _ = std::io::stderr().write_all(format!("\nSKIPPED: {reason}\n").as_bytes());
}

/// What stands beside a staged plug-in in the place of its model.
#[derive(Clone, Debug)]
pub enum StagedModel {
    /// A copy of this folder, to be altered by the test.
    CopyOf(PathBuf),
    /// No model at all.
    Absent,
}

/// A copy of the built CLAP in a folder of its own, removed when dropped.
///
/// Each copy is a library of its own to the loader, so tests with different surroundings do not meet in one process.
pub struct StagedClap {
    folder: PathBuf,
}

impl StagedClap {
    /// Copies the built CLAP at `clap` with its runtime, and puts `model` in the place of the default model.
    ///
    /// # Errors
    /// When a file cannot be copied.
    pub fn new(clap: &Path, model: &StagedModel, with_runtime: bool) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tributary-staged-{}-{number}", std::process::id()));
        let staged = Self { folder };
        std::fs::create_dir_all(staged.parts_folder())?;
        std::fs::copy(clap, staged.clap()).with_context(|| format!("{} cannot be copied", clap.display()))?;
        if with_runtime {
            staged.copy_runtime(&clap.with_file_name("Tributary"))?;
        }
        if let StagedModel::CopyOf(source) = model {
            copy_folder(source, &staged.model_folder())?;
        }
        Ok(staged)
    }

    /// The staged `.clap`.
    #[must_use]
    pub fn clap(&self) -> PathBuf {
        self.folder.join("Tributary.clap")
    }

    /// The folder beside it that holds runtime and models.
    #[must_use]
    pub fn parts_folder(&self) -> PathBuf {
        self.folder.join("Tributary")
    }

    /// The folder of the model that the staged plug-in finds.
    #[must_use]
    pub fn model_folder(&self) -> PathBuf {
        self.parts_folder().join("models/default")
    }

    fn copy_runtime(&self, parts: &Path) -> Result<()> {
        let entries =
            std::fs::read_dir(parts).with_context(|| format!("{} cannot be read", parts.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            let to = self.parts_folder().join(entry.file_name());
            // A link is enough: the runtime is large and nobody alters it.
            if std::fs::hard_link(entry.path(), &to).is_err() {
                std::fs::copy(entry.path(), &to)?;
            }
        }
        Ok(())
    }
}

impl Drop for StagedClap {
    fn drop(&mut self) {
        // A leftover in the temporary folder does no harm, and a failure here must not hide the test's own result.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Copies a folder with all that is in it.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let entries = std::fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
