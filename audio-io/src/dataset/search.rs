//! What a layout may want to know beside the folder that it looks at.

use std::path::Path;

use super::instruments::Instruments;

/// What a recognizer may want to know beside the folder.
pub struct Search<'a> {
    /// What the user named.
    pub root: &'a Path,
    /// Which instrument goes into which stem.
    pub instruments: &'a Instruments,
}
