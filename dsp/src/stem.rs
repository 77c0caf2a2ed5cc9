//! The one definition of the four stems and of their order, which is the network's input order. Everything that counts
//! stems, names them or lays out their channels asks here.

use serde::{Deserialize, Serialize};

/// Channels of four stereo stems, planar: vocals L, vocals R, bass L, bass R, drums L, drums R, other L, other R.
pub const CHANNELS: usize = Stem::COUNT * 2;

/// One of the four stereo stems of a song.
///
/// ```
/// use tributary_dsp::Stem;
///
/// let order: Vec<&str> = Stem::ALL.map(Stem::name).to_vec();
/// assert_eq!(order, ["vocals", "bass", "drums", "other"]);
/// assert_eq!(Stem::from_name("drums"), Some(Stem::Drums));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// Lead and backing voices.
    Vocals,
    /// Bass guitar or bass synthesizer.
    Bass,
    /// Drums and percussion.
    Drums,
    /// Everything else.
    Other,
}

impl Stem {
    /// Number of stems.
    pub const COUNT: usize = 4;

    /// All stems in their order.
    pub const ALL: [Stem; Stem::COUNT] = [Stem::Vocals, Stem::Bass, Stem::Drums, Stem::Other];

    /// Position in [`Stem::ALL`], 0 to 3.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Lower-case name, as in file names and contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Stem::Vocals => "vocals",
            Stem::Bass => "bass",
            Stem::Drums => "drums",
            Stem::Other => "other",
        }
    }

    /// The stem of that name, in any case; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Stem> {
        Stem::ALL.into_iter().find(|stem| stem.name().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for Stem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_round_trip() {
        for (index, stem) in Stem::ALL.into_iter().enumerate() {
            assert_eq!(stem.index(), index);
            assert_eq!(Stem::from_name(stem.name()), Some(stem));
            assert_eq!(Stem::from_name(&stem.name().to_uppercase()), Some(stem));
        }
        assert_eq!(Stem::from_name("guitar"), None);
    }
}
