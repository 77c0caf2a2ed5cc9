//! The licenses of the crates inside what ships: one text that travels with it.
//!
//! MIT, ISC, BSD and Apache licenses ask that their text go along with a binary. The text is gathered from the sources
//! that Cargo has just built from; a license text that many crates share word for word is printed once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::places::Places;
use crate::process;

/// The license texts of all foreign crates that any of `packages` is built from, on this platform.
pub fn of_crates(places: &Places, packages: &[&str]) -> Result<String> {
    let platform = host_platform()?;
    let mut command = places.cargo();
    command.args(["metadata", "--format-version=1", "--filter-platform", &platform]);
    let metadata: Value = serde_json::from_str(&process::capture(&mut command)?)?;
    let mut used = BTreeSet::new();
    for package in packages {
        used.extend(used_by(&metadata, package).context("cargo metadata has no dependency graph")?);
    }
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in array(&metadata["packages"]) {
        // Our own crates have no source; they are under the repository's own license.
        if entry["source"].is_null() || !used.contains(text(&entry["id"])) {
            continue;
        }
        let name =
            format!("{} {} ({})", text(&entry["name"]), text(&entry["version"]), text(&entry["license"]));
        let folder =
            Path::new(text(&entry["manifest_path"])).parent().context("a manifest without a folder")?;
        for license in texts_in(folder)? {
            by_text.entry(license).or_default().push(name.clone());
        }
    }
    Ok(printed(&by_text))
}

/// The platform that rustc builds for unless told otherwise.
fn host_platform() -> Result<String> {
    let version = process::capture(std::process::Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

/// The ids of all packages that `package` is built from: normal dependencies, not those of build scripts and tests.
fn used_by(metadata: &Value, package: &str) -> Option<BTreeSet<String>> {
    let packages = metadata["packages"].as_array()?;
    let root = packages.iter().find(|entry| entry["name"] == package && entry["source"].is_null())?;
    let nodes = metadata["resolve"]["nodes"].as_array()?;
    let nodes: BTreeMap<&str, &Value> = nodes.iter().map(|node| (text(&node["id"]), node)).collect();
    let mut used = BTreeSet::new();
    let mut open = vec![text(&root["id"])];
    while let Some(id) = open.pop() {
        if !used.insert(id.to_owned()) {
            continue;
        }
        for dependency in array(&nodes.get(id)?["deps"]) {
            let is_normal = array(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            if is_normal {
                open.push(text(&dependency["pkg"]));
            }
        }
    }
    Some(used)
}

/// The license texts of a crate's source: those in its top folder, and those of fonts, which have a folder of their own.
fn texts_in(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for folder in [folder.to_path_buf(), folder.join("fonts")].iter().filter(|folder| folder.is_dir()) {
        collect_texts(folder, &mut texts)?;
    }
    if texts.is_empty() {
        texts.insert(
            "The source of these crates holds no license text; their licenses are named above.".into(),
        );
    }
    Ok(texts)
}

fn collect_texts(folder: &Path, texts: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        let is_license =
            ["LICENSE", "LICENCE", "COPYING", "NOTICE", "OFL", "UFL"].iter().any(|w| name.contains(w));
        if is_license && path.is_file() {
            let text = String::from_utf8_lossy(&fs::read(&path)?).replace("\r\n", "\n");
            texts.insert(text.trim().to_owned());
        }
    }
    Ok(())
}

fn printed(by_text: &BTreeMap<String, Vec<String>>) -> String {
    let rule = "-".repeat(100);
    let mut groups: Vec<(&Vec<String>, &String)> =
        by_text.iter().map(|(text, names)| (names, text)).collect();
    groups.sort();
    let mut all = "Crates that Tributary is built from, and their licenses.\n".to_owned();
    for (names, license) in groups {
        all += &format!("\n{rule}\n{}\n\n{license}\n", names.join("\n"));
    }
    all
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::files::{self, Scratch};

    #[test]
    fn only_normal_dependencies_count() {
        let dependency = |id: &str, kind: Value| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [{"name": "ours", "id": "ours", "source": null}],
            "resolve": {"nodes": [
                {"id": "ours", "deps": [dependency("a", Value::Null), dependency("t", json!("dev"))]},
                {"id": "a", "deps": [dependency("b", Value::Null), dependency("s", json!("build"))]},
                {"id": "b", "deps": [dependency("a", Value::Null)]},
            ]},
        });
        let used = used_by(&metadata, "ours").unwrap();
        assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "ours"]);
        assert_eq!(used_by(&metadata, "unknown"), None);
    }

    #[test]
    fn license_files_are_found_by_name_and_a_missing_one_is_said() {
        let scratch = Scratch::new();
        assert!(texts_in(&scratch.0).unwrap().first().unwrap().contains("no license text"));
        files::write(&scratch.0.join("LICENSE-MIT"), "MIT text\r\n").unwrap();
        files::write(&scratch.0.join("copying.md"), "Other text\n").unwrap();
        files::write(&scratch.0.join("fonts/OFL.txt"), "Font text\n").unwrap();
        files::write(&scratch.0.join("README.md"), "Not this").unwrap();
        let expected = ["MIT text", "Other text", "Font text"].map(String::from).into();
        assert_eq!(texts_in(&scratch.0).unwrap(), expected);
    }

    #[test]
    fn a_shared_text_is_printed_once() {
        let names = vec!["a 1 (MIT)".to_owned(), "b 2 (MIT)".to_owned()];
        let all = printed(&BTreeMap::from([("THE TEXT".to_owned(), names)]));
        assert_eq!(all.matches("THE TEXT").count(), 1);
        assert!(all.contains("a 1 (MIT)\nb 2 (MIT)"));
    }
}
