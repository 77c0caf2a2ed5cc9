//! The effects, one folder each, in the order of the chain.

pub(crate) mod conditioning;
pub mod dynamics;
pub mod equalization;
pub(crate) mod loudness;
pub mod panning;
pub mod reverb;
pub(crate) mod width;
