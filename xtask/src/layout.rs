//! The layout of the two bundles: which file goes where, for each operating system.
//!
//! Pure: it names destinations and sources and touches no file, so the layouts of all systems are tested on any. Only
//! Linux is tried in hosts; macOS and Windows are written from the formats' specifications and untested.
//!
//! A CLAP on Linux and Windows is one file, so its runtime and model lie in a folder of the plug-in's name beside it.
//! Everywhere else a bundle has `Contents/Resources`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The plug-in's name, as hosts and file managers show it.
pub const NAME: &str = "Tributary";

/// An operating system with its own way of bundling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// macOS; untested.
    MacOs,
    /// Windows; untested.
    Windows,
}

impl System {
    /// The system that this runs on, by Rust's name for it.
    pub fn of(name: &str) -> Result<Self> {
        match name {
            "linux" => Ok(Self::Linux),
            "macos" => Ok(Self::MacOs),
            "windows" => Ok(Self::Windows),
            other => bail!("no plug-in bundle is defined for {other}"),
        }
    }
}

/// What fills one file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A copy of this file.
    File(PathBuf),
    /// This text.
    Text(String),
}

/// One file of the bundles, relative to the folder that holds both.
pub type Entry = (PathBuf, Source);

/// The folder of presets that VST3 hosts on Linux look into, beside the bundles; other systems have it elsewhere.
pub const PRESETS: &str = "presets";

/// The names that `bundled` holds at its top: what is installed, and what is replaced as a whole.
pub fn top_level(system: System) -> Vec<String> {
    let mut names = vec![format!("{NAME}.clap"), format!("{NAME}.vst3")];
    if system != System::MacOs {
        names.push(NAME.into());
    }
    if system == System::Linux {
        names.push(PRESETS.into());
    }
    names
}

/// Where the command line lies: among the CLAP's parts, beside the runtime and the models that it needs as well.
pub fn program(system: System) -> PathBuf {
    let name = NAME.to_lowercase();
    clap_parts(system).join(if system == System::Windows { format!("{name}.exe") } else { name })
}

/// The folder of what the CLAP needs beside its binary.
pub fn clap_parts(system: System) -> PathBuf {
    match system {
        System::MacOs => PathBuf::from(format!("{NAME}.clap/Contents/Resources")),
        System::Linux | System::Windows => NAME.into(),
    }
}

/// Presets' files where VST3 hosts look for them, below the folder of the vendor's name and the plug-in's.
pub fn preset_entries(system: System, files: &[PathBuf]) -> Vec<Entry> {
    let place = |file: &PathBuf| {
        let name = file.file_name().filter(|_| system == System::Linux)?;
        Some((Path::new(PRESETS).join(NAME).join(NAME).join(name), Source::File(file.clone())))
    };
    files.iter().filter_map(place).collect()
}

/// All files of both bundles. `resources` are relative to the folder that the plug-in searches for its model and runtime;
/// `module_info` is what a VST3 host reads without loading the binary.
pub fn entries(
    system: System,
    processor: &str,
    binary: &Path,
    module_info: &str,
    resources: &[Entry],
    version: &str,
) -> Vec<Entry> {
    let clap = PathBuf::from(format!("{NAME}.clap"));
    let vst3 = PathBuf::from(format!("{NAME}.vst3")).join("Contents");
    let binary = Source::File(binary.into());
    let mut entries = Vec::new();
    match system {
        System::Linux => {
            entries.push((clap, binary.clone()));
            entries.push((vst3.join(format!("{processor}-linux/{NAME}.so")), binary));
        }
        System::Windows => {
            entries.push((clap, binary.clone()));
            // VST3 calls the 64-bit Intel folder x86_64-win and the Arm one arm64-win.
            let processor = if processor == "aarch64" { "arm64" } else { processor };
            entries.push((vst3.join(format!("{processor}-win/{NAME}.vst3")), binary));
        }
        System::MacOs => {
            for contents in [clap.join("Contents"), vst3.clone()] {
                entries.push((contents.join("MacOS").join(NAME), binary.clone()));
                entries.push((contents.join("Info.plist"), Source::Text(info_plist(version))));
                entries.push((contents.join("PkgInfo"), Source::Text("BNDL????".into())));
            }
        }
    }
    for folder in [clap_parts(system), vst3.join("Resources")] {
        entries.extend(resources.iter().map(|(path, source)| (folder.join(path), source.clone())));
    }
    entries.push((vst3.join("Resources/moduleinfo.json"), Source::Text(module_info.into())));
    entries
}

/// The property list that macOS asks of a bundle.
fn info_plist(version: &str) -> String {
    let pairs = [
        ("CFBundleExecutable", NAME),
        ("CFBundleIdentifier", "audio.tributary.mix"),
        ("CFBundleName", NAME),
        ("CFBundlePackageType", "BNDL"),
        ("CFBundleSignature", "????"),
        ("CFBundleVersion", version),
        ("CFBundleShortVersionString", version),
    ];
    let body: String = pairs
        .iter()
        .map(|(key, value)| format!("  <key>{key}</key>\n  <string>{value}</string>\n"))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n{body}</dict>\n</plist>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(system: System, processor: &str) -> Vec<String> {
        let resources = [("models/default/contract.json".into(), Source::Text(String::new()))];
        let entries = entries(system, processor, Path::new("binary"), "{}", &resources, "1.2.3");
        let mut paths: Vec<String> =
            entries.iter().map(|(path, _)| path.to_string_lossy().replace('\\', "/")).collect();
        paths.sort();
        paths
    }

    #[test]
    fn linux_has_a_clap_file_with_a_folder_beside_it_and_a_vst3_bundle() {
        let expected = [
            "Tributary.clap",
            "Tributary.vst3/Contents/Resources/models/default/contract.json",
            "Tributary.vst3/Contents/Resources/moduleinfo.json",
            "Tributary.vst3/Contents/x86_64-linux/Tributary.so",
            "Tributary/models/default/contract.json",
        ];
        assert_eq!(paths(System::Linux, "x86_64"), expected);
    }

    #[test]
    fn windows_names_the_processor_as_vst3_does() {
        assert!(
            paths(System::Windows, "aarch64")
                .contains(&"Tributary.vst3/Contents/arm64-win/Tributary.vst3".into())
        );
    }

    #[test]
    fn a_mac_clap_is_a_bundle_with_a_property_list() {
        let paths = paths(System::MacOs, "aarch64");
        for path in ["Contents/MacOS/Tributary", "Contents/Info.plist", "Contents/PkgInfo"] {
            assert!(paths.contains(&format!("Tributary.clap/{path}")), "{path}");
            assert!(paths.contains(&format!("Tributary.vst3/{path}")), "{path}");
        }
        assert!(paths.contains(&"Tributary.clap/Contents/Resources/models/default/contract.json".into()));
        assert!(info_plist("1.2.3").contains("<string>1.2.3</string>"));
    }

    #[test]
    fn every_entry_lies_below_a_top_level_name() {
        for system in [System::Linux, System::Windows, System::MacOs] {
            let top = top_level(system);
            for path in paths(system, "x86_64") {
                let first = path.split('/').next().unwrap_or_default().to_owned();
                assert!(top.contains(&first), "{path}");
            }
        }
    }

    #[test]
    fn presets_lie_where_hosts_on_linux_look() {
        let files = [PathBuf::from("somewhere/Gentle.vstpreset")];
        let entries = preset_entries(System::Linux, &files);
        let place = PathBuf::from("presets/Tributary/Tributary/Gentle.vstpreset");
        assert_eq!(entries, [(place, Source::File(files[0].clone()))]);
        assert!(top_level(System::Linux).contains(&PRESETS.into()));
        for system in [System::Windows, System::MacOs] {
            assert!(
                preset_entries(system, &files).is_empty() && !top_level(system).contains(&PRESETS.into())
            );
        }
    }
}
