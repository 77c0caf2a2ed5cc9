//! Which of the four stems an instrument belongs to: one table for all data sets that name instruments.
//!
//! The table is `instruments.json`, compiled in and replaceable with `--instruments`. Names are those of the data sets
//! (MedleyDB instruments, MoisesDB track types and stems, Slakh programs and classes), compared without regard to case.
//! What the table does not know is "other"; what it lists under `leave_out` is no part of the music.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tributary_dsp::Stem;

/// The table, by lower-case name; none means left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruments(BTreeMap<String, Option<Stem>>);

/// The table as written in JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct File {
    vocals: Vec<String>,
    bass: Vec<String>,
    drums: Vec<String>,
    other: Vec<String>,
    leave_out: Vec<String>,
}

impl Default for Instruments {
    fn default() -> Self {
        Self::from_json(include_str!("instruments.json")).expect("the compiled-in table is valid")
    }
}

impl Instruments {
    /// Reads a table that replaces the compiled-in one; without a path that one.
    ///
    /// # Errors
    /// The file cannot be read or understood, or names an instrument twice.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let context = || format!("the instrument table {} cannot be used", path.display());
        Self::from_json(&fs::read_to_string(path).with_context(context)?).with_context(context)
    }

    fn from_json(text: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text)?;
        let columns = [
            (Some(Stem::Vocals), file.vocals),
            (Some(Stem::Bass), file.bass),
            (Some(Stem::Drums), file.drums),
            (Some(Stem::Other), file.other),
            (None, file.leave_out),
        ];
        let mut table = BTreeMap::new();
        for (stem, names) in columns {
            for name in names {
                if table.insert(name.trim().to_lowercase(), stem).is_some() {
                    bail!("\"{name}\" is listed twice");
                }
            }
        }
        Ok(Self(table))
    }

    /// The stem of the first name the table knows; "other" when it knows none, nothing when it is to be left out.
    pub fn stem_of(&self, names: &[&str]) -> Option<Stem> {
        names
            .iter()
            .find_map(|name| self.0.get(&name.trim().to_lowercase()))
            .copied()
            .unwrap_or(Some(Stem::Other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_name_decides() {
        let table = Instruments::default();
        assert_eq!(table.stem_of(&["Lead Female Singer", "vocals"]), Some(Stem::Vocals));
        assert_eq!(table.stem_of(&["something new", "percussion"]), Some(Stem::Drums));
        assert_eq!(
            table.stem_of(&["pitched percussion (mallets, glockenspiel, ...)", "percussion"]),
            Some(Stem::Other)
        );
        assert_eq!(table.stem_of(&["theremin"]), Some(Stem::Other));
        assert_eq!(table.stem_of(&[]), Some(Stem::Other));
        assert_eq!(table.stem_of(&["click track", "other"]), None);
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        assert!(Instruments::from_json(r#"{"bass": ["tuba"], "other": ["Tuba"]}"#).is_err());
        assert!(Instruments::from_json(r#"{"guitar": []}"#).is_err());
        let table = Instruments::from_json(r#"{"vocals": ["tuba"]}"#).expect("valid");
        assert_eq!(table.stem_of(&["tuba"]), Some(Stem::Vocals));
        assert_eq!(table.stem_of(&["vocals"]), Some(Stem::Other));
    }
}
