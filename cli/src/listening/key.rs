//! The names that a page hides from its listener: which mix is which, what songs and attributes are called.
//!
//! The page knows only `s0`, `m1`, `a2`. The key travels in it encoded, so that a glance at the source tells nothing, and is
//! copied into every result, so that results can be analyzed without the test they came from.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// Bytes of an encoded key at most; the largest possible plan stays below.
pub const MAX_KEY_BYTES: usize = 4 << 20;

/// A name and the short identifier the page uses for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Such as `m1`.
    pub id: String,
    /// Such as the system's name.
    pub name: String,
}

impl Named {
    fn list<'a>(prefix: &str, names: impl Iterator<Item = &'a str>) -> Vec<Self> {
        names
            .enumerate()
            .map(|(index, name)| Self { id: format!("{prefix}{index}"), name: name.into() })
            .collect()
    }
}

/// One song's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SongKey {
    /// Such as `s0`.
    pub id: String,
    /// The song's name.
    pub name: String,
    /// Its mixes.
    pub mixes: Vec<Named>,
}

/// All names of a test, and what the analysis needs to know of its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// The test's title.
    pub title: String,
    /// Below this a listener is left out.
    pub minimum_reliability: f64,
    /// Pages that are shown twice.
    pub repeats: usize,
    /// Scales.
    pub attributes: Vec<Named>,
    /// Rated songs.
    pub songs: Vec<SongKey>,
    /// Questions about the listener.
    pub questions: Vec<Named>,
}

impl Key {
    /// The key of a plan.
    pub fn of(plan: &Plan) -> Self {
        let song = |(index, song): (usize, &super::plan::Song)| SongKey {
            id: format!("s{index}"),
            name: song.name.clone(),
            mixes: Named::list("m", song.mixes.keys().map(String::as_str)),
        };
        Self {
            title: plan.title.clone(),
            minimum_reliability: plan.minimum_reliability,
            repeats: plan.repeats,
            attributes: Named::list("a", plan.attributes.iter().map(|attribute| attribute.name.as_str())),
            songs: plan.songs.iter().enumerate().map(song).collect(),
            questions: Named::list("q", plan.questions.iter().map(|question| question.text.as_str())),
        }
    }

    /// As it stands in a page and in a result.
    ///
    /// # Errors
    /// Never in practice: a key is plain data.
    pub fn encoded(&self) -> serde_json::Result<String> {
        Ok(BASE64_STANDARD.encode(&serde_json::to_vec(self)?))
    }

    /// Reads a key from a result; none when it is not one.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > MAX_KEY_BYTES {
            return None;
        }
        serde_json::from_slice(&BASE64_STANDARD.decode(text).ok()?).ok()
    }

    /// Pages that count, without repeats.
    pub fn pages(&self) -> usize {
        self.songs.len() * self.attributes.len()
    }

    /// The system names of all songs, sorted.
    pub fn systems(&self) -> Vec<String> {
        let names = self.songs.iter().flat_map(|song| song.mixes.iter().map(|mix| mix.name.clone()));
        names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}
