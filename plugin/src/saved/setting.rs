//! Settings beside the parameters – the latency mode, the model, the targets, the window's size and look –, which a host must not automate: a
//! change can need a new activation. Each is saved in a field of its own and takes effect with the next activation; a
//! change while the plug-in is active leaves a request for the host's restart, which the editor or the next block passes
//! on, whichever comes first. What is in force, and with it the reported latency, never changes before. A setting that can
//! be brought in force without a restart is [chosen quietly](SettingField::choose_quietly) by whoever does that.
//!
//! What cannot be read, or names a value of a newer version, means the default until the user chooses.

use super::document::{FORMAT, Field, Saved, SavedDocument, Unread};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tributary_engine::LatencyMode;

/// What a [`SettingField`] holds.
pub trait Setting: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send {
    /// Name of the persisted field.
    const FIELD: &'static str;
    /// Name of the value in the field's document.
    const KEY: &'static str;
    /// What the editor says of a document that cannot be read.
    const UNKNOWN: &'static str;
}

impl Setting for LatencyMode {
    const FIELD: &'static str = "latency";
    const KEY: &'static str = "mode";
    const UNKNOWN: &'static str =
        "The latency mode of this project is unknown to this version of Tributary; the standard one is used.";
}

impl<T: Setting> Saved for T {
    const FIELD: &'static str = <T as Setting>::FIELD;
    const KEPT_BYTES_MAX: usize = 4096;

    fn read(document: &Value) -> Option<Self> {
        T::deserialize(document.get(T::KEY)?).ok()
    }

    fn write(&self) -> Value {
        json!({ "format": FORMAT, T::KEY: self })
    }

    fn words(_unread: &Unread) -> String {
        T::UNKNOWN.into()
    }
}

/// The persisted field.
#[derive(Default)]
pub struct SettingField<T: Setting> {
    state: Mutex<State<T>>,
    /// The host should restart the plug-in, and nobody has asked it yet.
    restart: AtomicBool,
}

#[derive(Default)]
struct State<T> {
    chosen: SavedDocument<T>,
    /// The value of the present activation.
    in_force: Option<T>,
}

impl<T: Setting> SettingField<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the user or the project has chosen.
    pub fn chosen(&self) -> T {
        self.lock().chosen.value().clone()
    }

    /// The value of the present activation; `None` while there is none.
    pub fn in_force(&self) -> Option<T> {
        self.lock().in_force.clone()
    }

    /// The user chooses; the host is to restart the plug-in if that changes anything.
    pub fn choose(&self, chosen: T) {
        self.set(SavedDocument::new(chosen));
    }

    /// The user chooses, and the caller will say what has come of it: [`Self::came_in_force`], [`Self::give_up`], or
    /// [`Self::choose`] after all.
    pub fn choose_quietly(&self, chosen: T) {
        let mut state = self.lock();
        self.restart.store(false, Relaxed);
        state.chosen = SavedDocument::new(chosen);
    }

    /// The choice is in force without a restart.
    pub fn came_in_force(&self) {
        let mut state = self.lock();
        if state.in_force.is_some() {
            state.in_force = Some(state.chosen.value().clone());
        }
    }

    /// What is in force is chosen again.
    pub fn give_up(&self) {
        let mut state = self.lock();
        if let Some(in_force) = state.in_force.clone() {
            state.chosen = SavedDocument::new(in_force);
        }
    }

    /// An activation begins: its value.
    pub fn activate(&self) -> T {
        let mut state = self.lock();
        self.restart.store(false, Relaxed);
        let chosen = state.chosen.value().clone();
        state.in_force = Some(chosen.clone());
        chosen
    }

    /// The activation has ended.
    pub fn deactivate(&self) {
        self.lock().in_force = None;
        self.restart.store(false, Relaxed);
    }

    /// Whether another value than the chosen one is in force.
    pub fn is_pending(&self) -> bool {
        let state = self.lock();
        state.in_force.as_ref().is_some_and(|in_force| in_force != state.chosen.value())
    }

    /// Whether the host should be asked for a restart now; true once per change. Real-time safe.
    pub fn take_restart(&self) -> bool {
        self.restart.load(Relaxed) && self.restart.swap(false, Relaxed)
    }

    /// A sentence for the editor about what was loaded.
    pub fn notice(&self) -> Option<String> {
        self.lock().chosen.notice().map(str::to_owned)
    }

    fn set(&self, chosen: SavedDocument<T>) {
        let mut state = self.lock();
        let differs = state.in_force.as_ref().is_some_and(|in_force| in_force != chosen.value());
        self.restart.store(differs, Relaxed);
        state.chosen = chosen;
    }
}

impl<T: Setting> Field for SettingField<T> {
    fn load(&self, document: Value) {
        self.set(SavedDocument::load(document));
    }

    fn document(&self) -> Value {
        self.lock().chosen.document()
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::mend;
    use super::*;
    use nice_plug::prelude::PluginState;

    type LatencyField = SettingField<LatencyMode>;

    const FIELD: &str = <LatencyMode as Saved>::FIELD;

    fn loaded(document: Value) -> LatencyField {
        let field = LatencyField::default();
        field.load(document);
        field
    }

    #[test]
    fn a_mode_comes_back_and_old_projects_are_standard() {
        for mode in LatencyMode::ALL {
            let field = LatencyField::default();
            field.choose(mode);
            let field = loaded(field.document());
            assert_eq!((field.chosen(), field.notice()), (mode, None));
        }
        assert_eq!(loaded(Value::Null).chosen(), LatencyMode::Standard);
        assert_eq!(loaded(Value::Null).notice(), None);
        let mut state: PluginState =
            serde_json::from_value(json!({"version": "0.1.0", "params": {}, "fields": {}})).expect("a state");
        mend::<LatencyMode>(&mut state);
        assert_eq!(state.fields[FIELD], "null");
        state.fields.insert(FIELD.into(), "{\"format\": 1, \"mo".into());
        mend::<LatencyMode>(&mut state);
        assert!(serde_json::from_str::<String>(&state.fields[FIELD]).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_kept_said_and_standard_until_the_user_chooses() {
        for garbage in [
            json!({"format": 1, "mode": "instant"}),
            json!({"format": 2, "mode": "low"}),
            json!({"mode": "low"}),
            json!({"format": 1, "mode": 3}),
            json!([1, "low"]),
            json!("low"),
            json!(7),
        ] {
            let field = loaded(garbage.clone());
            assert_eq!(field.chosen(), LatencyMode::Standard, "{garbage}");
            assert!(field.notice().is_some());
            assert_eq!(field.document(), garbage);
            field.choose(LatencyMode::High);
            assert_eq!(field.document(), json!({"format": 1, "mode": "high"}));
            assert_eq!(field.notice(), None);
        }
        let large = loaded(json!("x".repeat(LatencyMode::KEPT_BYTES_MAX)));
        assert_eq!(large.document(), json!({"format": 1, "mode": "standard"}));
        assert!(large.notice().is_some());
    }

    #[test]
    fn a_restart_is_asked_for_once_per_change_and_only_while_active() {
        let field = LatencyField::default();
        field.choose(LatencyMode::Low);
        assert!(!field.take_restart() && !field.is_pending(), "not active: the next activation takes it");
        assert_eq!(field.activate(), LatencyMode::Low);
        field.choose(LatencyMode::Low);
        assert!(!field.take_restart(), "nothing changes");
        field.choose(LatencyMode::High);
        assert!(field.is_pending());
        assert!(field.take_restart() && !field.take_restart(), "once");
        assert!(field.is_pending(), "until the host does it");
        assert_eq!(field.activate(), LatencyMode::High);
        assert!(!field.is_pending());
        field.load(json!({"format": 1, "mode": "monitor"}));
        assert!(field.take_restart(), "a loaded project asks too");
        field.choose(LatencyMode::Low);
        field.choose(LatencyMode::High);
        assert!(!field.take_restart() && !field.is_pending(), "changed back before anybody asked");
        field.choose(LatencyMode::Low);
        field.deactivate();
        assert!(!field.take_restart() && !field.is_pending());
    }

    #[test]
    fn a_quiet_choice_asks_for_no_restart() {
        let field = LatencyField::default();
        field.activate();
        field.choose_quietly(LatencyMode::Low);
        assert!(field.is_pending() && !field.take_restart());
        assert_eq!(field.document(), json!({"format": 1, "mode": "low"}), "saved at once");
        field.came_in_force();
        assert!(!field.is_pending());
        field.choose_quietly(LatencyMode::High);
        field.give_up();
        assert_eq!(field.chosen(), LatencyMode::Low);
        field.choose_quietly(LatencyMode::High);
        field.choose(field.chosen());
        assert!(field.is_pending() && field.take_restart());
    }
}
