//! Width: gives a stem that is narrower than the data set's average the side that it lacks. The paper's panning can move
//! a stem but not widen it; yet what it measures, the left/right similarity φ, says how wide such stems are. Here the
//! side that an average φ stands for is made of the stem's own middle by a fixed decorrelating filter – decaying noise, as
//! pseudo-stereo has been made since Schroeder (JAES 6(2), 1958) – band by band, as far as the stem has less.
//!
//! The middle stays as it is: L + R of the result is L + R of the stem, so nothing is lost in mono. A stem that is as wide
//! as the average passes untouched, and no stem is made narrower. No latency: side and middle belong to the same hop.

pub(crate) mod bands;
pub(crate) mod correction;
pub(crate) mod decorrelator;
pub(crate) mod matcher;
pub(crate) mod meter;
