//! What stems are brought to, as a choice like the model: the averages of the model's own bundle, or those of a file that
//! `tributary analyze` has made of a data set or of one reference song. Files lie where models do, in `targets` instead of
//! `models`, and a project names one by its name without the ending.

use crate::named::{Kind, Named};
use crate::places;
use crate::saved::SettingField;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tributary_dsp::Targets;
use tributary_engine::bundle::read_targets;

/// The name that stands for the model's own.
pub const OF_MODEL: &str = "model";

/// Of a file's name.
const ENDING: &str = "json";
/// More files than this are not listed.
const LISTED_MAX: usize = 40;

/// The kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfTargets;

impl Kind for OfTargets {
    const DEFAULT: &'static str = OF_MODEL;
    const FIELD: &'static str = "targets";
    const UNKNOWN: &'static str = "The targets that this project chose cannot be read by this version of Tributary; those of the model are used.";
}

/// The targets that a project has chosen, by their file's name without its ending: [`OF_MODEL`] unless others were.
pub type TargetsChoice = Named<OfTargets>;

/// The persisted choice.
pub type TargetsField = SettingField<TargetsChoice>;

impl TargetsChoice {
    /// Whether the model's own are meant.
    pub fn is_of_model(&self) -> bool {
        self.name() == OF_MODEL
    }
}

/// Where targets are looked for.
#[derive(Debug, Clone, Default)]
pub struct TargetFiles {
    /// The first to have a name wins.
    places: Vec<PathBuf>,
}

impl TargetFiles {
    /// The places of this installation and this user.
    pub fn installed() -> Self {
        Self { places: places::installed("targets") }
    }

    /// Names of all targets, the model's own first. Reads folders: not for the audio thread.
    pub fn names(&self) -> Vec<String> {
        let entries =
            self.places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
        let named = |path: PathBuf| {
            let is_it = path.extension().is_some_and(|ending| ending == ENDING) && path.is_file();
            path.file_stem().filter(|_| is_it)?.to_str().map(str::to_owned)
        };
        let names: BTreeSet<String> = entries
            .filter_map(|entry| named(entry.path()))
            .filter(|name| name != OF_MODEL && places::is_name(name))
            .collect();
        std::iter::once(OF_MODEL.to_owned()).chain(names).take(LISTED_MAX).collect()
    }

    /// Whether the chosen file is there; the model's own always are.
    pub fn is_there(&self, choice: &TargetsChoice) -> bool {
        choice.is_of_model() || self.find(choice).is_some()
    }

    /// The chosen targets; `None` for the model's own.
    ///
    /// # Errors
    /// A sentence that says what is missing or wrong.
    pub fn read(&self, choice: &TargetsChoice) -> Result<Option<Targets>, String> {
        if choice.is_of_model() {
            return Ok(None);
        }
        let name = choice.name();
        let Some(file) = self.find(choice) else {
            let places = places::words(&self.places);
            return Err(format!("The targets “{name}” were not found in {places}."));
        };
        let mut targets = read_targets(&file).map_err(|error| error.to_string())?;
        if targets.name.is_empty() {
            targets.name = name.to_owned();
        }
        Ok(Some(targets))
    }

    fn find(&self, choice: &TargetsChoice) -> Option<PathBuf> {
        let file = format!("{}.{ENDING}", choice.name());
        self.places.iter().map(|place| place.join(&file)).find(|file| file.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn targets_are_found_by_name_and_what_is_missing_or_wrong_is_said() {
        let root = std::env::temp_dir().join(format!("tributary-targets-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let (shipped, mine) = (root.join("shipped"), root.join("mine"));
        for folder in [&shipped, &mine] {
            fs::create_dir_all(folder).expect("a folder");
        }
        let named = |name: &str| Targets { name: name.into(), ..Targets::default() }.to_json();
        fs::write(shipped.join("jazz.json"), named("Jazz of ours")).expect("a file");
        fs::write(mine.join("jazz.json"), named("Another")).expect("a file");
        fs::write(mine.join("a song.json"), named("")).expect("a file");
        fs::write(mine.join("broken.json"), "{}").expect("a file");
        fs::write(mine.join("model.json"), named("Hidden by its name")).expect("a file");
        fs::write(mine.join("notes.txt"), "").expect("a file");
        let files = TargetFiles { places: vec![root.join("absent"), shipped, mine.clone()] };
        assert_eq!(files.names(), ["model", "a song", "broken", "jazz"]);
        let read = |name: &str| files.read(&TargetsChoice::new(name).expect("a name"));
        assert_eq!(read("model"), Ok(None));
        assert_eq!(read("jazz").expect("readable").expect("targets").name, "Jazz of ours");
        assert_eq!(read("a song").expect("readable").expect("targets").name, "a song");
        assert!(read("broken").expect_err("no targets").contains("broken.json"));
        let gone = read("gone").expect_err("nowhere");
        assert!(gone.contains("“gone”") && gone.contains("mine"), "{gone}");
        let choice = TargetsChoice::new("late").expect("a name");
        assert!(!files.is_there(&choice) && files.is_there(&TargetsChoice::default()));
        fs::write(mine.join("late.json"), named("Late")).expect("a file");
        assert!(files.is_there(&choice));
        fs::remove_dir_all(root).expect("removed");
    }
}
