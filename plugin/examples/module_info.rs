//! Prints the VST3 bundle's `moduleinfo.json`, as the plug-in's own factory describes it; with a folder, writes the factory
//! presets there as `.vstpreset` files as well. `cargo xtask bundle` runs it.

use std::path::PathBuf;

fn main() -> Result<(), String> {
    if let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        for (name, bytes) in tributary::vst3::preset_files() {
            std::fs::write(folder.join(name), bytes).map_err(failed)?;
        }
    }
    print!("{}", tributary::vst3::module_info()?);
    Ok(())
}
