//! Panning: brings a stem's left/right similarity φ to its target, bin by bin (paper section 3.3; similarity after
//! Avendano, WASPAA 2003). The stem is first moved toward its louder side by a fixed offset, then every bin of a
//! 2048/1024 transform is given the side gains that the target asks for.
//!
//! The published rules limit nothing and, by a slip, apply their frequency limit to frame numbers: spectral matching
//! stops after 743 frames (278 for drums) and only the offset remains. The paper rules limit frequency as meant, and
//! bound each gain to ±6 dB, since a bin that sounds on the opposite side only would otherwise be blown up without end.

pub(crate) mod correction;
pub(crate) mod matcher;
pub(crate) mod side;

pub use correction::measure_side;
pub use matcher::{Limits, PanningMatcher};
