//! Loudness: brings a stem's integrated loudness to its target (paper section 3.5).

pub(crate) mod correction;
pub(crate) mod estimator;
pub(crate) mod matcher;
