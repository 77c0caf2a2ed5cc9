//! One persisted field of a project, as a document in JSON.
//!
//! The framework loads a field all or nothing and reports “ok” either way. So the fields here accept *any* JSON: a document
//! of a newer version is kept and saved back untouched; one that cannot be read is kept too, unless it is too large; both
//! are said in the editor, and the default takes their place. Nothing here fails or activates anything.

use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::PluginState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Format of the documents that this version reads and writes.
pub(super) const FORMAT: u64 = 1;

/// A thing that a project keeps in a field of its own.
pub trait Saved: Clone + Default {
    /// Name of the persisted field.
    const FIELD: &'static str;

    /// Larger documents that nobody can read are dropped: a project must not grow by them.
    const KEPT_BYTES_MAX: usize;

    /// The document of a project from before there was this field. It means the default.
    fn absent() -> Value {
        Value::Null
    }

    /// The content of a document of [`FORMAT`]; `None` when it is not one.
    fn read(document: &Value) -> Option<Self>;

    /// The document, with its format.
    fn write(&self) -> Value;

    /// A default that keeps an unreadable document inside itself, for what goes on to be written beside it; the document
    /// back when it is saved in the place of everything else.
    fn holding(unreadable: Value) -> Result<Self, Value> {
        Err(unreadable)
    }

    /// What the editor says of a document that cannot be read.
    fn words(unread: &Unread) -> String;
}

/// A document that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// Its format, when it is a newer version's.
    pub newer: Option<u64>,
    /// Its length.
    pub bytes: usize,
    /// Whether it is small enough to be kept.
    pub is_kept: bool,
}

/// A field's content: what was read, or the default beside a document that could not be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SavedDocument<T> {
    value: T,
    kept: Option<Value>,
    notice: Option<String>,
}

impl<T: Saved> SavedDocument<T> {
    /// What the user has chosen or done: a document that was kept is given up.
    pub fn new(value: T) -> Self {
        Self { value, kept: None, notice: None }
    }

    /// What a project holds.
    pub fn load(document: Value) -> Self {
        if document == T::absent() {
            return Self::default();
        }
        let format = document.get("format").and_then(Value::as_u64);
        if format == Some(FORMAT)
            && let Some(value) = T::read(&document)
        {
            return Self::new(value);
        }
        let newer = format.filter(|format| *format > FORMAT);
        let bytes = document.to_string().len();
        let unread = Unread { newer, bytes, is_kept: newer.is_some() || bytes <= T::KEPT_BYTES_MAX };
        let notice = Some(T::words(&unread));
        match (unread.is_kept, newer) {
            (false, _) => Self { notice, ..Self::default() },
            (true, Some(_)) => Self { kept: Some(document), notice, ..Self::default() },
            (true, None) => match T::holding(document) {
                Ok(value) => Self { notice, ..Self::new(value) },
                Err(document) => Self { kept: Some(document), notice, ..Self::default() },
            },
        }
    }

    /// What a save writes.
    pub fn document(&self) -> Value {
        self.kept.clone().unwrap_or_else(|| self.value.write())
    }

    /// What is in force.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Whether a document that cannot be read is saved back in the place of the value.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// A sentence for the editor.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// What the editor should say of the value.
    pub fn set_notice(&mut self, notice: Option<String>) {
        self.notice = notice;
    }
}

/// Mends a state before the framework reads it: a field that is not JSON becomes a JSON string, which reaches its
/// [`SavedDocument`] and is kept there instead of being dropped with a log line, and an absent one says so, because the
/// framework would leave in force what the project before it had there.
pub fn mend<T: Saved>(state: &mut PluginState) {
    let text = state.fields.entry(T::FIELD.into()).or_insert_with(|| T::absent().to_string());
    if serde_json::from_str::<Value>(text).is_err() {
        *text = Value::String(std::mem::take(text)).to_string();
    }
}

/// A persisted field, as its owner sees it: any JSON in, JSON out.
pub trait Field: Send + Sync {
    /// The project holds this.
    fn load(&self, document: Value);

    /// What a save writes now.
    fn document(&self) -> Value;
}

/// A field's content as the framework moves it: any JSON.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(Value);

/// The parameters share their fields with those who act on them.
impl<F: Field> PersistentField<'_, Document> for Arc<F> {
    fn set(&self, Document(document): Document) {
        self.load(document);
    }

    fn map<F2, R>(&self, f: F2) -> R
    where
        F2: Fn(&Document) -> R,
    {
        f(&Document(self.document()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A number; with a place inside for what could not be read when `HOLDS`.
    #[derive(Debug, Clone, Default, PartialEq)]
    struct Number<const HOLDS: bool>(u64, Option<Value>);

    impl<const HOLDS: bool> Saved for Number<HOLDS> {
        const FIELD: &'static str = "number";
        const KEPT_BYTES_MAX: usize = 40;

        fn read(document: &Value) -> Option<Self> {
            Some(Self(document.get("number")?.as_u64()?, document.get("held").cloned()))
        }

        fn write(&self) -> Value {
            let mut document = json!({"format": FORMAT, "number": self.0});
            if let Some(held) = &self.1 {
                document["held"] = held.clone();
            }
            document
        }

        fn holding(unreadable: Value) -> Result<Self, Value> {
            if HOLDS { Ok(Self(0, Some(unreadable))) } else { Err(unreadable) }
        }

        fn words(unread: &Unread) -> String {
            format!("{unread:?}")
        }
    }

    type Plain = SavedDocument<Number<false>>;
    type Holding = SavedDocument<Number<true>>;

    #[test]
    fn what_was_saved_comes_back_and_nothing_is_the_default() {
        let saved = Plain::new(Number(7, None)).document();
        assert_eq!(saved, json!({"format": 1, "number": 7}));
        assert_eq!(Plain::load(saved), Plain::new(Number(7, None)));
        assert_eq!(Plain::load(Value::Null), Plain::default());
    }

    #[test]
    fn a_newer_document_is_kept_untouched_however_large_and_said() {
        let newer = json!({"format": 2, "number": 7, "more": "x".repeat(100)});
        let (plain, holding) = (Plain::load(newer.clone()), Holding::load(newer.clone()));
        assert!(plain.is_kept() && holding.is_kept());
        assert_eq!((plain.document(), holding.document()), (newer.clone(), newer));
        assert_eq!((plain.value().0, holding.value().0), (0, 0), "the default meanwhile");
        for notice in [plain.notice(), holding.notice()] {
            assert!(notice.expect("a sentence").contains("newer: Some(2)"));
        }
    }

    #[test]
    fn an_unreadable_document_is_kept_in_place_or_inside_and_does_not_grow() {
        for garbage in [
            json!("text"),
            json!([1]),
            json!({"number": 7}),
            json!({"format": 1}),
            json!({"format": 0, "number": 7}),
        ] {
            let plain = Plain::load(garbage.clone());
            assert!(plain.is_kept() && plain.notice().is_some());
            assert_eq!((plain.document(), plain.value().0), (garbage.clone(), 0));
            let holding = Holding::load(garbage.clone());
            assert!(!holding.is_kept() && holding.notice().is_some());
            assert_eq!(holding.document()["held"], garbage);
            assert_eq!(Holding::load(holding.document()).document(), holding.document(), "the same again");
        }
    }

    #[test]
    fn what_nobody_can_read_must_not_be_large() {
        let large = json!("x".repeat(Number::<false>::KEPT_BYTES_MAX));
        assert_eq!(Plain::load(large.clone()).document(), Plain::default().document());
        assert!(Plain::load(large.clone()).notice().expect("a sentence").contains("is_kept: false"));
        assert_eq!(Holding::load(large).document(), Holding::default().document());
    }

    #[test]
    fn a_state_is_mended_so_that_every_field_is_json() {
        let mut state: PluginState =
            serde_json::from_value(json!({"version": "0.1.0", "params": {}, "fields": {}})).expect("a state");
        mend::<Number<false>>(&mut state);
        assert_eq!(state.fields["number"], "null");
        state.fields.insert("number".into(), "{\"format\": 1, \"num".into());
        mend::<Number<false>>(&mut state);
        assert_eq!(
            serde_json::from_str::<String>(&state.fields["number"]).expect("JSON"),
            "{\"format\": 1, \"num"
        );
    }
}
