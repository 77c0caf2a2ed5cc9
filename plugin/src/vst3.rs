//! The VST3 plug-in, exported by hand, and what the framework's wrapper leaves out or gets wrong.
//!
//! The factory (`factory.rs`) hands out the framework's own object with some entries of its tables replaced
//! (`instance.rs`); everything else is the framework's. Of its faults these are mended:
//!
//! - It bounds its loop over auxiliary *inputs* by the number of *outputs* (upstream issue nih-plug #212): of four
//!   sidechains only the first arrives, and with fewer buses than it expects it reads past the host's array.
//! - It takes the offline flag from the previous `setupProcessing`.
//! - It forgets what a host sets while processing, until a block brings it (`held.rs`).
//! - It asks for a restart after each activation with another latency, and cannot say that the project has changed
//!   (`handler.rs`).
//! - It has no presets (`presets.rs`).
//! - It takes a size below the minimum (`view.rs`), and reads a value's text to the letter (`controller.rs`).
#![allow(unsafe_code)] // Entry points and table entries are raw pointers by definition.
#![allow(non_snake_case)]

mod component;
mod controller;
mod factory;
mod handler;
mod held;
mod instance;
mod module_info;
mod presets;
mod processor;
mod view;

pub use module_info::module_info;
pub use presets::preset_files;

use crate::Tributary;
use std::ffi::c_void;

/// Called by the host after loading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
pub extern "C" fn ModuleEntry(_library: *mut c_void) -> bool {
    nice_plug::wrapper::setup_logger::<Tributary>();
    true
}

/// Called by the host before unloading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
pub extern "C" fn ModuleExit() -> bool {
    true
}

/// Called by the host after loading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "macos")]
pub extern "C" fn bundleEntry(_library: *mut c_void) -> bool {
    nice_plug::wrapper::setup_logger::<Tributary>();
    true
}

/// Called by the host before unloading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "macos")]
pub extern "C" fn bundleExit() -> bool {
    true
}

/// Called by the host after loading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "windows")]
pub extern "system" fn InitDll() -> bool {
    nice_plug::wrapper::setup_logger::<Tributary>();
    true
}

/// Called by the host before unloading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "windows")]
pub extern "system" fn ExitDll() -> bool {
    true
}

#[cfg(test)]
mod tests;
