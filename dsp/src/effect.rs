//! What an effect is. Everything that brings a stem nearer to its targets keeps this contract, and the chain, the
//! whole-file passes and the live normalizer know effects by nothing else.

use std::fmt::Debug;

use crate::amounts::Share;
use crate::findings::Findings;
use crate::hop::Hop;
use crate::portrait::TonePortrait;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::session::Standing;
use crate::store::{StemStore, StoreError};

/// Where an effect's correction comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Running estimates of what has been heard.
    Adaptive,
    /// What was decided beforehand; `None` for a stem that is left alone, or whose correction is yet to be found.
    Fixed(Option<&'a StemProfile>),
}

impl<'a> Source<'a> {
    /// What was decided beforehand.
    pub fn profile(self) -> Option<&'a StemProfile> {
        match self {
            Source::Adaptive => None,
            Source::Fixed(profile) => profile,
        }
    }
}

/// One feature of one stem, as the averages of a data set are made of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// Mean magnitude of the 65,536-point transform at −30 LUFS, [`crate::targets::FULL_BINS`] values, linear.
    Spectrum(Vec<f64>),
    /// Onset peaks of the stem peak-normalized to −10 dBFS.
    Peaks {
        /// Mean of the loudest quarter, in dBFS.
        peak_db: f64,
        /// Their standard deviation, in dB.
        peak_std_db: f64,
    },
    /// Left/right similarity, [`crate::targets::FULL_BINS`] values, 0 to 1.
    Phi(Vec<f64>),
    /// Integrated loudness in LUFS.
    Loudness(f64),
}

/// One effect on one stem. A fresh one, or one that is switched off, changes nothing and only delays.
pub trait Effect: Debug + Send {
    /// Lower-case name, as in a recipe.
    fn name(&self) -> &'static str;

    /// Why and by how many hops the output lags behind the input. It follows from the recipe's switch, not from its amount:
    /// turning an amount down to 0 must not move anything in time.
    fn latency(&self) -> &'static [(&'static str, usize)] {
        &[]
    }

    /// Whether the effect may change anything: it is enabled at an amount above 0.
    fn is_on(&self) -> bool;

    /// Measures the effect's feature on a complete stem; `None` where the stem, or the effect, has none.
    ///
    /// # Errors
    /// The store's reason.
    fn measure(&self, _stem: &mut dyn StemStore) -> Result<Option<Feature>, StoreError> {
        Ok(None)
    }

    /// Whether the effect also corrects bleed, which is brought along with its session and otherwise left as it is.
    fn corrects_bleed(&self) -> bool {
        false
    }

    /// Tells how the stem stands to the others of its session: before [`Self::find`], and live whenever it changes. For what
    /// depends on it. Real-time safe.
    fn stand(&mut self, _standing: Standing) {}

    /// Says what it found out about the stem: behind [`Self::find`], and live behind every hop. Real-time safe.
    fn tell(&self, _findings: &mut Findings) {}

    /// Hears what the effects before it found out: ahead of [`Self::find`], and live ahead of every hop. Real-time safe.
    fn heed(&mut self, _findings: &Findings) {}

    /// Tells how much of the effect is let through over the next hop: a share of what the recipe says. The whole of it changes
    /// no bit. Real-time safe.
    fn let_through(&mut self, _share: Share) {}

    /// Keeps the correction in force as it is from the next hop on, or lets it follow the running estimates again, which go on
    /// listening meanwhile. A correction that is held outlives [`Self::reset`]; one that was decided beforehand is held anyway.
    /// Real-time safe.
    fn hold(&mut self, _held: bool) {}

    /// Finds the full correction of a complete stem, as the effects before it left it, and puts it in force for good.
    ///
    /// # Errors
    /// The store's reason.
    fn find(&mut self, _stem: &mut dyn StemStore) -> Result<(), StoreError> {
        Ok(())
    }

    /// Writes the correction in force into the profile, if there is one: an effect that is built with it does the same.
    fn keep(&self, _profile: &mut StemProfile) {}

    /// Tells which hop of the stem comes next: 0 is its first, negative ones are silence ahead of it. For what counts hops
    /// from the start.
    fn start_at(&mut self, _hop: i64) {}

    /// Corrects one hop in place. Real-time safe.
    fn process(&mut self, hop: &mut Hop);

    /// Whether silence leaves the effect as it is. Everything that remembers sound for less than
    /// [`crate::normalizer::REST_SECONDS`] always may. Real-time safe.
    fn may_rest(&self) -> bool {
        true
    }

    /// A silent hop passes while the chain rests; only what counts hops goes on. Real-time safe.
    fn pass_silence(&mut self) {}

    /// Writes what is done at this moment under the effect's own name. Real-time safe.
    fn read(&self, _reading: &mut StemReading) {}

    /// Adds what is known of the stem's tone. Takes longer than a reading, and allocates nothing.
    fn portray(&self, _portrait: &mut TonePortrait) {}

    /// Back to the state after construction, without allocating. A correction that is held stays.
    fn reset(&mut self);
}
