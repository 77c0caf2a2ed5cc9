//! Where the audio side's time comes from: the machine, or a simulation, in which hosts' clocks drift and hang.

use std::time::{Duration, Instant};

/// Where the time comes from and how it passes while waiting; simulations have their own.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// Never goes back.
    pub now: fn() -> Instant,
    /// Called for every step of a wait, and for nothing else.
    pub sleep: fn(Duration),
}

/// The machine's own time.
#[expect(clippy::disallowed_methods, reason = "only `AudioSide::wait` sleeps")]
pub(super) const REAL_TIME: Time = Time { now: Instant::now, sleep: std::thread::sleep };
