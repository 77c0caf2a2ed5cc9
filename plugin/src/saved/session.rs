//! What a project keeps beside the parameters: which model made the mix, and how the last run went.
//!
//! A document that cannot be read is kept inside the new one, under `unreadable`: the report of the next run goes beside
//! it. One of a newer version is not added to.

use super::document::{FORMAT, Field, Saved, SavedDocument, Unread};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tributary_engine::{ModelName, RenderReport, Report};

const KEPT_NOTICE: &str =
    "This project holds session data that could not be read earlier; it is kept as it was.";

/// How a project was mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Of the document.
    format: u64,
    /// The model in use when the project was saved.
    #[serde(default)]
    model: ModelName,
    /// The last run as an [`engine report`](tributary_engine::Report), absent before the first. Untyped, because a
    /// figure another version adds or cannot express must not make the rest unreadable.
    #[serde(default)]
    report: Option<Value>,
    /// A document that could not be read when this session was loaded, kept as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unreadable: Option<Value>,
}

impl Default for Session {
    fn default() -> Self {
        Self { format: FORMAT, model: ModelName::default(), report: None, unreadable: None }
    }
}

impl Saved for Session {
    const FIELD: &'static str = "session";
    const KEPT_BYTES_MAX: usize = 64 * 1024;

    /// Not `null`, which no version has ever written: that is a document that was damaged.
    fn absent() -> Value {
        Self::default().write()
    }

    fn read(document: &Value) -> Option<Self> {
        Self::deserialize(document).ok()
    }

    fn write(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    fn holding(unreadable: Value) -> Result<Self, Value> {
        // `null` is saved as the absence of one.
        Ok(Self { unreadable: Some(unreadable).filter(|document| !document.is_null()), ..Self::default() })
    }

    fn words(unread: &Unread) -> String {
        match (unread.newer, unread.bytes) {
            (Some(format), _) => format!(
                "This project was saved by a newer version of Tributary (session format {format}; this one knows \
                 {FORMAT}). Its session data is kept as it is; defaults are used meanwhile."
            ),
            (None, bytes) => {
                let fate = if unread.is_kept { "kept" } else { "too large to keep" };
                format!(
                    "The session data of this project could not be read ({bytes} bytes, {fate}); defaults are used."
                )
            }
        }
    }
}

impl Session {
    fn render(&self) -> Option<RenderReport> {
        serde_json::from_value(self.report.as_ref()?.get("render")?.clone()).ok()
    }

    /// The same after another run.
    fn after(mut self, mut run: Report) -> Self {
        // What the project's last render lost stays said until it is rendered again.
        run.render = run.render.or_else(|| self.render());
        self.model = run.model.clone();
        self.report = serde_json::to_value(run).ok();
        self
    }
}

/// Who knows the running model and its report; asked when a project is saved.
pub trait Source: Send + Sync {
    /// The run so far, with the model in use; `None` before the first activation.
    fn current(&self) -> Option<Report>;
}

/// The persisted field: holds what was loaded and, when saved, asks its [`Source`] for the present.
#[derive(Default)]
pub struct SessionField {
    state: Mutex<State>,
    source: OnceLock<Weak<dyn Source>>,
}

#[derive(Default)]
struct State {
    loaded: SavedDocument<Session>,
    /// The user has chosen a model since.
    is_model_chosen: bool,
}

impl SessionField {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names who is asked when the project is saved. Only the first call counts.
    pub fn attach(&self, source: Weak<dyn Source>) {
        let _ = self.source.set(source);
    }

    fn source(&self) -> Option<Arc<dyn Source>> {
        self.source.get()?.upgrade()
    }

    /// How the last render went before the project was saved, as far as it says.
    pub fn loaded_render(&self) -> Option<RenderReport> {
        self.lock().loaded.value().render()
    }

    /// The user has chosen a model: the one that the project was saved with is no surprise any more.
    pub fn model_was_chosen(&self) {
        self.lock().is_model_chosen = true;
    }

    /// Sentences for the editor about what was loaded, given the model in use now.
    pub fn notices(&self, model: &ModelName) -> Vec<String> {
        let state = self.lock();
        let session = state.loaded.value();
        let kept = session.unreadable.as_ref().map(|_| KEPT_NOTICE);
        let mut notices: Vec<String> =
            state.loaded.notice().or(kept).map(str::to_owned).into_iter().collect();
        let saved = &session.model;
        let is_known = !saved.sha256.is_empty() && !model.sha256.is_empty();
        if is_known && !state.is_model_chosen && saved.sha256 != model.sha256 {
            notices.push(another_model(saved, model));
        }
        notices
    }
}

/// What to say of a project that was saved with this model while another one plays.
fn another_model(saved: &ModelName, now: &ModelName) -> String {
    if (&saved.name, &saved.version) == (&now.name, &now.version) {
        return format!(
            "The model “{} {}” has been revised since this project was saved; it may sound different.",
            now.name, now.version
        );
    }
    format!(
        "This project was saved with the model “{} {}”; “{} {}” is in use now and may sound different.",
        saved.name, saved.version, now.name, now.version
    )
}

impl Field for SessionField {
    fn load(&self, document: Value) {
        *self.lock() = State { loaded: SavedDocument::load(document), is_model_chosen: false };
    }

    /// A newer document as it came, else the running model and report, or those loaded.
    fn document(&self) -> Value {
        let loaded = self.lock().loaded.clone();
        if loaded.is_kept() {
            return loaded.document();
        }
        let run = self.source().and_then(|source| source.current());
        run.map_or_else(|| loaded.document(), |run| loaded.value().clone().after(run).write())
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::mend;
    use super::*;
    use crate::params::TributaryParams;
    use nice_plug::prelude::*;
    use serde_json::json;

    struct Running;

    impl Source for Running {
        fn current(&self) -> Option<Report> {
            let mut report =
                Report { state: "ready".into(), model: model("abc"), underruns: 3, ..Report::default() };
            report.stems[1].after_lufs = -18.25;
            report.load = f32::NAN; // JSON cannot hold it
            Some(report)
        }
    }

    /// One that outlives every test.
    fn running() -> Weak<dyn Source> {
        static RUNNING: OnceLock<Arc<Running>> = OnceLock::new();
        let running: Weak<Running> = Arc::downgrade(RUNNING.get_or_init(|| Arc::new(Running)));
        running
    }

    fn model(sha256: &str) -> ModelName {
        ModelName { name: "default".into(), version: "0.1.0".into(), sha256: sha256.into() }
    }

    fn loaded(document: Value) -> SessionField {
        let field = SessionField::default();
        field.load(document);
        field
    }

    /// A whole state as the framework writes it.
    fn state(params: &TributaryParams) -> PluginState {
        let json = json!({
            "version": "0.1.0",
            "params": {"mix": {"f32": 0.5}, "gain": {"f32": -3.0}, "bypass": {"bool": true}, "dry_source": {"string": "sum"}},
            "fields": params.serialize_fields(),
        });
        serde_json::from_value(json).expect("a valid state")
    }

    #[test]
    fn a_saved_report_comes_back() {
        let params = TributaryParams::default();
        params.session.attach(running());
        let saved = state(&params);
        let fresh = TributaryParams::default();
        fresh.deserialize_fields(&saved.fields);
        assert_eq!(fresh.session.document(), params.session.document());
        let document = fresh.session.document();
        assert_eq!(document["format"], 1);
        assert_eq!(document["report"]["underruns"], 3);
        assert_eq!(document["report"]["stems"][1]["after_lufs"], -18.25);
        assert_eq!(document["model"]["sha256"], "abc");
    }

    #[test]
    fn what_the_last_render_lost_stays_with_the_project() {
        let lost = json!({"announced": true, "lost_s": [[12.0, 15.5]]});
        let field = loaded(json!({"format": 1, "report": {"render": lost}}));
        field.attach(running()); // which has not rendered
        assert_eq!(field.document()["report"]["render"], lost);
        assert!(field.loaded_render().unwrap().words().unwrap().contains("0:12.0 to 0:15.5"));
        for garbage in [json!({"render": 3}), json!({"render": {"lost_s": [[1]]}}), json!(7), json!({})] {
            assert_eq!(loaded(json!({"format": 1, "report": garbage})).loaded_render(), None);
        }
    }

    #[test]
    fn another_model_is_said() {
        let params = TributaryParams::default();
        params.session.attach(running());
        let field = loaded(params.session.document());
        assert!(field.notices(&model("abc")).is_empty());
        assert!(field.notices(&ModelName::default()).is_empty(), "nothing to compare with yet");
        assert!(field.notices(&model("def"))[0].contains("default 0.1.0” has been revised"));
        let other = ModelName { name: "small".into(), ..model("def") };
        assert!(field.notices(&other)[0].contains("“default 0.1.0”; “small 0.1.0” is in use now"));
        field.model_was_chosen();
        assert!(field.notices(&model("def")).is_empty());
    }

    #[test]
    fn a_newer_document_is_kept_and_said() {
        let newer = json!({"format": 7, "model": 5, "takes": [1, 2, 3]});
        let field = loaded(newer.clone());
        field.attach(running());
        assert_eq!(field.document(), newer);
        assert!(field.notices(&model("abc"))[0].contains("newer version"));
    }

    #[test]
    fn garbage_is_kept_said_and_does_not_grow() {
        for garbage in [json!("text"), json!([1]), json!({"format": 1, "model": 3}), json!({"format": 0})] {
            let field = loaded(garbage.clone());
            let first = field.document();
            assert_eq!(first["unreadable"], garbage);
            assert!(field.notices(&ModelName::default())[0].contains("could not be read"));
            let again = loaded(first.clone());
            assert_eq!(again.document(), first);
            assert!(!again.notices(&ModelName::default()).is_empty());
        }
        assert!(!loaded(Value::Null).notices(&ModelName::default()).is_empty());
        let field = loaded(json!("x".repeat(Session::KEPT_BYTES_MAX + 1)));
        assert!(field.document().get("unreadable").is_none());
    }

    #[test]
    fn text_that_is_no_json_reaches_the_field() {
        let params = TributaryParams::default();
        let mut broken = state(&params);
        broken.fields.insert(Session::FIELD.into(), "{\"format\": 1, \"mod".into());
        mend::<Session>(&mut broken);
        params.deserialize_fields(&broken.fields);
        assert_eq!(params.session.document()["unreadable"], "{\"format\": 1, \"mod");
    }

    /// Bytes flipped, cut, doubled or replaced at random (fixed seed): whatever still loads must neither panic nor
    /// leave the field in a form that cannot be saved and loaded again.
    #[test]
    fn a_thousand_corrupted_states() {
        let params = TributaryParams::default();
        params.session.attach(running());
        let good = serde_json::to_vec(&state(&params)).expect("serializes");
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % bound.max(1) as u64) as usize
        };
        let (mut parsed, mut noticed) = (0, 0);
        for _ in 0..1000 {
            let mut bytes = good.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                match next(5) {
                    0 => bytes[at] ^= 1 << next(8),
                    1 => bytes[at] = b"0123456789{}[]\",:"[next(17)],
                    2 => drop(bytes.drain(at..(at + next(9)).min(bytes.len()))),
                    3 => bytes.extend_from_within(at..(at + 6).min(bytes.len())),
                    _ => bytes.insert(at, next(256) as u8),
                }
            }
            let Ok(mut state) = serde_json::from_slice::<PluginState>(&bytes) else { continue };
            parsed += 1;
            mend::<Session>(&mut state);
            let victim = TributaryParams::default();
            victim.deserialize_fields(&state.fields);
            let document = victim.session.document();
            noticed += usize::from(!victim.session.notices(&ModelName::default()).is_empty());
            let again = loaded(document.clone());
            assert_eq!(again.document(), document);
        }
        assert!(parsed > 100, "{parsed} of the states could still be parsed");
        assert!(noticed > 20, "{noticed} states were reported");
    }
}
