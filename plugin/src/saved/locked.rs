//! The corrections of locked stems in the saved state, so that a project sounds the same when it is opened again: that a stem
//! is locked is a parameter, what it is locked at stands here.
//!
//! A parameter may be turned while nothing runs that could let the corrections go. So what is loaded, and what an engine starts
//! with, counts for those stems only whose parameter is on.

use super::document::{FORMAT, Field, Saved, SavedDocument, Unread};
use nice_plug::plugin::ParamValue;
use nice_plug::prelude::PluginState;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tributary_dsp::{SongProfile, Stem};

/// Who locks; asked when a project is saved, told when one is loaded.
pub trait Locker: Send + Sync {
    /// The corrections that are locked now, or were when the engine ended; nothing before the first.
    fn locked(&self) -> Option<SongProfile>;

    /// Puts loaded ones in force.
    fn load(&self, locked: SongProfile);
}

/// What stems are locked at; none for a stem that is not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Locked(pub SongProfile);

impl Locked {
    /// No stem is locked.
    fn is_empty(&self) -> bool {
        self.0.0.iter().all(Option::is_none)
    }

    /// The same of stems whose parameter is on.
    fn of(mut self, are_on: [bool; Stem::COUNT]) -> Self {
        self.0
            .0
            .iter_mut()
            .zip(are_on)
            .for_each(|(profile, is_on)| *profile = profile.take().filter(|_| is_on));
        self
    }
}

impl Saved for Locked {
    const FIELD: &'static str = "locked";
    /// As a learned profile's, of as many curves.
    const KEPT_BYTES_MAX: usize = 256 * 1024;

    fn read(document: &Value) -> Option<Self> {
        let locked = SongProfile::deserialize(document.get("locked")?).ok()?;
        locked.validate().is_ok().then_some(Self(locked))
    }

    /// Through text, because a 32-bit number then keeps its short form.
    fn write(&self) -> Value {
        if self.is_empty() {
            return Value::Null;
        }
        let text = serde_json::to_string(&self.0).unwrap_or_default();
        json!({ "format": FORMAT, "locked": serde_json::from_str::<Value>(&text).unwrap_or(Value::Null) })
    }

    fn words(unread: &Unread) -> String {
        let fate = if unread.is_kept { "kept as they are" } else { "too large to keep" };
        let why = match unread.newer {
            Some(_) => "were saved by a newer version of Tributary",
            None => "could not be read",
        };
        format!(
            "The locked corrections of this project {why} and are {fate}; those stems are listened to anew, and locked then."
        )
    }
}

/// The persisted field.
#[derive(Default)]
pub struct LockedField {
    /// What was loaded, until an engine has taken it over.
    held: Mutex<SavedDocument<Locked>>,
    locker: OnceLock<Weak<dyn Locker>>,
}

impl LockedField {
    fn lock(&self) -> MutexGuard<'_, SavedDocument<Locked>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names who locks. Only the first call counts.
    pub fn attach(&self, locker: Weak<dyn Locker>) {
        let _ = self.locker.set(locker);
    }

    fn locker(&self) -> Option<Arc<dyn Locker>> {
        self.locker.get()?.upgrade()
    }

    /// What is locked now.
    fn in_force(&self) -> Option<Locked> {
        self.locker()?.locked().map(Locked).filter(|locked| !locked.is_empty())
    }

    /// What a new engine starts with: what was in force last, or what was loaded, of stems whose parameter is on. From then on
    /// the engine knows.
    pub fn take_over(&self, are_on: [bool; Stem::COUNT]) -> SongProfile {
        let in_force = self.in_force();
        let mut held = self.lock();
        let locked = in_force.unwrap_or_else(|| held.value().clone()).of(are_on);
        if !held.is_kept() {
            *held = SavedDocument::default();
        }
        locked.0
    }

    /// A sentence for the editor about what was loaded.
    pub fn notice(&self) -> Option<String> {
        self.lock().notice().map(str::to_owned)
    }
}

impl Field for LockedField {
    fn load(&self, document: Value) {
        let held = SavedDocument::<Locked>::load(document);
        let locked = held.value().clone();
        *self.lock() = held;
        if let Some(locker) = self.locker() {
            locker.load(locked.0);
        }
    }

    /// What a save writes now; `null` for nothing. What cannot be read is kept until a stem is locked anew.
    fn document(&self) -> Value {
        self.in_force().map_or_else(|| self.lock().document(), |locked| locked.write())
    }
}

/// Takes out of a state what is locked there of stems whose parameter is off. Of documents that cannot be read nothing.
pub fn unlock_unasked(state: &mut PluginState) {
    let is_on =
        |stem: Stem| matches!(state.params.get(&format!("{stem}_lock")), Some(ParamValue::Bool(true)));
    let are_on = Stem::ALL.map(is_on);
    let Some(text) = state.fields.get_mut(Locked::FIELD) else { return };
    let document = serde_json::from_str(text).ok();
    let readable = document.filter(|document: &Value| document.get("format") == Some(&json!(FORMAT)));
    if let Some(locked) = readable.as_ref().and_then(Locked::read) {
        *text = locked.of(are_on).write().to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::mend;
    use super::*;
    use tributary_dsp::StemProfile;
    use tributary_dsp::profile::{CURVE_POINTS, EqualizationCorrection, LoudnessCorrection};

    fn profile() -> StemProfile {
        let curve = (0..CURVE_POINTS).map(|n| (n as f32 * 0.37).sin() * 14.9).collect();
        StemProfile {
            equalization: Some(EqualizationCorrection {
                gain_db: [1.0 / 3.0; 2],
                curves_db: vec![curve],
                fault: None,
            }),
            loudness: Some(LoudnessCorrection { gain_db: -2.0 / 7.0, limit: None }),
            ..StemProfile::default()
        }
    }

    fn locked(stems: [bool; Stem::COUNT]) -> Locked {
        Locked(SongProfile(stems.map(|is_locked| is_locked.then(profile))))
    }

    fn loaded(document: Value) -> LockedField {
        let field = LockedField::default();
        field.load(document);
        field
    }

    #[test]
    fn what_stems_are_locked_at_comes_back_to_the_bit() {
        let document = locked([true, false, true, false]).write();
        let field = loaded(serde_json::from_str(&document.to_string()).expect("JSON"));
        assert_eq!(field.document(), document);
        assert_eq!(field.take_over([true; 4]), locked([true, false, true, false]).0);
        assert_eq!(field.document(), Value::Null, "an engine knows now");
        assert_eq!(loaded(Value::Null).document(), Value::Null);
        assert_eq!(loaded(Value::Null).take_over([true; 4]), SongProfile::default());
    }

    #[test]
    fn what_is_not_asked_for_any_more_does_not_count() {
        let field = loaded(locked([true, true, false, false]).write());
        assert_eq!(field.take_over([false, true, true, true]), locked([false, true, false, false]).0);
        let mut state: PluginState = serde_json::from_value(json!({
            "params": {"vocals_lock": {"bool": true}, "bass_lock": {"bool": false}},
            "fields": {"locked": locked([true, true, true, false]).write().to_string()},
        }))
        .expect("a state");
        unlock_unasked(&mut state);
        let left: Value = serde_json::from_str(&state.fields["locked"]).expect("JSON");
        assert_eq!(left, locked([true, false, false, false]).write());
    }

    #[test]
    fn an_earlier_project_has_nothing_locked_and_a_damaged_one_says_so() {
        let mut state: PluginState =
            serde_json::from_value(json!({"version": "0.1.0", "params": {}, "fields": {}})).expect("a state");
        mend::<Locked>(&mut state);
        unlock_unasked(&mut state);
        assert_eq!(state.fields["locked"], "null");
        let mut damaged = locked([true; 4]).write();
        damaged["locked"][0]["loudness"]["gain_db"] = json!(1e9);
        for (document, word) in [
            (json!({"format": 9, "locked": [1]}), "newer version"),
            (json!({"format": 1, "locked": "all"}), "could not be read"),
            (damaged, "could not be read"),
        ] {
            let mut state: PluginState =
                serde_json::from_value(json!({"params": {}, "fields": {}})).expect("one");
            state.fields.insert("locked".into(), document.to_string());
            unlock_unasked(&mut state);
            assert_eq!(state.fields["locked"], document.to_string(), "kept");
            let field = loaded(document.clone());
            assert!(field.notice().expect("a sentence").contains(word), "{:?}", field.notice());
            assert_eq!(field.take_over([true; 4]), SongProfile::default());
            assert_eq!(field.document(), document);
        }
    }
}
