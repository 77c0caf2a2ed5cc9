//! Whether a library of ONNX Runtime reports to its vendor. Releases from 1.29 on carry a telemetry collector that starts
//! with the first environment: it writes a device id and a data base with the host's path under the user's cache and looks
//! up an event server, whatever `with_telemetry(false)` asks for. Only the environment variable `ORT_DISABLE_TELEMETRY`
//! holds it off, and a plug-in must not change the environment of its host, where other threads read it. So such a
//! library is recognized by its bytes, before any of its code runs, and is not loaded.

use std::io::Read;

/// What only a library with the collector holds: a class of the collector's own SDK, and the variable that it obeys. Both
/// were found in the wheels 1.29 to 1.32 and in none of 1.23.2, 1.27.0 and 1.28.0 (2026-11).
const MARKS: [&[u8]; 2] = [b"OneDsTelemetry", b"ORT_DISABLE_TELEMETRY"];

/// Bytes searched at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Whether the library holds the collector. Reads to the end unless a mark is found: about 10 ms for 25 MB.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn is_in(mut library: impl Read) -> std::io::Result<bool> {
    // A mark may lie across two pieces, so the end of one is searched again with the next.
    let overlap = MARKS.iter().map(|mark| mark.len()).max().unwrap_or(1) - 1;
    let mut bytes = Vec::with_capacity(overlap + PIECE_BYTES);
    loop {
        let kept = bytes.len();
        let read = library.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut bytes)?;
        if MARKS.iter().any(|mark| memchr::memmem::find(&bytes, mark).is_some()) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        let searched = (kept + read).saturating_sub(overlap);
        bytes.drain(..searched);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(mark: &[u8], at: usize) -> Vec<u8> {
        let mut bytes = vec![7; PIECE_BYTES + 300];
        bytes[at..at + mark.len()].copy_from_slice(mark);
        bytes
    }

    #[test]
    fn a_mark_is_found_wherever_it_lies() {
        for mark in MARKS {
            let places = [0, 4321, PIECE_BYTES - mark.len(), PIECE_BYTES - 5, PIECE_BYTES, PIECE_BYTES + 270];
            for at in places {
                assert!(is_in(&library(mark, at)[..]).unwrap(), "at {at}");
            }
        }
    }

    #[test]
    fn half_a_mark_is_none() {
        assert!(!is_in(&library(b"OneDsTelemetr\0y", PIECE_BYTES - 5)[..]).unwrap());
        assert!(!is_in(&[][..]).unwrap());
    }
}
