//! What filters: transforms, second-order sections, convolutions short and long, delay, and the noise that responses are made
//! of. Knows nothing of stems' features.

pub mod biquad;
pub(crate) mod convolution;
pub(crate) mod delay;
pub(crate) mod long_convolution;
pub(crate) mod noise;
pub mod transform;
