//! A display without a screen, for the plug-in's window: `Xvfb`, which ends with this process. Stands apart because a process
//! has one display, named by an environment variable.

#![allow(unsafe_code)] // An environment variable is set before any thread reads it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::bundled::skipped;

/// Without `-noreset` the server starts over when its last window closes, and refuses one that opens meanwhile. It ends
/// when its standard input does, which is when this process is gone: whoever still holds a connection then is ended too.
const SERVER: &str =
    "Xvfb -displayfd 1 -screen 0 1920x1200x24 -nolisten tcp -noreset 2>/dev/null & read -r _; kill $!";

/// Starts a display and names it in the environment; whether there is one. Without `Xvfb` a loud line says so. Once in a
/// process, before any thread of it reads the environment.
///
/// # Errors
/// When the server cannot be talked to.
pub fn start() -> std::io::Result<bool> {
    let mut server =
        Command::new("sh").args(["-c", SERVER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut number = String::new();
    let is_there = Command::new("Xvfb").arg("-help").stderr(Stdio::null()).status().is_ok();
    if let Some(output) = server.stdout.take().filter(|_| is_there) {
        // The server writes the number of its display to its standard output.
        BufReader::new(output).read_line(&mut number)?;
    }
    if number.trim().is_empty() {
        skipped("Xvfb is absent: the window is not opened");
        // Its standard input is closed by that.
        server.wait()?;
        return Ok(false);
    }
    // SAFETY: the caller promises that no other thread reads the environment yet.
    unsafe { std::env::set_var("DISPLAY", format!(":{}", number.trim())) };
    // Its standard input stays open until the process ends.
    std::mem::forget(server);
    Ok(true)
}
