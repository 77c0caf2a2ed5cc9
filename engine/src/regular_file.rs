//! Opens files that other people wrote. Opening a pipe waits until somebody writes to it, and opening a device may do
//! anything; either would hang the thread that activates a plug-in. So what is not a regular file is refused before it is
//! opened, and once more afterwards, because the name may have come to mean something else in between.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// Opens a regular file, or what a link to one names, for reading. Never waits for another program.
///
/// # Errors
/// Those of the operating system; [`ErrorKind::InvalidInput`] for a folder, pipe, socket or device.
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    let refused = || Error::new(ErrorKind::InvalidInput, "it is not a file");
    if !std::fs::metadata(&path)?.is_file() {
        return Err(refused());
    }
    let file = File::open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused()) }
}
