//! Dynamics: brings the level of a stem's onset peaks down to its target by compression (paper section 3.2).

pub(crate) mod compressor;
pub(crate) mod correction;
pub(crate) mod estimator;
pub(crate) mod matcher;
pub(crate) mod meter;
pub(crate) mod search;

pub use matcher::DynamicsMatcher;
pub use meter::measure;
