//! What tests and benches of all crates share, so that each thing is made in one way: chance that repeats ([`Random`]),
//! folders that vanish ([`Folder`]), and audio files of a known signal ([`wav`], [`flac`]). Not part of the product.
//!
//! Depends on no other crate of this workspace, so that every one of them can use it.

pub mod flac;
mod folder;
mod random;
pub mod wav;

pub use folder::Folder;
pub use random::{Random, noise};
