//! Values of parameters by their identifiers, in their own units: what a snapshot holds and a preset asks for. A switch is 0
//! or 1, a choice its place in the list. Plain values and not positions, so that they can be read and outlive a change of
//! range.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// More than there will ever be parameters.
const VALUES_MAX: usize = 1000;
/// Longest identifier, in bytes.
const ID_BYTES_MAX: usize = 100;

/// Values of some parameters. Every number is finite; whether it is in range is for the parameter to say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values(BTreeMap<String, f32>);

impl Values {
    /// The value of a parameter, if there is one.
    pub fn get(&self, id: &str) -> Option<f32> {
        self.0.get(id).copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Identifiers and values, by identifier.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.0.iter().map(|(id, value)| (id.as_str(), *value))
    }

    /// From a project's document, which may hold anything. Identifiers that nobody knows may be a newer version's and are
    /// kept.
    pub fn read(document: &Value) -> Option<Self> {
        let object = document.as_object().filter(|object| object.len() <= VALUES_MAX)?;
        let read = |(id, value): (&String, &Value)| {
            let value = value.as_f64()? as f32;
            (value.is_finite() && id.len() <= ID_BYTES_MAX).then(|| (id.clone(), value))
        };
        object.iter().map(read).collect::<Option<_>>().map(Self)
    }

    /// For a project's document. Through text, because a 32-bit number then keeps its short form.
    pub fn write(&self) -> Value {
        let text = serde_json::to_string(&self.0).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_else(|_| Value::Object(Map::new()))
    }
}

impl FromIterator<(String, f32)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, f32)>>(values: I) -> Self {
        Self(values.into_iter().filter(|(_, value)| value.is_finite()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_come_back_to_the_bit_and_read_well() {
        let values: Values = [("gain", -6.3), ("vocals_mute", 1.0), ("x", 1.0 / 3.0), ("nan", f32::NAN)]
            .map(|(id, value)| (id.to_owned(), value))
            .into_iter()
            .collect();
        let written = values.write();
        assert_eq!(written.to_string(), r#"{"gain":-6.3,"vocals_mute":1.0,"x":0.33333334}"#);
        assert_eq!(Values::read(&written), Some(values.clone()));
        assert_eq!((values.get("gain"), values.get("nan")), (Some(-6.3), None));
    }

    #[test]
    fn what_is_no_list_of_values_is_refused() {
        let many: Map<String, Value> = (0..=VALUES_MAX).map(|n| (n.to_string(), json!(0))).collect();
        for document in [
            Value::Null,
            json!([1]),
            json!({"mix": "1"}),
            json!({"mix": null}),
            json!({"mix": 1e300}),
            json!({ "x".repeat(ID_BYTES_MAX + 1): 1 }),
            Value::Object(many),
        ] {
            assert_eq!(Values::read(&document), None);
        }
        assert_eq!(Values::read(&json!({})), Some(Values::default()));
    }
}
