//! Which models there are, and which one a project has chosen.
//!
//! A model is a folder with a bundle. Those that ship with the plug-in lie beside it, those of the user in a folder of the
//! user's; a project names one by its folder's name, never by a path, so that it opens on another machine.

use crate::named::{Kind, Named};
use crate::places;
use crate::saved::SettingField;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tributary_engine::bundle::MODEL_VARIABLE;

/// Name of the model that is used when none was chosen.
pub const DEFAULT: &str = "default";

/// More models than this are not listed.
const LISTED_MAX: usize = 40;

/// The kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfModels;

impl Kind for OfModels {
    const DEFAULT: &'static str = DEFAULT;
    const FIELD: &'static str = "model";
    const UNKNOWN: &'static str = "The model that this project chose cannot be read by this version of Tributary; the default one is used.";
}

/// The model that a project has chosen, by its folder's name: [`DEFAULT`] unless another one was.
pub type ModelChoice = Named<OfModels>;

/// The persisted choice.
pub type ModelField = SettingField<ModelChoice>;

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
        let variable = std::env::var_os(MODEL_VARIABLE).map(PathBuf::from);
        let variable = variable.filter(|folder| !folder.as_os_str().is_empty());
        Self { variable, places: places::installed("models") }
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
            let places = places::words(&self.places);
            match choice.name() {
                DEFAULT => {
                    format!("No model was found in {places}; reinstall Tributary or set {MODEL_VARIABLE}.")
                }
                name => format!("The model “{name}” was not found in {places}."),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
}
