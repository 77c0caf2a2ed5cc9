//! The learned profile in the saved state: a persisted field of its own beside the session, because it is the one part
//! of a project that the sound depends on besides the parameters.
//!
//! As with the session, any JSON is accepted: a document of a newer format, or one that cannot be read, is kept as it
//! came until something is learned or forgotten, and said in the editor. A profile that was learned for another
//! normalization is kept too, while running estimates do its work: with its model it comes back.

use crate::session::{self, Document};
use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::PluginState;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tributary_engine::{LearnedProfile, LearnedStatistics};

/// Format of the document this version reads and writes.
pub const FORMAT: u64 = 1;

/// Name of the persisted field.
pub const FIELD: &str = "learned";

/// Larger documents that nobody can read are dropped. A profile of two curves per stem takes 90 KB.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// Who learns; asked when a project is saved, told when one is loaded.
pub trait Learner: Send + Sync {
    /// The profile in force, if any.
    fn profile(&self) -> Option<Arc<LearnedProfile>>;

    /// Puts a loaded profile in force, or none; returns a sentence when it cannot be used.
    fn load(&self, profile: Option<LearnedProfile>) -> Option<String>;
}

/// The persisted field.
#[derive(Default)]
pub struct LearnedField {
    state: Mutex<State>,
    learner: OnceLock<Arc<dyn Learner>>,
}

#[derive(Debug, Default)]
struct State {
    held: Held,
    notice: Option<String>,
}

/// What is saved when nothing is in force.
#[derive(Debug, Clone, Default, PartialEq)]
enum Held {
    /// Nothing was learned.
    #[default]
    Nothing,
    /// A profile.
    Profile(Box<LearnedProfile>),
    /// A document that cannot be read, saved back untouched.
    Document(Value),
}

impl LearnedField {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names who learns. Only the first call counts.
    pub fn attach(&self, learner: Arc<dyn Learner>) {
        let _ = self.learner.set(learner);
    }

    /// The profile a new engine starts with: what was in force last, or what was loaded. Holds it from now on.
    pub fn take_over(&self) -> Option<LearnedProfile> {
        let learned = self.learner.get().and_then(|learner| learner.profile());
        let mut state = self.lock();
        if let Some(learned) = learned {
            state.held = Held::Profile(Box::new(LearnedProfile::clone(&learned)));
        }
        match &state.held {
            Held::Profile(profile) => Some(LearnedProfile::clone(profile)),
            Held::Nothing | Held::Document(_) => None,
        }
    }

    /// The user forgets, or learns anew: what was held is given up.
    pub fn clear(&self) {
        *self.lock() = State::default();
    }

    /// What the editor should say about the held profile.
    pub fn set_notice(&self, notice: Option<String>) {
        let mut state = self.lock();
        // A document that cannot be read has its own.
        if !matches!(state.held, Held::Document(_)) {
            state.notice = notice;
        }
    }

    /// A sentence for the editor, unless a profile is in force.
    pub fn notice(&self) -> Option<String> {
        let in_force = self.learner.get().is_some_and(|learner| learner.profile().is_some());
        if in_force { None } else { self.lock().notice.clone() }
    }

    /// What a save writes now; `null` for nothing.
    pub fn document(&self) -> Document {
        let learned = self.learner.get().and_then(|learner| learner.profile());
        let held = match learned {
            Some(learned) => Held::Profile(Box::new(LearnedProfile::clone(&learned))),
            None => self.lock().held.clone(),
        };
        Document(match held {
            Held::Nothing => Value::Null,
            Held::Profile(profile) => write(&profile),
            Held::Document(document) => document,
        })
    }
}

/// Through text, because a 32-bit number then keeps its short form: 11 bytes a point instead of 20.
fn write(profile: &LearnedProfile) -> Value {
    let text = serde_json::to_string(profile).unwrap_or_default();
    json!({ "format": FORMAT, "learned": serde_json::from_str::<Value>(&text).unwrap_or(Value::Null) })
}

fn read(document: Value) -> (Held, Option<String>) {
    let format = document.get("format").and_then(Value::as_u64);
    let learned = document.get("learned").cloned().unwrap_or(Value::Null);
    match (format, serde_json::from_value::<LearnedProfile>(learned)) {
        _ if document.is_null() => (Held::Nothing, None),
        (Some(FORMAT), Ok(learned)) if is_usable(&learned) => (Held::Profile(Box::new(learned)), None),
        (format, _) => {
            let bytes = document.to_string().len();
            let (held, fate) = if bytes <= KEPT_BYTES_MAX {
                (Held::Document(document), "kept as it is")
            } else {
                (Held::Nothing, "too large to keep")
            };
            let why = match format {
                Some(format) if format > FORMAT => "was saved by a newer version of Tributary",
                _ => "could not be read",
            };
            let notice =
                format!("The learned profile of this project {why} and is {fate}; Tributary adapts instead.");
            (held, Some(notice))
        }
    }
}

/// Whether every number is one that some song, and some network, can have.
fn is_usable(learned: &LearnedProfile) -> bool {
    let possible = |learned: &LearnedStatistics| learned.statistics.is_possible();
    learned.profile.validate().is_ok() && learned.statistics.as_ref().is_none_or(possible)
}

impl PersistentField<'_, Document> for LearnedField {
    fn set(&self, Document(document): Document) {
        let (held, notice) = read(document);
        let profile = match &held {
            Held::Profile(profile) => Some(LearnedProfile::clone(profile)),
            Held::Nothing | Held::Document(_) => None,
        };
        *self.lock() = State { held, notice };
        if let Some(learner) = self.learner.get() {
            let refused = learner.load(profile);
            self.set_notice(refused);
        }
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&Document) -> R,
    {
        f(&self.document())
    }
}

/// Mends a state before the framework reads it: a field that is not JSON becomes a JSON string, and one that is absent
/// says that nothing was learned – the framework would leave what the project before it had learned in force.
pub fn mend(state: &mut PluginState) {
    session::mend_or_clear_field(state, FIELD);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::profile::{CURVE_POINTS, EqualizationCorrection, LoudnessCorrection};
    use tributary_dsp::{SongProfile, StemProfile};
    use tributary_engine::Statistics;

    /// The largest profile there is: two curves per stem, of numbers that need all their digits.
    fn learned() -> LearnedProfile {
        let curve =
            |seed: usize| (0..CURVE_POINTS).map(|n| ((n * 7 + seed) as f32 * 0.37).sin() * 14.9).collect();
        let stem = |index: usize| {
            Some(StemProfile {
                equalization: Some(EqualizationCorrection {
                    gain_db: [-1.0 / 3.0, 2.0 / 7.0],
                    curves_db: vec![curve(index), curve(index + 50)],
                }),
                loudness: Some(LoudnessCorrection { gain_db: -0.1 * index as f64 }),
                ..StemProfile::default()
            })
        };
        LearnedProfile {
            normalization_sha256: "ab".repeat(32),
            learned_unix_s: 1_780_000_000,
            length_s: 211.3,
            profile: SongProfile(std::array::from_fn(stem)),
            statistics: Some(LearnedStatistics {
                model_sha256: "cd".repeat(32),
                statistics: Statistics {
                    norms: (0..57).map(|n| [n as f32 / 3.0 - 9.0, 1.0 / (n + 1) as f32]).collect(),
                    gate: (0..128).map(|n| n as f32 / 7.0).collect(),
                },
            }),
        }
    }

    fn loaded(document: Value) -> LearnedField {
        let field = LearnedField::default();
        field.set(Document(document));
        field
    }

    #[test]
    fn the_largest_profile_comes_back_and_fits() {
        let text = write(&learned()).to_string();
        assert!(text.len() < 115_000, "{} bytes", text.len());
        let field = loaded(serde_json::from_str(&text).expect("JSON"));
        assert_eq!(field.notice(), None);
        let restored = field.take_over().expect("a profile");
        assert_eq!(restored.statistics, learned().statistics, "every bit of the network's averages");
        for (restored, original) in
            restored.profile.0.iter().flatten().zip(learned().profile.0.iter().flatten())
        {
            let curves = |profile: &StemProfile| {
                profile
                    .equalization
                    .as_ref()
                    .expect("present")
                    .curves_db
                    .concat()
                    .iter()
                    .map(|x| x.to_bits())
                    .collect()
            };
            let (restored, original): (Vec<u32>, Vec<u32>) = (curves(restored), curves(original));
            assert_eq!(restored, original, "every bit of a curve");
        }
        assert_eq!(field.document().0.to_string(), text, "saved again it is the same");
    }

    #[test]
    fn nothing_stays_nothing() {
        let field = loaded(Value::Null);
        assert_eq!(field.document().0, Value::Null);
        assert_eq!((field.take_over(), field.notice()), (None, None));
        assert_eq!(LearnedField::default().document().0, Value::Null);
    }

    #[test]
    fn what_cannot_be_read_is_kept_and_said_until_it_is_given_up() {
        let mut damaged = write(&learned());
        damaged["learned"]["profile"][0]["loudness"]["gain_db"] = json!(1e9);
        let mut impossible = write(&learned());
        impossible["learned"]["statistics"]["statistics"]["gate"][3] = json!(-1.0);
        for (document, word) in [
            (json!({"format": 9, "takes": [1, 2]}), "newer version"),
            (json!({"format": 1, "learned": {"profile": "none"}}), "could not be read"),
            (json!([1, 2, 3]), "could not be read"),
            (json!("text"), "could not be read"),
            (damaged, "could not be read"),
            (impossible, "could not be read"),
        ] {
            let field = loaded(document.clone());
            assert_eq!(field.take_over(), None);
            assert!(field.notice().expect("a sentence").contains(word), "{:?}", field.notice());
            assert_eq!(field.document().0, document);
            field.clear();
            assert_eq!((field.document().0, field.notice()), (Value::Null, None));
        }
        let field = loaded(json!("x".repeat(KEPT_BYTES_MAX)));
        assert_eq!(field.document().0, Value::Null);
        assert!(field.notice().expect("a sentence").contains("too large"));
    }

    struct Refusing;

    impl Learner for Refusing {
        fn profile(&self) -> Option<Arc<LearnedProfile>> {
            None
        }

        fn load(&self, profile: Option<LearnedProfile>) -> Option<String> {
            profile.map(|_| "It belongs to another model.".into())
        }
    }

    #[test]
    fn a_foreign_profile_is_kept_and_said() {
        let field = LearnedField::default();
        field.attach(Arc::new(Refusing));
        field.set(Document(write(&learned())));
        assert_eq!(field.notice().as_deref(), Some("It belongs to another model."));
        assert_eq!(field.document().0, write(&learned()));
    }

    #[test]
    fn a_state_without_the_field_says_that_nothing_was_learned() {
        let mut state: PluginState =
            serde_json::from_value(json!({"version": "0.1.0", "params": {}, "fields": {}})).expect("a state");
        mend(&mut state);
        assert_eq!(state.fields[FIELD], "null");
        state.fields.insert(FIELD.into(), "{\"format\": 1, \"lea".into());
        mend(&mut state);
        assert!(serde_json::from_str::<String>(&state.fields[FIELD]).is_ok());
    }
}
