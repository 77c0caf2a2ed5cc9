//! Equalization: brings a stem's average spectrum to its target (paper section 3.1).

pub(crate) mod correction;
pub(crate) mod curve;
pub(crate) mod designer;
pub(crate) mod estimator;
pub(crate) mod matcher;

pub use correction::{correction, measure};
pub use designer::FilterDesigner;
