//! How soon the next frame comes: thirty a second while something moves, fewer while nothing does or where drawing is slow.

use std::time::Duration;

/// Between two frames while something moves.
pub const USUAL: Duration = Duration::from_millis(33);
/// Between two frames while nothing does. What the user does is drawn at once anyway.
const LONGEST: Duration = Duration::from_millis(250);
/// A frame that takes longer is slow.
const SLOW: Duration = Duration::from_millis(8);
/// Of slow frames one comes in so many times its own length, so that the editor takes a tenth of a core at most.
const SPARED: u32 = 10;

/// See the module documentation.
#[derive(Debug, Default)]
pub struct Pace {
    /// Frames in a row that showed what the one before did.
    still: u32,
}

impl Pace {
    /// A frame `took` so long and showed something new, or not: until the next.
    pub fn next(&mut self, changed: bool, took: Duration) -> Duration {
        self.still = if changed { 0 } else { self.still.saturating_add(1) };
        let calm = USUAL.saturating_mul(self.still.clamp(1, 16)).min(LONGEST);
        if took > SLOW { calm.max(took.saturating_mul(SPARED)).min(LONGEST.max(took)) } else { calm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stillness_and_slow_frames_make_it_slower() {
        let quick = Duration::from_millis(2);
        let mut pace = Pace::default();
        assert_eq!(pace.next(true, quick), USUAL);
        assert_eq!(pace.next(false, quick), USUAL);
        assert_eq!(pace.next(false, quick), 2 * USUAL);
        for _ in 0..50 {
            pace.next(false, quick);
        }
        assert_eq!(pace.next(false, quick), LONGEST);
        assert_eq!(pace.next(true, quick), USUAL, "at once when something moves");
        assert_eq!(pace.next(true, Duration::from_millis(12)), Duration::from_millis(120));
        assert_eq!(pace.next(true, Duration::from_millis(90)), LONGEST);
        assert_eq!(pace.next(true, Duration::from_secs(1)), Duration::from_secs(1));
    }
}
