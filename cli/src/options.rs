//! What several commands can be told alike: options with the same names, the same values and the same sentences everywhere.

pub mod controls;
pub mod normalization;
pub mod reverb;
pub mod selection;
