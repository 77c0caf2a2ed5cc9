//! Finds and loads the ONNX Runtime library, once per process. The runtime allows one environment per process and never
//! unloads, so the first library found stays; a second engine, or a second plug-in instance, shares it. The library
//! ships beside the plug-in: its place is found through the address of a function of ours, because the host's own
//! executable says nothing about where the plug-in lies.

#![allow(unsafe_code)] // dladdr: there is no safe way to ask which file a function was loaded from.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;
use tributary_dsp::Cause;

use super::collector;
use crate::error::LibraryError;
use crate::regular_file;

/// The runtime version that ships with Tributary: the last release without a telemetry collector.
pub const RUNTIME_VERSION: &str = "1.28.0";
/// Overrides every other place.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// A loaded ONNX Runtime.
#[derive(Debug, Clone)]
pub struct OnnxLibrary {
    path: PathBuf,
    environment: Environment,
}

static LOADED: OnceLock<Result<OnnxLibrary, LibraryError>> = OnceLock::new();

impl OnnxLibrary {
    /// Loads the runtime at `explicit`, or else the first one found: `ORT_DYLIB_PATH`, the folder of this binary, its
    /// `Tributary` folder, `../Resources`, the user's cache. Only the first call of a process loads; later calls return
    /// the same library whatever they ask for. A failure is not remembered, so that a library put in place later is
    /// found. Takes up to a second; never call it on the audio or GUI thread.
    ///
    /// # Errors
    /// [`LibraryError`] with a sentence on what is missing or too old.
    pub fn find(explicit: Option<&Path>) -> Result<Self, LibraryError> {
        static GATE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one_at_a_time = GATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(Ok(library)) = LOADED.get() {
            return Ok(library.clone());
        }
        let library = load(explicit.map_or_else(locate, looked_through)?)?;
        let _ = LOADED.set(Ok(library.clone()));
        Ok(library)
    }

    /// The file in use.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// A library that does not report to its vendor, as its bytes have shown. Nothing else is loaded.
#[derive(Debug, PartialEq)]
struct PrivateLibrary(PathBuf);

fn load(PrivateLibrary(path): PrivateLibrary) -> Result<OnnxLibrary, LibraryError> {
    let unusable = |reason: Cause| LibraryError::Unusable { path: path.clone(), reason };
    let path = path.canonicalize().map_err(|e| unusable(Cause::new(e)))?;
    let environment = ort::init_from(&path)
        .map_err(|e| unusable(Cause::new(e)))?
        .with_name("tributary")
        .with_telemetry(false)
        .build()
        .map_err(|e| unusable(Cause::new(e)))?;
    // Errors come back as values; a plug-in must not write to the host's terminal.
    environment.set_log_level(ort::logging::LogLevel::Fatal);
    Ok(OnnxLibrary { path, environment })
}

/// Looks through a library's bytes; fails when it would report to its vendor. None of its code has run by then.
fn looked_through(path: &Path) -> Result<PrivateLibrary, LibraryError> {
    let unusable = |reason: Cause| LibraryError::Unusable { path: path.to_path_buf(), reason };
    let library = regular_file::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => unusable("there is no such file".into()),
        _ => unusable(Cause::new(e)),
    })?;
    if collector::is_in(library).map_err(|e| unusable(Cause::new(e)))? {
        return Err(LibraryError::Reports { path: path.to_path_buf(), version: RUNTIME_VERSION });
    }
    Ok(PrivateLibrary(path.to_path_buf()))
}

/// The first library in the usual places that keeps to itself. When all of them report to their vendor, that is what is
/// said.
fn locate() -> Result<PrivateLibrary, LibraryError> {
    if let Some(path) = std::env::var_os(LIBRARY_VARIABLE).filter(|path| !path.is_empty()) {
        return looked_through(Path::new(&path));
    }
    let mut folders = Vec::new();
    let executable = std::env::current_exe().ok();
    for binary in [own_binary(), executable].into_iter().flatten() {
        if let Some(folder) = binary.parent() {
            folders.extend([
                folder.to_path_buf(),
                folder.join("Tributary"),
                folder.join("../Resources"),
                folder.join("../Resources/Tributary"),
            ]);
        }
    }
    folders.extend(user_cache().map(|cache| cache.join(format!("tributary/onnxruntime-{RUNTIME_VERSION}"))));
    first_private(folders.iter().filter_map(|folder| library_in(folder)))
}

/// The first library that does not report to its vendor; otherwise why the first one was refused.
fn first_private(found: impl Iterator<Item = PathBuf>) -> Result<PrivateLibrary, LibraryError> {
    let mut refused = None;
    for path in found {
        match looked_through(&path) {
            Ok(library) => return Ok(library),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    Err(refused.unwrap_or_else(|| LibraryError::NotFound { file_name: preferred_file_name() }))
}

/// The library in a folder: the shipped version first, else any.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let preferred = folder.join(preferred_file_name());
    if preferred.is_file() {
        return Some(preferred);
    }
    let is_library = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("libonnxruntime.so")
            || name == "onnxruntime.dll"
            || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file() && path.file_name().is_some_and(is_library))
        .collect();
    found.sort();
    found.pop()
}

fn preferred_file_name() -> String {
    if cfg!(windows) {
        "onnxruntime.dll".into()
    } else if cfg!(target_os = "macos") {
        format!("libonnxruntime.{RUNTIME_VERSION}.dylib")
    } else {
        format!("libonnxruntime.so.{RUNTIME_VERSION}")
    }
}

fn user_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
}

/// The file this code was loaded from: the plug-in, not the host.
#[cfg(unix)]
pub fn own_binary() -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;

    /// `Dl_info` of <dlfcn.h>.
    #[repr(C)]
    struct DlInfo {
        file_name: *const c_char,
        file_base: *mut c_void,
        symbol_name: *const c_char,
        symbol_address: *mut c_void,
    }
    unsafe extern "C" {
        fn dladdr(address: *const c_void, info: *mut DlInfo) -> c_int;
    }
    let mut info = DlInfo {
        file_name: std::ptr::null(),
        file_base: std::ptr::null_mut(),
        symbol_name: std::ptr::null(),
        symbol_address: std::ptr::null_mut(),
    };
    // SAFETY: `info` is a valid Dl_info to write to; on success (non-zero) `file_name` points to a string that lives as
    // long as the binary is loaded, and we run from that binary.
    let name = unsafe {
        if dladdr(own_binary as *const c_void, &mut info) == 0 || info.file_name.is_null() {
            return None;
        }
        CStr::from_ptr(info.file_name)
    };
    PathBuf::from(OsStr::from_bytes(name.to_bytes())).canonicalize().ok()
}

/// The file this code was loaded from. Known on Unix only; elsewhere the variable or an explicit path must name the
/// library.
#[cfg(not(unix))]
pub fn own_binary() -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_reports_is_passed_over_and_named_when_there_is_no_other() {
        let folder = std::env::temp_dir().join(format!("tributary-library-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let [reporting, private] = ["reporting", "private"].map(|name| folder.join(name));
        std::fs::write(&reporting, b"\x7fELF ... N11onnxruntime14OneDsTelemetryE").unwrap();
        std::fs::write(&private, b"\x7fELF ...").unwrap();

        let both = [reporting.clone(), private.clone()];
        assert_eq!(first_private(both.into_iter()), Ok(PrivateLibrary(private)));
        let refused = first_private([reporting.clone()].into_iter()).unwrap_err();
        assert_eq!(refused, LibraryError::Reports { path: reporting.clone(), version: RUNTIME_VERSION });
        let sentence = looked_through(&reporting).unwrap_err().to_string();
        assert!(sentence.contains("reports") && sentence.contains(RUNTIME_VERSION), "{sentence}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
