//! ONNX Runtime: the only room of the workspace that names `ort`. What the networks see of it is a `Graph`.
//! A graph is hostile input like the rest of a bundle: it is checked against its checksum, inspected (`inspection.rs`) in its
//! bytes, given to the runtime from memory, checked against the contract's shapes, and its first run is limited in time.

mod collector;
pub(crate) mod first_run;
pub(crate) mod graph;
pub(crate) mod initializers;
mod inspection;
mod library;
mod protobuf;
pub(crate) mod provider;

pub use library::{OnnxLibrary, own_binary};
pub use provider::Provider;
