//! Prints the VST3 bundle's `moduleinfo.json`, as the plug-in's own factory describes it. `cargo xtask bundle` runs it.

fn main() -> Result<(), String> {
    print!("{}", tributary::vst3::module_info()?);
    Ok(())
}
