//! How much of each effect is let through, on top of what the recipe says, while it plays. An amount of 1 changes no bit; the
//! effects go on listening whatever it is, so turning one up again finds it settled.

use serde::Serialize;

use crate::hop::{HOP_FRAMES, Hop};

/// A share, 0 to 1, of what the recipe says, for each effect.
///
/// ```
/// use tributary_dsp::Amounts;
///
/// let gentle = Amounts { width: 0.5, ..Amounts::FULL };
/// let half_of_everything = gentle.times(Amounts::all(0.5));
/// assert_eq!((half_of_everything.width, half_of_everything.loudness), (0.25, 0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Amounts {
    /// Of the reverb send.
    pub reverb: f32,
    /// Of the equalization. Between 0 and 1 the filtered stem is blended with the plain one.
    pub equalization: f32,
    /// Of the compression and the gain that belongs to it, in dB and in ratio.
    pub dynamics: f32,
    /// Of the panning.
    pub panning: f32,
    /// Of the added side.
    pub width: f32,
    /// Of the gain, in dB.
    pub loudness: f32,
}

impl Default for Amounts {
    fn default() -> Self {
        Self::FULL
    }
}

impl Amounts {
    /// Everything as the recipe says.
    pub const FULL: Self = Self::all(1.0);

    /// Names of the effects, as in a recipe, in the order of the chain.
    pub const NAMES: [&'static str; 6] =
        ["reverb", "equalization", "dynamics", "panning", "width", "loudness"];

    /// The same share of every effect.
    pub const fn all(share: f32) -> Self {
        Self {
            reverb: share,
            equalization: share,
            dynamics: share,
            panning: share,
            width: share,
            loudness: share,
        }
    }

    /// The amount of the effect of that name, to be set; nothing for an effect that has none.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut f32> {
        let index = Self::NAMES.iter().position(|known| *known == name)?;
        self.each_mut().into_iter().nth(index)
    }

    /// The shares in the order of [`Amounts::NAMES`].
    pub fn each(&self) -> [f32; 6] {
        [self.reverb, self.equalization, self.dynamics, self.panning, self.width, self.loudness]
    }

    /// The same, to be changed.
    pub fn each_mut(&mut self) -> [&mut f32; 6] {
        let Self { reverb, equalization, dynamics, panning, width, loudness } = self;
        [reverb, equalization, dynamics, panning, width, loudness]
    }

    /// A share of a share.
    pub fn times(mut self, other: Self) -> Self {
        self.each_mut().into_iter().zip(other.each()).for_each(|(share, other)| *share *= other);
        self
    }
}

/// An amount over one hop: where it begins and where it ends; between them it moves in a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Ahead of the hop's first frame.
    pub start: f32,
    /// At its last frame.
    pub end: f32,
}

impl Share {
    /// All of the effect.
    pub const FULL: Self = Self { start: 1.0, end: 1.0 };

    /// Whether nothing is held back.
    pub fn is_full(self) -> bool {
        self == Self::FULL
    }

    /// The share at each frame of a hop.
    pub(crate) fn frames(self) -> impl Iterator<Item = f32> {
        let step = (self.end - self.start) / HOP_FRAMES as f32;
        (1..=HOP_FRAMES).map(move |frame| match frame {
            HOP_FRAMES => self.end,
            _ => self.start + step * frame as f32,
        })
    }

    /// Blends a hop from what it would be without the effect to what it is with it.
    pub(crate) fn blend(self, hop: &mut Hop, without: &Hop) {
        for (side, without) in hop.sides_mut().into_iter().zip(without.sides()) {
            for ((sample, without), share) in side.iter_mut().zip(without).zip(self.frames()) {
                *sample = without + (*sample - without) * share;
            }
        }
    }
}

/// How far a filter goes towards its goal per hop. Two in a row, so that the way has no corner.
const GLIDE_SHARE: f32 = 0.25;
/// The rest of a way that nobody hears.
const ARRIVED: f32 = 1e-4;

/// An amount that follows its goal from hop to hop: 90 % of the way in a third of a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Following {
    goal: f32,
    leading: f32,
    value: f32,
}

impl Following {
    /// All of the effect.
    pub(crate) const FULL: Self = Self { goal: 1.0, leading: 1.0, value: 1.0 };

    /// Where it goes.
    pub(crate) fn set(&mut self, goal: f32) {
        self.goal = goal;
    }

    /// It is there at once.
    pub(crate) fn arrive(&mut self) {
        (self.leading, self.value) = (self.goal, self.goal);
    }

    /// Whether it rests on nothing of the effect.
    pub(crate) fn is_nothing(&self) -> bool {
        self.value == 0.0 && self.goal == 0.0
    }

    /// Over the next hop.
    pub(crate) fn advance(&mut self) -> Share {
        let start = self.value;
        if self.value != self.goal || self.leading != self.goal {
            self.leading += GLIDE_SHARE * (self.goal - self.leading);
            self.value += GLIDE_SHARE * (self.leading - self.value);
            if (self.value - self.goal).abs() < ARRIVED && (self.leading - self.goal).abs() < ARRIVED {
                self.arrive();
            }
        }
        Share { start, end: self.value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_named_and_multiply() {
        let mut amounts = Amounts::FULL;
        *amounts.get_mut("width").expect("known") = 0.5;
        assert_eq!(amounts.get_mut("conditioning"), None);
        let quarter = amounts.times(amounts);
        assert_eq!((quarter.width, quarter.loudness), (0.25, 1.0));
    }

    #[test]
    fn an_amount_arrives_without_a_gap() {
        let mut following = Following::FULL;
        assert!(following.advance().is_full());
        following.set(0.0);
        let (mut last, mut hops) = (1.0, 0);
        while last > 0.0 {
            let share = following.advance();
            assert_eq!(share.start, last);
            let frames: Vec<f32> = share.frames().collect();
            assert_eq!((frames.len(), frames[HOP_FRAMES - 1]), (HOP_FRAMES, share.end));
            assert!(share.start - share.end < 0.2);
            (last, hops) = (share.end, hops + 1);
        }
        assert!((20..60).contains(&hops), "{hops}");
    }
}
