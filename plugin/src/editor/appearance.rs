//! Dark or light, saved with the project as a setting of its own. The windows of the framework do not learn which one the
//! system prefers, so there is no third choice that follows it.

use crate::saved::Setting;
use serde::{Deserialize, Serialize};

/// How the editor looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appearance {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
}

impl Appearance {
    /// All of them, in the menu's order.
    pub const ALL: [Self; 2] = [Self::Dark, Self::Light];

    /// In the menu.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "Dark",
            Self::Light => "Light",
        }
    }

    /// The framework's name for it.
    pub fn theme(self) -> egui::Theme {
        match self {
            Self::Dark => egui::Theme::Dark,
            Self::Light => egui::Theme::Light,
        }
    }
}

impl Setting for Appearance {
    const FIELD: &'static str = "appearance";
    const KEY: &'static str = "name";
    const UNKNOWN: &'static str =
        "The appearance of this project is unknown to this version of Tributary; the dark one is used.";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Projects refer to them.
    #[test]
    fn the_saved_names_are_fixed() {
        let saved = Appearance::ALL.map(|appearance| serde_json::to_string(&appearance).expect("JSON"));
        assert_eq!(saved, ["\"dark\"", "\"light\""]);
        for refused in ["\"Dark\"", "\"system\"", "1", "null"] {
            assert!(serde_json::from_str::<Appearance>(refused).is_err(), "{refused}");
        }
    }
}
