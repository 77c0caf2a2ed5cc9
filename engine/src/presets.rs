//! Factory presets: where to begin, in a word. Each is a list of parameters by their identifiers, in their own units, and
//! nothing else; the plug-in's menu, the formats' presets and the command line all read this list.
//!
//! A preset sets the network's part, every amount and every trim, those it does not name to their defaults: choosing one
//! after another is choosing the last. It leaves alone what belongs to the song or to listening: mute, solo, leave alone,
//! lock, Mix, the output gain.

use tributary_dsp::{Amounts, Stem};

use crate::controls::Controls;

/// A factory preset.
///
/// ```
/// use tributary_engine::{PRESETS, Preset};
///
/// assert!(Preset::named("no such preset").is_none());
/// for preset in PRESETS {
///     assert_eq!(preset.controls().sanitized(), preset.controls(), "{}", preset.name);
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// What the command line and hosts call it; never changes.
    pub key: &'static str,
    /// What people read.
    pub name: &'static str,
    /// What it does, one sentence.
    pub words: &'static str,
    /// Identifiers of parameters with their values: dB, or a share from 0 to 1.
    asked: &'static [(&'static str, f32)],
}

/// All of them.
pub const PRESETS: [Preset; 8] = [
    Preset {
        key: "gentle",
        name: "Gentle",
        words: "Half of every correction, and half of what the network does.",
        asked: &[
            ("network", 0.5),
            ("reverb", 0.5),
            ("equalization", 0.5),
            ("dynamics", 0.5),
            ("panning", 0.5),
            ("width", 0.5),
            ("loudness", 0.5),
        ],
    },
    Preset { key: "balanced", name: "Balanced", words: "Everything as a new instance has it.", asked: &[] },
    Preset {
        key: "wide",
        name: "Wide",
        words: "More of what lies at the sides, less of what lies in the middle.",
        asked: &[("vocals_trim", -0.5), ("bass_trim", -0.5), ("other_trim", 1.5), ("bass_width", 0.0)],
    },
    Preset {
        key: "voice-forward",
        name: "Voice forward",
        words: "The voice 2 dB louder, what competes with it a little softer.",
        asked: &[("vocals_trim", 2.0), ("drums_trim", -0.5), ("other_trim", -1.0)],
    },
    Preset {
        key: "drums-forward",
        name: "Drums forward",
        words: "The drums 2 dB louder, with the bass; the voice and the rest a little softer.",
        asked: &[("drums_trim", 2.0), ("bass_trim", 0.5), ("vocals_trim", -0.5), ("other_trim", -1.0)],
    },
    Preset {
        key: "dry-room",
        name: "Dry room",
        words: "No reverb is added, and nothing is widened.",
        asked: &[("reverb", 0.0), ("width", 0.0)],
    },
    Preset {
        key: "restore",
        name: "Restore",
        words: "Equalization and dynamics only: faults are mended, the balance stays yours.",
        asked: &[("network", 0.0), ("reverb", 0.0), ("panning", 0.0), ("width", 0.0), ("loudness", 0.0)],
    },
    Preset {
        key: "monitor",
        name: "Monitor",
        words: "The corrected stems in plain sum, without the network.",
        asked: &[("network", 0.0)],
    },
];

impl Preset {
    /// The preset of that key or name, as people type it.
    pub fn named(name: &str) -> Option<&'static Self> {
        let key = name.replace([' ', '_'], "-").to_lowercase();
        PRESETS.iter().find(|preset| preset.key == key)
    }

    /// What it asks for; mute, solo and leave alone at their defaults.
    pub fn controls(&self) -> Controls {
        let mut controls = Controls::NEUTRAL;
        for (id, value) in self.asked {
            if let Some(number) = number(&mut controls, id) {
                *number = *value;
            }
        }
        controls
    }

    /// Every parameter that presets set, with its value here.
    pub fn values(&self) -> Vec<(String, f32)> {
        let mut controls = self.controls();
        let of = |id: String| number(&mut controls, &id).map(|number| (id, *number));
        ids().filter_map(of).collect()
    }
}

/// Identifiers of all parameters that presets set.
fn ids() -> impl Iterator<Item = String> {
    let of_mix = std::iter::once("network").chain(Amounts::NAMES).map(str::to_owned);
    let of_stem =
        |stem: Stem| std::iter::once("trim").chain(Amounts::NAMES).map(move |name| format!("{stem}_{name}"));
    of_mix.chain(Stem::ALL.into_iter().flat_map(of_stem))
}

/// A number by its identifier; nothing for one that presets do not set.
fn number<'a>(controls: &'a mut Controls, id: &str) -> Option<&'a mut f32> {
    if id == "network" {
        return Some(&mut controls.network);
    }
    let Some((stem, name)) = id.split_once('_') else { return controls.amounts.get_mut(id) };
    let stem = &mut controls.stems[Stem::from_name(stem)?.index()];
    if name == "trim" { Some(&mut stem.trim_db) } else { stem.amounts.get_mut(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_name_known_parameters_in_range_and_differ() {
        for preset in &PRESETS {
            for (id, value) in preset.asked {
                let mut controls = preset.controls();
                let set = number(&mut controls, id).unwrap_or_else(|| panic!("{}: {id}", preset.name));
                assert_eq!(set, value, "{}: {id}", preset.name);
                assert!(ids().any(|known| known == *id), "{}: {id} is known by its own name", preset.name);
            }
            assert_eq!(preset.controls().sanitized(), preset.controls(), "{}", preset.name);
            assert!(preset.words.ends_with('.'));
            assert_eq!(Preset::named(preset.name), Some(preset));
            let same = PRESETS.iter().filter(|other| other.controls() == preset.controls());
            assert_eq!(same.count(), 1, "{} is like another one", preset.name);
        }
    }

    #[test]
    fn names_are_read_as_people_type_them() {
        for name in ["Voice forward", "voice-forward", "VOICE_FORWARD"] {
            assert_eq!(Preset::named(name).map(|preset| preset.name), Some("Voice forward"));
        }
        assert_eq!(Preset::named("loud"), None);
        let balanced = Preset::named("balanced").expect("known");
        assert_eq!(balanced.controls(), Controls::NEUTRAL);
    }

    #[test]
    fn values_are_complete_and_say_the_same_as_the_controls() {
        let voice = Preset::named("voice-forward").expect("known");
        let values = voice.values();
        assert_eq!(values.len(), 1 + 6 + 4 * 7);
        let of = |id: &str| values.iter().find(|(known, _)| known == id).map(|(_, value)| *value);
        assert_eq!((of("vocals_trim"), of("bass_trim"), of("network")), (Some(2.0), Some(0.0), Some(1.0)));
        assert_eq!((of("mix"), of("vocals_mute")), (None, None));
    }
}
