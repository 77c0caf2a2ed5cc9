//! Where files lie that are chosen by name – models, targets –, and which names may be chosen. A project names a file of the
//! installation's or of the user's by its name alone, never by a path, so that it opens on another machine and can ask for
//! no other file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tributary_engine::onnx::own_binary;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// Whether this can be the name of a file in one of the places, and of nothing elsewhere.
pub fn is_name(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_alphanumeric() || " ._-+()".contains(c));
    plain && !name.starts_with(['.', ' ']) && (1..=NAME_BYTES_MAX).contains(&name.len())
}

/// The folders of one kind of files, those of this installation before those of this user.
pub fn installed(kind: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    // The `Resources` of the VST3 bundle that holds the plug-in, the folder `Tributary` beside any other.
    if let Some(home) = own_binary().as_deref().and_then(Path::parent) {
        places.extend(["../Resources", "Tributary"].map(|folder| home.join(folder).join(kind)));
    }
    places.extend(of_user(kind));
    places
}

/// The folder of one kind of this user's files.
pub fn of_user(kind: &str) -> Option<PathBuf> {
    Some(user_folder(|name| std::env::var_os(name))?.join(kind))
}

/// Places as a sentence names them.
pub fn words(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The user's folder, as the system names it.
fn user_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let data = if cfg!(windows) {
        folder("APPDATA")?
    } else if cfg!(target_os = "macos") {
        folder("HOME")?.join("Library/Application Support")
    } else {
        folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))?
    };
    Some(data.join(if cfg!(target_os = "linux") { "tributary" } else { "Tributary" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_way_to_another_place() {
        for name in ["default", "ours_S_Lb", "My model (2) v1.0-b+c", "モデル"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "C:x", ".hidden", " x", "a\0b", &"x".repeat(101)] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_users_folder_follows_the_system() {
        let of = |pairs: &[(&str, &str)]| {
            user_folder(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        let home = ("HOME", "/home/x");
        assert_eq!(of(&[home]), Some("/home/x/.local/share/tributary".into()));
        assert_eq!(of(&[home, ("XDG_DATA_HOME", "/data")]), Some("/data/tributary".into()));
        assert_eq!(of(&[home, ("XDG_DATA_HOME", "relative")]), Some("/home/x/.local/share/tributary".into()));
        assert_eq!(of(&[]), None);
    }
}
