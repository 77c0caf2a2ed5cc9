//! The latency mode: a setting beside the parameters, because a host must not automate it – a new latency needs a new
//! activation. It is saved in a persisted field of its own and takes effect with the next activation; a change while the
//! plug-in is active leaves a request for the host's restart, which the editor or the next block passes on, whichever comes
//! first. What is in force, and with it the reported latency, never changes before.
//!
//! As with the rest of the state any JSON is accepted: what cannot be read, or names a mode of a newer version, is kept as
//! it came until the user chooses, and means the standard mode.

use crate::session::{self, Document};
use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::PluginState;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tributary_engine::LatencyMode;

/// Format of the document this version reads and writes.
pub const FORMAT: u64 = 1;

/// Name of the persisted field.
pub const FIELD: &str = "latency";

/// Larger documents that nobody can read are dropped.
const KEPT_BYTES_MAX: usize = 4096;

/// The persisted field.
#[derive(Default)]
pub struct LatencyField {
    state: Mutex<State>,
    /// The host should restart the plug-in, and nobody has asked it yet.
    restart: AtomicBool,
}

#[derive(Default)]
struct State {
    chosen: LatencyMode,
    /// The mode of the present activation.
    in_force: Option<LatencyMode>,
    /// A document that cannot be read, saved back untouched.
    kept: Option<Value>,
    notice: Option<String>,
}

impl LatencyField {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mode that the user or the project has chosen.
    pub fn chosen(&self) -> LatencyMode {
        self.lock().chosen
    }

    /// The user chooses.
    pub fn choose(&self, mode: LatencyMode) {
        self.set_state(State { chosen: mode, ..State::default() });
    }

    /// An activation begins: its mode.
    pub fn activate(&self) -> LatencyMode {
        let mut state = self.lock();
        self.restart.store(false, Relaxed);
        state.in_force = Some(state.chosen);
        state.chosen
    }

    /// The activation has ended.
    pub fn deactivate(&self) {
        self.lock().in_force = None;
        self.restart.store(false, Relaxed);
    }

    /// Whether another mode than the chosen one is in force.
    pub fn is_pending(&self) -> bool {
        let state = self.lock();
        state.in_force.is_some_and(|mode| mode != state.chosen)
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
        let written = json!({ "format": FORMAT, "mode": state.chosen });
        Document(state.kept.clone().unwrap_or(written))
    }

    fn set_state(&self, new: State) {
        let mut state = self.lock();
        let in_force = state.in_force;
        self.restart.store(in_force.is_some_and(|mode| mode != new.chosen), Relaxed);
        *state = State { in_force, ..new };
    }
}

fn read(document: Value) -> State {
    let mode = document.get("mode").cloned().unwrap_or(Value::Null);
    let format = document.get("format").and_then(Value::as_u64);
    match (format, serde_json::from_value::<LatencyMode>(mode)) {
        // Projects from before there were modes.
        _ if document.is_null() => State::default(),
        (Some(FORMAT), Ok(chosen)) => State { chosen, ..State::default() },
        _ => {
            let kept = Some(document).filter(|document| document.to_string().len() <= KEPT_BYTES_MAX);
            let notice = "The latency mode of this project is unknown to this version of Tributary; the standard one is used.";
            State { kept, notice: Some(notice.into()), ..State::default() }
        }
    }
}

impl PersistentField<'_, Document> for LatencyField {
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

/// Mends a state before the framework reads it: a field that is not JSON becomes a JSON string, and one that is absent
/// means the standard mode – the framework would leave the mode of the project before it.
pub fn mend(state: &mut PluginState) {
    session::mend_or_clear_field(state, FIELD);
}

#[cfg(test)]
mod tests {
    use super::*;

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
        mend(&mut state);
        assert_eq!(state.fields[FIELD], "null");
        state.fields.insert(FIELD.into(), "{\"format\": 1, \"mo".into());
        mend(&mut state);
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
}
