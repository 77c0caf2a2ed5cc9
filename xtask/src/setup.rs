//! `cargo xtask setup`: what every other command does first.
//!
//! System packages are checked and, where that needs no password, installed; ONNX Runtime goes into the user's cache.
//! Both are quick no-ops once done.

use anyhow::Result;

use crate::onnx_runtime;
use crate::places::Places;
use crate::steps::Steps;
use crate::system;

/// Runs the set-up alone.
pub fn run(places: &Places) -> Result<()> {
    let mut steps = Steps::default();
    prepare(places, &mut steps)?;
    steps.finish()
}

/// The set-up as the first steps of another command.
pub fn prepare(places: &Places, steps: &mut Steps) -> Result<()> {
    steps.required("system packages", || system::provide(system::TO_BUILD))?;
    steps.required(&format!("ONNX Runtime {}", onnx_runtime::VERSION), || onnx_runtime::provide(places))
}
