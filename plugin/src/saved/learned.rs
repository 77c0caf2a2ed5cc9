//! The learned profile in the saved state: a field of its own beside the session, because it is the one part of a project
//! that the sound depends on besides the parameters.
//!
//! What cannot be read is kept until something is learned or forgotten. A profile that was learned for another
//! normalization is kept too, while running estimates do its work: with its model it comes back.

use super::document::{FORMAT, Field, Saved, SavedDocument, Unread};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tributary_engine::{LearnedSong, LearnedStatistics};

/// Who learns; asked when a project is saved, told when one is loaded.
pub trait Learner: Send + Sync {
    /// The profile in force, if any.
    fn song(&self) -> Option<Arc<LearnedSong>>;

    /// Puts a loaded profile in force, or none; returns a sentence when it cannot be used.
    fn load(&self, song: Option<LearnedSong>) -> Option<String>;
}

/// What was learned, if anything.
pub type Learned = Option<Arc<LearnedSong>>;

impl Saved for Learned {
    const FIELD: &'static str = "learned";
    /// A profile of two curves per stem takes 90 KB.
    const KEPT_BYTES_MAX: usize = 256 * 1024;

    fn read(document: &Value) -> Option<Self> {
        let learned = LearnedSong::deserialize(document.get("learned")?).ok()?;
        is_usable(&learned).then(|| Some(Arc::new(learned)))
    }

    /// Through text, because a 32-bit number then keeps its short form: 11 bytes a point instead of 20.
    fn write(&self) -> Value {
        let Some(song) = self else { return Value::Null };
        let text = serde_json::to_string(song.as_ref()).unwrap_or_default();
        json!({ "format": FORMAT, "learned": serde_json::from_str::<Value>(&text).unwrap_or(Value::Null) })
    }

    fn words(unread: &Unread) -> String {
        let fate = if unread.is_kept { "kept as it is" } else { "too large to keep" };
        let why = match unread.newer {
            Some(_) => "was saved by a newer version of Tributary",
            None => "could not be read",
        };
        format!("The learned profile of this project {why} and is {fate}; Tributary adapts instead.")
    }
}

/// Whether every number is one that some song, and some network, can have.
fn is_usable(learned: &LearnedSong) -> bool {
    let possible = |learned: &LearnedStatistics| learned.statistics.is_possible();
    learned.profile.validate().is_ok() && learned.statistics.as_ref().is_none_or(possible)
}

/// The persisted field: what is saved when nothing is in force.
#[derive(Default)]
pub struct LearnedField {
    held: Mutex<SavedDocument<Learned>>,
    learner: OnceLock<Weak<dyn Learner>>,
}

impl LearnedField {
    fn lock(&self) -> MutexGuard<'_, SavedDocument<Learned>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names who learns. Only the first call counts.
    pub fn attach(&self, learner: Weak<dyn Learner>) {
        let _ = self.learner.set(learner);
    }

    fn learner(&self) -> Option<Arc<dyn Learner>> {
        self.learner.get()?.upgrade()
    }

    /// The profile in force.
    fn in_force(&self) -> Learned {
        self.learner()?.song()
    }

    /// The profile a new engine starts with: what was in force last, or what was loaded. Holds it from now on.
    pub fn take_over(&self) -> Option<LearnedSong> {
        let learned = self.in_force();
        let mut held = self.lock();
        if learned.is_some() {
            *held = SavedDocument::new(learned);
        }
        held.value().as_deref().cloned()
    }

    /// The profile in force, or the one that is kept meanwhile.
    pub fn present(&self) -> Learned {
        self.in_force().or_else(|| self.lock().value().clone())
    }

    /// Holds this from now on.
    pub fn hold(&self, learned: Learned) {
        *self.lock() = SavedDocument::new(learned);
    }

    /// The user forgets, or learns anew: what was held is given up.
    pub fn clear(&self) {
        *self.lock() = SavedDocument::default();
    }

    /// What the editor should say about the held profile. Without one there is what it says about the document.
    pub fn set_notice(&self, notice: Option<String>) {
        let mut held = self.lock();
        if held.value().is_some() {
            held.set_notice(notice);
        }
    }

    /// A sentence for the editor, unless a profile is in force.
    pub fn notice(&self) -> Option<String> {
        if self.in_force().is_some() { None } else { self.lock().notice().map(str::to_owned) }
    }
}

impl Field for LearnedField {
    fn load(&self, document: Value) {
        let held = SavedDocument::<Learned>::load(document);
        let song = held.value().as_deref().cloned();
        *self.lock() = held;
        if let Some(learner) = self.learner() {
            let refused = learner.load(song);
            self.set_notice(refused);
        }
    }

    /// What a save writes now; `null` for nothing.
    fn document(&self) -> Value {
        let learned = self.in_force();
        if learned.is_some() { learned.write() } else { self.lock().document() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::mend;
    use super::*;
    use nice_plug::prelude::PluginState;
    use tributary_dsp::profile::{CURVE_POINTS, EqualizationCorrection, LoudnessCorrection};
    use tributary_dsp::{SongProfile, StemProfile};
    use tributary_engine::Statistics;

    /// The largest profile there is: two curves per stem, of numbers that need all their digits.
    fn learned() -> LearnedSong {
        let curve =
            |seed: usize| (0..CURVE_POINTS).map(|n| ((n * 7 + seed) as f32 * 0.37).sin() * 14.9).collect();
        let stem = |index: usize| {
            Some(StemProfile {
                equalization: Some(EqualizationCorrection {
                    gain_db: [-1.0 / 3.0, 2.0 / 7.0],
                    curves_db: vec![curve(index), curve(index + 50)],
                    fault: None,
                }),
                loudness: Some(LoudnessCorrection { gain_db: -0.1 * index as f64, limit: None }),
                ..StemProfile::default()
            })
        };
        LearnedSong {
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

    fn write() -> Value {
        Some(Arc::new(learned())).write()
    }

    fn loaded(document: Value) -> LearnedField {
        let field = LearnedField::default();
        field.load(document);
        field
    }

    #[test]
    fn the_largest_profile_comes_back_and_fits() {
        let text = write().to_string();
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
        assert_eq!(field.document().to_string(), text, "saved again it is the same");
    }

    #[test]
    fn nothing_stays_nothing() {
        let field = loaded(Value::Null);
        assert_eq!(field.document(), Value::Null);
        assert_eq!((field.take_over(), field.notice()), (None, None));
        assert_eq!(LearnedField::default().document(), Value::Null);
    }

    #[test]
    fn what_cannot_be_read_is_kept_and_said_until_it_is_given_up() {
        let mut damaged = write();
        damaged["learned"]["profile"][0]["loudness"]["gain_db"] = json!(1e9);
        let mut impossible = write();
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
            assert_eq!(field.document(), document);
            field.clear();
            assert_eq!((field.document(), field.notice()), (Value::Null, None));
        }
        let field = loaded(json!("x".repeat(Learned::KEPT_BYTES_MAX)));
        assert_eq!(field.document(), Value::Null);
        assert!(field.notice().expect("a sentence").contains("too large"));
        field.set_notice(None);
        assert!(field.notice().is_some(), "an engine that has nothing to take over says nothing of it");
    }

    struct Refusing;

    impl Learner for Refusing {
        fn song(&self) -> Option<Arc<LearnedSong>> {
            None
        }

        fn load(&self, song: Option<LearnedSong>) -> Option<String> {
            song.map(|_| "It belongs to another model.".into())
        }
    }

    #[test]
    fn a_foreign_profile_is_kept_and_said() {
        let field = LearnedField::default();
        let refusing: Arc<dyn Learner> = Arc::new(Refusing);
        field.attach(Arc::downgrade(&refusing));
        field.load(write());
        assert_eq!(field.notice().as_deref(), Some("It belongs to another model."));
        assert_eq!(field.document(), write());
    }

    #[test]
    fn a_state_without_the_field_says_that_nothing_was_learned() {
        let mut state: PluginState =
            serde_json::from_value(json!({"version": "0.1.0", "params": {}, "fields": {}})).expect("a state");
        mend::<Learned>(&mut state);
        assert_eq!(state.fields[Learned::FIELD], "null");
        state.fields.insert(Learned::FIELD.into(), "{\"format\": 1, \"lea".into());
        mend::<Learned>(&mut state);
        assert!(serde_json::from_str::<String>(&state.fields[Learned::FIELD]).is_ok());
    }
}
