//! Settings beside the parameters – the latency mode, the model –, which a host must not automate: a change can need a new
//! activation. Each is saved in a persisted field of its own and takes effect with the next activation; a change while the
//! plug-in is active leaves a request for the host's restart, which the editor or the next block passes on, whichever comes
//! first. What is in force, and with it the reported latency, never changes before. A setting that can be brought in force
//! without a restart is [chosen quietly](SettingField::choose_quietly) by whoever does that.
//!
//! As with the rest of the state any JSON is accepted: what cannot be read, or names a value of a newer version, is kept as
//! it came until the user chooses, and means the default.

use crate::session::{self, Document};
use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::PluginState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tributary_engine::LatencyMode;

/// Format of the document this version reads and writes.
pub const FORMAT: u64 = 1;

/// Larger documents that nobody can read are dropped.
const KEPT_BYTES_MAX: usize = 4096;

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

/// The persisted field.
#[derive(Default)]
pub struct SettingField<T: Setting> {
    state: Mutex<State<T>>,
    /// The host should restart the plug-in, and nobody has asked it yet.
    restart: AtomicBool,
}

#[derive(Default)]
struct State<T> {
    chosen: T,
    /// The value of the present activation.
    in_force: Option<T>,
    /// A document that cannot be read, saved back untouched.
    kept: Option<Value>,
    notice: Option<String>,
}

impl<T: Setting> SettingField<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the user or the project has chosen.
    pub fn chosen(&self) -> T {
        self.lock().chosen.clone()
    }

    /// The value of the present activation; `None` while there is none.
    pub fn in_force(&self) -> Option<T> {
        self.lock().in_force.clone()
    }

    /// The user chooses; the host is to restart the plug-in if that changes anything.
    pub fn choose(&self, chosen: T) {
        self.set_state(State { chosen, ..State::default() });
    }

    /// The user chooses, and the caller will say what has come of it: [`Self::came_in_force`], [`Self::give_up`], or
    /// [`Self::choose`] after all.
    pub fn choose_quietly(&self, chosen: T) {
        let mut state = self.lock();
        let in_force = state.in_force.take();
        self.restart.store(false, Relaxed);
        *state = State { chosen, in_force, ..State::default() };
    }

    /// The choice is in force without a restart.
    pub fn came_in_force(&self) {
        let mut state = self.lock();
        if state.in_force.is_some() {
            state.in_force = Some(state.chosen.clone());
        }
    }

    /// What is in force is chosen again.
    pub fn give_up(&self) {
        let mut state = self.lock();
        if let Some(in_force) = state.in_force.clone() {
            state.chosen = in_force;
        }
    }

    /// An activation begins: its value.
    pub fn activate(&self) -> T {
        let mut state = self.lock();
        self.restart.store(false, Relaxed);
        state.in_force = Some(state.chosen.clone());
        state.chosen.clone()
    }

    /// The activation has ended.
    pub fn deactivate(&self) {
        self.lock().in_force = None;
        self.restart.store(false, Relaxed);
    }

    /// Whether another value than the chosen one is in force.
    pub fn is_pending(&self) -> bool {
        let state = self.lock();
        state.in_force.as_ref().is_some_and(|in_force| *in_force != state.chosen)
    }

    /// Whether the host should be asked for a restart now; true once per change. Real-time safe.
    pub fn take_restart(&self) -> bool {
        self.restart.load(Relaxed) && self.restart.swap(false, Relaxed)
    }

    /// A sentence for the editor about what was loaded.
    pub fn notice(&self) -> Option<String> {
        self.lock().notice.clone()
    }

    /// What a save writes now.
    pub fn document(&self) -> Document {
        let state = self.lock();
        let written = json!({ "format": FORMAT, T::KEY: state.chosen });
        Document(state.kept.clone().unwrap_or(written))
    }

    fn set_state(&self, new: State<T>) {
        let mut state = self.lock();
        let in_force = state.in_force.take();
        self.restart.store(in_force.as_ref().is_some_and(|in_force| *in_force != new.chosen), Relaxed);
        *state = State { in_force, ..new };
    }

    /// Mends a state before the framework reads it: a field that is not JSON becomes a JSON string, and one that is absent
    /// means the default – the framework would leave the value of the project before it.
    pub fn mend(state: &mut PluginState) {
        session::mend_or_clear_field(state, T::FIELD);
    }
}

fn read<T: Setting>(document: Value) -> State<T> {
    let value = document.get(T::KEY).cloned();
    let format = document.get("format").and_then(Value::as_u64);
    match (format, value.map(serde_json::from_value::<T>)) {
        // Projects from before there was this setting.
        _ if document.is_null() => State::default(),
        (Some(FORMAT), Some(Ok(chosen))) => State { chosen, ..State::default() },
        _ => {
            let kept = Some(document).filter(|document| document.to_string().len() <= KEPT_BYTES_MAX);
            State { kept, notice: Some(T::UNKNOWN.into()), ..State::default() }
        }
    }
}

impl<T: Setting> PersistentField<'_, Document> for SettingField<T> {
    fn set(&self, Document(document): Document) {
        self.set_state(read(document));
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&Document) -> R,
    {
        f(&self.document())
    }
}

/// A field that others than the parameters know.
impl<T: Setting> PersistentField<'_, Document> for Arc<SettingField<T>> {
    fn set(&self, document: Document) {
        PersistentField::set(&**self, document);
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&Document) -> R,
    {
        f(&self.document())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type LatencyField = SettingField<LatencyMode>;

    fn loaded(document: Value) -> LatencyField {
        let field = LatencyField::default();
        field.set(Document(document));
        field
    }

    #[test]
    fn a_mode_comes_back_and_old_projects_are_standard() {
        for mode in LatencyMode::ALL {
            let field = LatencyField::default();
            field.choose(mode);
            let field = loaded(field.document().0);
            assert_eq!((field.chosen(), field.notice()), (mode, None));
        }
        assert_eq!(loaded(Value::Null).chosen(), LatencyMode::Standard);
        assert_eq!(loaded(Value::Null).notice(), None);
        let mut state: PluginState =
            serde_json::from_value(json!({"version": "0.1.0", "params": {}, "fields": {}})).expect("a state");
        LatencyField::mend(&mut state);
        assert_eq!(state.fields[LatencyMode::FIELD], "null");
        state.fields.insert(LatencyMode::FIELD.into(), "{\"format\": 1, \"mo".into());
        LatencyField::mend(&mut state);
        assert!(serde_json::from_str::<String>(&state.fields[LatencyMode::FIELD]).is_ok());
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
            assert_eq!(field.document().0, garbage);
            field.choose(LatencyMode::High);
            assert_eq!(field.document().0, json!({"format": 1, "mode": "high"}));
            assert_eq!(field.notice(), None);
        }
        let large = loaded(json!("x".repeat(KEPT_BYTES_MAX)));
        assert_eq!(large.document().0, json!({"format": 1, "mode": "standard"}));
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
        field.set(Document(json!({"format": 1, "mode": "monitor"})));
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
        assert_eq!(field.document().0, json!({"format": 1, "mode": "low"}), "saved at once");
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
