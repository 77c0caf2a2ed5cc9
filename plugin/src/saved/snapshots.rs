//! Four snapshots in the saved state: what the parameters were when the user stored them, to be compared and recalled.

use super::document::{FORMAT, Field, Saved, SavedDocument, Unread};
use crate::values::Values;
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One of the four places for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "their names are all there is to say")]
pub enum Slot {
    A,
    B,
    C,
    D,
}

impl Slot {
    /// Every one, in order.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// Its letter.
    pub fn letter(self) -> &'static str {
        ["A", "B", "C", "D"][self as usize]
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// What the four places hold, in the order of [`Slot::ALL`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshots([Option<Values>; 4]);

impl Saved for Snapshots {
    const FIELD: &'static str = "snapshots";
    /// Four snapshots of all parameters take 8 KB.
    const KEPT_BYTES_MAX: usize = 64 * 1024;

    fn read(document: &Value) -> Option<Self> {
        let saved = document.get("snapshots")?.as_object()?;
        let mut snapshots = Self::default();
        for (letter, values) in saved {
            let slot = Slot::ALL.into_iter().find(|slot| slot.letter() == letter)?;
            snapshots.0[slot as usize] = Some(Values::read(values)?);
        }
        Some(snapshots)
    }

    fn write(&self) -> Value {
        let filled = Slot::ALL.into_iter().zip(&self.0);
        let filled =
            filled.filter_map(|(slot, values)| Some((slot.letter().into(), values.as_ref()?.write())));
        let filled: Map<String, Value> = filled.collect();
        if filled.is_empty() { Value::Null } else { json!({ "format": FORMAT, "snapshots": filled }) }
    }

    fn words(unread: &Unread) -> String {
        let fate = if unread.is_kept { "are kept until you store one" } else { "are too large to keep" };
        format!("The snapshots of this project cannot be read by this version of Tributary and {fate}.")
    }
}

/// The persisted field.
#[derive(Default)]
pub struct SnapshotsField(Mutex<SavedDocument<Snapshots>>);

impl SnapshotsField {
    fn lock(&self) -> MutexGuard<'_, SavedDocument<Snapshots>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a place holds.
    pub fn get(&self, slot: Slot) -> Option<Values> {
        self.lock().value().0[slot as usize].clone()
    }

    /// Puts values into a place, or empties it. A document that could not be read is given up.
    pub fn put(&self, slot: Slot, values: Option<Values>) {
        let mut saved = self.lock();
        let mut snapshots = saved.value().clone();
        snapshots.0[slot as usize] = values;
        *saved = SavedDocument::new(snapshots);
    }

    /// What all places hold.
    pub fn all(&self) -> [Option<Values>; 4] {
        self.lock().value().0.clone()
    }

    /// A sentence for the editor about what was loaded.
    pub fn notice(&self) -> Option<String> {
        self.lock().notice().map(str::to_owned)
    }
}

impl Field for SnapshotsField {
    fn load(&self, document: Value) {
        *self.lock() = SavedDocument::load(document);
    }

    fn document(&self) -> Value {
        self.lock().document()
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::mend;
    use super::*;
    use nice_plug::prelude::PluginState;

    fn values(gain_db: f32) -> Values {
        [("gain".to_owned(), gain_db), ("mix".to_owned(), 1.0)].into_iter().collect()
    }

    fn loaded(document: Value) -> SnapshotsField {
        let field = SnapshotsField::default();
        field.load(document);
        field
    }

    #[test]
    fn what_was_stored_comes_back_and_nothing_is_null() {
        let field = SnapshotsField::default();
        assert_eq!(field.document(), Value::Null);
        field.put(Slot::B, Some(values(-3.1)));
        let saved = field.document();
        assert_eq!(saved.to_string(), r#"{"format":1,"snapshots":{"B":{"gain":-3.1,"mix":1.0}}}"#);
        let field = loaded(saved);
        assert_eq!((field.get(Slot::A), field.get(Slot::B)), (None, Some(values(-3.1))));
        field.put(Slot::B, None);
        assert_eq!((field.document(), field.notice()), (Value::Null, None));
    }

    #[test]
    fn a_project_from_before_there_were_snapshots_has_none() {
        let mut state: PluginState =
            serde_json::from_value(json!({"version": "0.1.0", "params": {}, "fields": {}})).expect("a state");
        mend::<Snapshots>(&mut state);
        assert_eq!(state.fields[Snapshots::FIELD], "null");
        assert_eq!(loaded(Value::Null).all(), [None, None, None, None]);
    }

    #[test]
    fn what_cannot_be_read_is_kept_and_said_until_one_is_stored() {
        for garbage in [
            json!({"format": 2, "snapshots": {}}),
            json!({"format": 1, "snapshots": {"E": {}}}),
            json!({"format": 1, "snapshots": {"A": {"mix": "loud"}}}),
            json!({"format": 1, "snapshots": {"A": null}}),
            json!({"format": 1}),
            json!("text"),
        ] {
            let field = loaded(garbage.clone());
            assert_eq!(field.all(), [None, None, None, None]);
            assert!(field.notice().expect("a sentence").contains("kept until"));
            assert_eq!(field.document(), garbage);
            field.put(Slot::A, Some(values(0.0)));
            assert_eq!((field.get(Slot::A), field.notice()), (Some(values(0.0)), None));
        }
        let large = loaded(json!("x".repeat(Snapshots::KEPT_BYTES_MAX)));
        assert_eq!(large.document(), Value::Null);
        assert!(large.notice().expect("a sentence").contains("too large"));
    }
}
