//! What a mix did to its stems, told from the outside: how loud, how far left or right and with which curve each stem
//! stands in a mix that is in step with them. Nothing is known of how the mix was made, so everything here is an
//! *estimate*, and every figure says how sure it is or is not given at all.
//!
//! The mix's short-time spectrum is taken for a sum of the stems' with one complex gain from every side of every stem to
//! every side of the mix, per narrow group of bins: least squares over all the time that was heard. An [`Observer`] gathers
//! the moments it needs, `estimate` solves them, [`text`] says the result in words. Whole files and live streams use the
//! same three; a live observer only forgets. What the method reaches and where it fails is measured in
//! `docs/explain.md`.

mod estimate;
mod groups;
mod moments;
mod moves;
mod observer;
mod result;
mod solve;
pub mod text;

pub use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, center_hz};
pub use moves::{Moves, OCTAVES, octave_hz};
pub use observer::{Observer, Watch};
pub use result::{BandGain, Explanation, Found, StemInMix};
