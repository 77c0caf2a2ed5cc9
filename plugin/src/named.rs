//! A choice by name: which model, which targets. Saved with the project and never a path, so that a project opens on another
//! machine and can ask for no file of another place. What kinds there are stands with the files themselves (`models.rs`,
//! `targets.rs`).

use crate::places;
use crate::saved::Setting;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::marker::PhantomData;

/// A kind of files that are chosen by name.
pub trait Kind: Debug + Clone + Default + PartialEq + Eq + Send + Sync + 'static {
    /// The name when none was chosen.
    const DEFAULT: &'static str;
    /// Name of the persisted field.
    const FIELD: &'static str;
    /// What the editor says of a choice that cannot be read.
    const UNKNOWN: &'static str;
}

/// What a project has chosen of a kind, by name: [`Kind::DEFAULT`] unless something else was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String", bound = "")]
pub struct Named<K: Kind>(String, PhantomData<K>);

impl<K: Kind> Named<K> {
    /// A choice; `None` unless the name can be that of a file, and of no other place than a folder of its kind.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        places::is_name(&name).then_some(Self(name, PhantomData))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl<K: Kind> Default for Named<K> {
    fn default() -> Self {
        Self(K::DEFAULT.into(), PhantomData)
    }
}

impl<K: Kind> TryFrom<String> for Named<K> {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name).ok_or_else(|| format!("not the name of a {}", K::FIELD))
    }
}

impl<K: Kind> From<Named<K>> for String {
    fn from(choice: Named<K>) -> Self {
        choice.0
    }
}

impl<K: Kind> Setting for Named<K> {
    const FIELD: &'static str = K::FIELD;
    const KEY: &'static str = "name";
    const UNKNOWN: &'static str = K::UNKNOWN;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelChoice;
    use crate::targets::TargetsChoice;

    fn is_no_way_to_another_place<K: Kind>() {
        assert_eq!(Named::<K>::new("ours_S_Lb").expect("a name").name(), "ours_S_Lb");
        for name in ["", "../x", "a/b", ".hidden"] {
            assert!(Named::<K>::new(name).is_none(), "{name:?}");
            assert!(serde_json::from_value::<Named<K>>(name.into()).is_err());
        }
        let default = serde_json::to_value(Named::<K>::default()).expect("a string");
        assert_eq!(default, serde_json::Value::from(K::DEFAULT));
    }

    #[test]
    fn a_name_is_no_way_to_another_place() {
        is_no_way_to_another_place::<crate::models::OfModels>();
        is_no_way_to_another_place::<crate::targets::OfTargets>();
        assert_eq!(ModelChoice::default().name(), "default");
        assert!(TargetsChoice::default().is_of_model());
    }
}
