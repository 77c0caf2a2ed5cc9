//! Networks through ONNX Runtime: the only place in the workspace that names `ort`.

pub mod library;

pub use library::OnnxLibrary;

use crate::bundle::ModelBundle;
use crate::error::ModelError;
use crate::model::MixModel;

/// Loads a bundle's network.
pub(crate) fn load(_bundle: &ModelBundle, _library: &OnnxLibrary) -> Result<Box<dyn MixModel>, ModelError> {
    Err(ModelError::Run { reason: "networks are not loaded yet".into() })
}
