//! Looks into the YAML of data sets: nested maps, texts, lists of texts. A thin view over the parser, because keys are
//! missing, or of another type than usual, more often than not.

use anyhow::{Context, Result};
use yaml_rust2::YamlLoader;

/// A node of a document, or nothing.
#[derive(Debug, Clone)]
pub struct Yaml(yaml_rust2::Yaml);

impl Yaml {
    /// Parses the first document of a text.
    ///
    /// # Errors
    /// The text is not YAML, or empty.
    pub fn parse(text: &str) -> Result<Self> {
        let documents = YamlLoader::load_from_str(text)?;
        Ok(Self(documents.into_iter().next().context("it is empty")?))
    }

    /// The text under a key; none when absent or not a plain value.
    pub fn text(&self, key: &str) -> Option<String> {
        plain(&self.0[key])
    }

    /// The texts under a key, which may be one or a list.
    pub fn texts(&self, key: &str) -> Vec<String> {
        match &self.0[key] {
            yaml_rust2::Yaml::Array(items) => items.iter().filter_map(plain).collect(),
            one => plain(one).into_iter().collect(),
        }
    }

    /// Yes or no under a key, as YAML's booleans or as words.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.text(key)?.to_ascii_lowercase().as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        }
    }

    /// The named nodes under a key, in the document's order.
    pub fn entries(&self, key: &str) -> Vec<(String, Yaml)> {
        let Some(map) = self.0[key].as_hash() else { return Vec::new() };
        map.iter().filter_map(|(name, node)| Some((plain(name)?, Yaml(node.clone())))).collect()
    }
}

fn plain(node: &yaml_rust2::Yaml) -> Option<String> {
    match node {
        yaml_rust2::Yaml::String(text) | yaml_rust2::Yaml::Real(text) => Some(text.clone()),
        yaml_rust2::Yaml::Integer(number) => Some(number.to_string()),
        yaml_rust2::Yaml::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}
