//! What a project keeps beside the parameters: which model made the mix, and how the last run went.
//!
//! The framework loads a field all or nothing and reports "ok" either way, so this one accepts *any* JSON: a document of
//! a newer format is kept and saved back untouched, and anything unreadable is kept under `unreadable`. Both are said in
//! the editor. Nothing here ever fails or activates anything.

use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::PluginState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tributary_engine::{ModelName, RenderReport, Report};

/// Format of the document this version reads and writes.
pub const FORMAT: u64 = 1;

/// Name of the persisted field.
pub const FIELD: &str = "session";

/// Larger foreign documents are dropped: a project file must not grow by what nobody can read.
const KEPT_BYTES_MAX: usize = 64 * 1024;

const KEPT_NOTICE: &str =
    "This project holds session data that could not be read earlier; it is kept as it was.";

/// The document of [`FORMAT`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Always [`FORMAT`].
    pub format: u64,
    /// The model in use when the project was saved.
    #[serde(default)]
    pub model: ModelName,
    /// The last run as an [`engine report`](tributary_engine::Report), absent before the first. Untyped, because a
    /// figure another version adds or cannot express must not make the rest unreadable.
    #[serde(default)]
    pub report: Option<Value>,
    /// A document that could not be read when this session was loaded, kept as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<Value>,
}

/// The persisted field's content: any JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub Value);

/// What was loaded.
#[derive(Debug, Clone, PartialEq)]
enum Loaded {
    /// Nothing yet, or a document of this format.
    Known(Session),
    /// A document of a newer version, saved back untouched.
    Newer(Value),
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
    source: OnceLock<Arc<dyn Source>>,
}

#[derive(Debug)]
struct State {
    loaded: Loaded,
    notice: Option<String>,
    /// The model of the loaded project, until a run replaces it.
    loaded_model: Option<ModelName>,
}

impl Default for State {
    fn default() -> Self {
        let session = Session { format: FORMAT, ..Session::default() };
        Self { loaded: Loaded::Known(session), notice: None, loaded_model: None }
    }
}

impl SessionField {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names who is asked when the project is saved. Only the first call counts.
    pub fn attach(&self, source: Arc<dyn Source>) {
        let _ = self.source.set(source);
    }

    /// What a save writes now: a newer document as it came, else the running model and report, or those loaded.
    pub fn document(&self) -> Document {
        let mut session = match self.lock().loaded.clone() {
            Loaded::Newer(document) => return Document(document),
            Loaded::Known(session) => session,
        };
        if let Some(mut report) = self.source.get().and_then(|source| source.current()) {
            // What the project's last render lost stays said until it is rendered again.
            report.render = report.render.or_else(|| render_of(&session));
            session.model = report.model.clone();
            session.report = serde_json::to_value(report).ok();
        }
        Document(serde_json::to_value(session).unwrap_or(Value::Null))
    }

    /// How the last render went before the project was saved, as far as it says.
    pub fn loaded_render(&self) -> Option<RenderReport> {
        match &self.lock().loaded {
            Loaded::Known(session) => render_of(session),
            Loaded::Newer(_) => None,
        }
    }

    /// The user has chosen a model: the one that the project was saved with is no surprise any more.
    pub fn model_was_chosen(&self) {
        self.lock().loaded_model = None;
    }

    /// Sentences for the editor about what was loaded, given the model in use now.
    pub fn notices(&self, model: &ModelName) -> Vec<String> {
        let state = self.lock();
        let mut notices: Vec<String> = state.notice.iter().cloned().collect();
        if let Some(saved) = &state.loaded_model
            && saved.sha256 != model.sha256
            && !model.sha256.is_empty()
        {
            notices.push(format!(
                "This project was saved with the model “{} {}”; “{} {}” is in use now and may sound different.",
                saved.name, saved.version, model.name, model.version
            ));
        }
        notices
    }
}

impl PersistentField<'_, Document> for SessionField {
    fn set(&self, Document(document): Document) {
        let format = document.get("format").and_then(Value::as_u64);
        let mut state = self.lock();
        state.loaded_model = None;
        (state.loaded, state.notice) = match format {
            Some(format) if format > FORMAT => newer(format, document),
            _ => match serde_json::from_value::<Session>(document.clone()) {
                // An array would fill the fields in order.
                Ok(session) if format == Some(FORMAT) => {
                    state.loaded_model = Some(session.model.clone()).filter(|model| !model.sha256.is_empty());
                    let notice = session.unreadable.as_ref().map(|_| KEPT_NOTICE.to_owned());
                    (Loaded::Known(session), notice)
                }
                _ => unreadable(document),
            },
        };
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&Document) -> R,
    {
        f(&self.document())
    }
}

fn render_of(session: &Session) -> Option<RenderReport> {
    serde_json::from_value(session.report.as_ref()?.get("render")?.clone()).ok()
}

fn newer(format: u64, document: Value) -> (Loaded, Option<String>) {
    let notice = format!(
        "This project was saved by a newer version of Tributary (session format {format}; this one knows {FORMAT}). \
         Its session data is kept as it is; defaults are used meanwhile."
    );
    (Loaded::Newer(document), Some(notice))
}

fn unreadable(document: Value) -> (Loaded, Option<String>) {
    let bytes = document.to_string().len();
    let (kept, fate) = match document {
        // Saved as the absence of one.
        Value::Null => (None, "nothing to keep"),
        document if bytes <= KEPT_BYTES_MAX => (Some(document), "kept"),
        _ => (None, "too large to keep"),
    };
    let notice = format!(
        "The session data of this project could not be read ({bytes} bytes, {fate}); defaults are used."
    );
    (Loaded::Known(Session { format: FORMAT, unreadable: kept, ..Session::default() }), Some(notice))
}

/// Mends a state before the framework reads it: a field that is not JSON becomes a JSON string, so that it reaches
/// [`SessionField`] and is kept there instead of being dropped with a log line.
pub fn mend(state: &mut PluginState) {
    mend_field(state, FIELD);
}

/// [`mend`] for the field of any [`Document`].
fn mend_field(state: &mut PluginState, field: &str) {
    if let Some(text) = state.fields.get_mut(field)
        && serde_json::from_str::<Value>(text).is_err()
    {
        *text = Value::String(std::mem::take(text)).to_string();
    }
}

/// The same, and an absent field becomes `null`: the framework would leave in force what the project before it had there.
pub(crate) fn mend_or_clear_field(state: &mut PluginState, field: &str) {
    state.fields.entry(field.into()).or_insert_with(|| "null".into());
    mend_field(state, field);
}

#[cfg(test)]
mod tests {
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

    fn model(sha256: &str) -> ModelName {
        ModelName { name: "default".into(), version: "0.1.0".into(), sha256: sha256.into() }
    }

    fn loaded(document: Value) -> SessionField {
        let field = SessionField::default();
        field.set(Document(document));
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
        params.session.attach(Arc::new(Running));
        let saved = state(&params);
        let fresh = TributaryParams::default();
        fresh.deserialize_fields(&saved.fields);
        assert_eq!(fresh.session.document(), params.session.document());
        let document = fresh.session.document().0;
        assert_eq!(document["format"], 1);
        assert_eq!(document["report"]["underruns"], 3);
        assert_eq!(document["report"]["stems"][1]["after_lufs"], -18.25);
        assert_eq!(document["model"]["sha256"], "abc");
    }

    #[test]
    fn what_the_last_render_lost_stays_with_the_project() {
        let lost = json!({"announced": true, "lost_s": [[12.0, 15.5]]});
        let field = loaded(json!({"format": 1, "report": {"render": lost}}));
        field.attach(Arc::new(Running)); // which has not rendered
        assert_eq!(field.document().0["report"]["render"], lost);
        assert!(field.loaded_render().unwrap().words().unwrap().contains("0:12.0 to 0:15.5"));
        for garbage in [json!({"render": 3}), json!({"render": {"lost_s": [[1]]}}), json!(7), json!({})] {
            assert_eq!(loaded(json!({"format": 1, "report": garbage})).loaded_render(), None);
        }
    }

    #[test]
    fn another_model_is_said() {
        let params = TributaryParams::default();
        params.session.attach(Arc::new(Running));
        let field = loaded(params.session.document().0);
        assert!(field.notices(&model("abc")).is_empty());
        assert!(field.notices(&ModelName::default()).is_empty(), "nothing to compare with yet");
        assert!(field.notices(&model("def"))[0].contains("may sound different"));
        field.model_was_chosen();
        assert!(field.notices(&model("def")).is_empty());
    }

    #[test]
    fn a_newer_document_is_kept_and_said() {
        let newer = json!({"format": 7, "model": 5, "takes": [1, 2, 3]});
        let field = loaded(newer.clone());
        field.attach(Arc::new(Running));
        assert_eq!(field.document().0, newer);
        assert!(field.notices(&model("abc"))[0].contains("newer version"));
    }

    #[test]
    fn garbage_is_kept_said_and_does_not_grow() {
        for garbage in [json!("text"), json!([1]), json!({"format": 1, "model": 3}), json!({"format": 0})] {
            let field = loaded(garbage.clone());
            let first = field.document().0;
            assert_eq!(first["unreadable"], garbage);
            assert!(field.notices(&ModelName::default())[0].contains("could not be read"));
            let again = loaded(first.clone());
            assert_eq!(again.document().0, first);
            assert!(!again.notices(&ModelName::default()).is_empty());
        }
        assert!(!loaded(Value::Null).notices(&ModelName::default()).is_empty());
        let field = loaded(json!("x".repeat(KEPT_BYTES_MAX + 1)));
        assert!(field.document().0.get("unreadable").is_none());
    }

    #[test]
    fn text_that_is_no_json_reaches_the_field() {
        let params = TributaryParams::default();
        let mut broken = state(&params);
        broken.fields.insert(FIELD.into(), "{\"format\": 1, \"mod".into());
        mend(&mut broken);
        params.deserialize_fields(&broken.fields);
        assert_eq!(params.session.document().0["unreadable"], "{\"format\": 1, \"mod");
    }

    /// Bytes flipped, cut, doubled or replaced at random (fixed seed): whatever still loads must neither panic nor
    /// leave the field in a form that cannot be saved and loaded again.
    #[test]
    fn a_thousand_corrupted_states() {
        let params = TributaryParams::default();
        params.session.attach(Arc::new(Running));
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
            mend(&mut state);
            let victim = TributaryParams::default();
            victim.deserialize_fields(&state.fields);
            let document = victim.session.document();
            noticed += usize::from(!victim.session.notices(&ModelName::default()).is_empty());
            let again = loaded(document.0.clone());
            assert_eq!(again.document(), document);
        }
        assert!(parsed > 100, "{parsed} of the states could still be parsed");
        assert!(noticed > 20, "{noticed} states were reported");
    }
}
