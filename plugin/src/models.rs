//! Which models there are, and which one a project has chosen.
//!
//! A model is a folder with a bundle. Those that ship with the plug-in lie beside it, those of the user in a folder of the
//! user's; a project names one by its folder's name, never by a path, so that it opens on another machine.

use crate::saved::{Setting, SettingField};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tributary_engine::bundle::MODEL_VARIABLE;
use tributary_engine::onnx::own_binary;

/// Name of the model that is used when none was chosen.
pub const DEFAULT: &str = "default";

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// More models than this are not listed.
const LISTED_MAX: usize = 40;

/// The model that a project has chosen, by name: [`DEFAULT`] unless another one was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelChoice(String);

/// The persisted choice.
pub type ModelField = SettingField<ModelChoice>;

impl ModelChoice {
    /// A choice; `None` unless the name can be that of a folder, and of no other place than a folder of models.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        let plain = name.chars().all(|c| c.is_alphanumeric() || " ._-+()".contains(c));
        (plain && !name.starts_with(['.', ' ']) && (1..=NAME_BYTES_MAX).contains(&name.len()))
            .then_some(Self(name))
    }

    /// The folder's name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Default for ModelChoice {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

impl TryFrom<String> for ModelChoice {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name).ok_or("not the name of a model")
    }
}

impl From<ModelChoice> for String {
    fn from(choice: ModelChoice) -> Self {
        choice.0
    }
}

impl Setting for ModelChoice {
    const FIELD: &'static str = "model";
    const KEY: &'static str = "name";
    const UNKNOWN: &'static str = "The model that this project chose cannot be read by this version of Tributary; the default one is used.";
}

/// Where models are looked for.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// The folder that [`MODEL_VARIABLE`] names.
    variable: Option<PathBuf>,
    /// Folders of models, the first to have a name wins.
    places: Vec<PathBuf>,
}

impl Models {
    /// The places of this installation and this user.
    pub fn installed() -> Self {
        let mut places = Vec::new();
        // The `Resources` of the VST3 bundle that holds the plug-in, the folder `Tributary` beside any other.
        if let Some(home) = own_binary().as_deref().and_then(Path::parent) {
            places.extend(["../Resources/models", "Tributary/models"].map(|folder| home.join(folder)));
        }
        places.extend(user_folder(|name| std::env::var_os(name)));
        let variable = std::env::var_os(MODEL_VARIABLE).map(PathBuf::from);
        Self { variable: variable.filter(|folder| !folder.as_os_str().is_empty()), places }
    }

    /// Names of all models, the default one first. Reads folders: not for the audio thread.
    pub fn names(&self) -> Vec<String> {
        let folders =
            self.places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
        let named = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            entry.path().join("contract.json").is_file().then_some(name)
        };
        let names: BTreeSet<String> = folders
            .filter_map(named)
            .filter(|name| name != DEFAULT && ModelChoice::new(name.as_str()).is_some())
            .collect();
        std::iter::once(DEFAULT.to_owned()).chain(names).take(LISTED_MAX).collect()
    }

    /// The folder of a chosen model.
    ///
    /// # Errors
    /// A sentence that names the places looked at.
    pub fn folder(&self, choice: &ModelChoice) -> Result<PathBuf, String> {
        if let (DEFAULT, Some(folder)) = (choice.name(), &self.variable) {
            return Ok(folder.clone());
        }
        if self.places.is_empty() {
            return Err(format!(
                "The plug-in's own folder is unknown; set {MODEL_VARIABLE} to a model folder."
            ));
        }
        let found = self.places.iter().map(|place| place.join(choice.name())).find(|folder| folder.is_dir());
        found.ok_or_else(|| {
            let places: Vec<String> = self.places.iter().map(|place| place.display().to_string()).collect();
            let places = places.join(", ");
            match choice.name() {
                DEFAULT => {
                    format!("No model was found in {places}; reinstall Tributary or set {MODEL_VARIABLE}.")
                }
                name => format!("The model “{name}” was not found in {places}."),
            }
        })
    }
}

/// The user's folder of models, as the system names it.
fn user_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let data = if cfg!(windows) {
        folder("APPDATA")?
    } else if cfg!(target_os = "macos") {
        folder("HOME")?.join("Library/Application Support")
    } else {
        folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))?
    };
    Some(data.join(if cfg!(target_os = "linux") { "tributary" } else { "Tributary" }).join("models"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_name_is_no_way_to_another_place() {
        for name in ["default", "ours_S_Lb", "My model (2) v1.0-b+c", "モデル"] {
            assert_eq!(ModelChoice::new(name).expect("a name").name(), name);
        }
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "C:x", ".hidden", " x", "a\0b", &"x".repeat(101)] {
            assert!(ModelChoice::new(name).is_none(), "{name:?}");
            assert!(serde_json::from_value::<ModelChoice>(name.into()).is_err());
        }
    }

    #[test]
    fn models_are_found_in_all_places_and_the_variable_is_the_default() {
        let root = std::env::temp_dir().join(format!("tributary-models-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for model in ["shipped/default", "shipped/small", "mine/small", "mine/zeta", "mine/.hidden"] {
            fs::create_dir_all(root.join(model)).expect("a folder");
            fs::write(root.join(model).join("contract.json"), "{}").expect("a file");
        }
        fs::create_dir_all(root.join("mine/no model")).expect("a folder");
        let places = vec![root.join("absent"), root.join("shipped"), root.join("mine")];
        let models = Models { variable: None, places: places.clone() };
        assert_eq!(models.names(), ["default", "small", "zeta"]);
        let choice = |name| ModelChoice::new(name).expect("a name");
        assert_eq!(models.folder(&choice("small")), Ok(root.join("shipped/small")), "the first place wins");
        assert_eq!(models.folder(&choice("zeta")), Ok(root.join("mine/zeta")));
        let absent = models.folder(&choice("gone")).expect_err("nowhere");
        assert!(absent.contains("“gone”") && absent.contains("mine"), "{absent}");
        let models = Models { variable: Some("/models/other".into()), places };
        assert_eq!(models.folder(&ModelChoice::default()), Ok("/models/other".into()));
        assert_eq!(models.folder(&choice("small")), Ok(root.join("shipped/small")));
        fs::remove_dir_all(root).expect("removed");
        assert!(models.folder(&choice("small")).is_err());
        assert!(
            Models::default().folder(&ModelChoice::default()).expect_err("nowhere").contains(MODEL_VARIABLE)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_users_folder_follows_the_system() {
        let of = |pairs: &[(&str, &str)]| {
            user_folder(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        let home = ("HOME", "/home/x");
        assert_eq!(of(&[home]), Some("/home/x/.local/share/tributary/models".into()));
        assert_eq!(of(&[home, ("XDG_DATA_HOME", "/data")]), Some("/data/tributary/models".into()));
        assert_eq!(
            of(&[home, ("XDG_DATA_HOME", "relative")]),
            Some("/home/x/.local/share/tributary/models".into())
        );
        assert_eq!(of(&[]), None);
    }
}
