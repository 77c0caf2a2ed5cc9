//! CRAFx2, the network: four stems through a front end into bands and latent frames, a latent mixer, a mask over the bands,
//! and a back end to the mix. The ends are graphs or the filter bank that those compute. It comes in three forms – [`whole`], [`split`], [`incremental`] –, each a
//! [`MixModel`](crate::MixModel); the loader chooses by the contract. Apart from `onnx.rs` because nothing here knows whose
//! runtime computes a graph.

mod averages;
mod back_end;
mod bands;
pub(crate) mod bank;
pub(crate) mod ends;
mod front_end;
pub(crate) mod incremental;
mod mask_layout;
mod masks;
pub(crate) mod mixer;
pub(crate) mod split;
pub(crate) mod whole;
