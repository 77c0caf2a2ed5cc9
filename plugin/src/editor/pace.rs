//! How soon the editor looks whether there is something new to draw: thirty times a second while something moves, more seldom
//! while nothing does or where drawing is slow.

use std::time::Duration;

/// Between two looks while something moves.
pub const USUAL: Duration = Duration::from_millis(33);
/// Between two looks while nothing does. What the user does is drawn at once anyway.
const CALM: Duration = Duration::from_millis(100);
/// Between two slow frames, at most: meters still move.
const LONGEST: Duration = Duration::from_millis(250);
/// A frame that takes longer is slow.
const SLOW: Duration = Duration::from_millis(8);
/// Of slow frames one comes in so many times its own length, so that the editor takes a tenth of a core at most: its thread and
/// those of a graphics driver in software, which work in part at the same time.
const SPARED: u32 = 12;

/// See the module documentation.
#[derive(Debug, Default)]
pub struct Pace {
    /// Looks in a row that found nothing new.
    still: u32,
}

impl Pace {
    /// A look found something new, or not, and the last frame `took` so long: until the next look.
    pub fn next(&mut self, changed: bool, took: Duration) -> Duration {
        self.still = if changed { 0 } else { self.still.saturating_add(1) };
        if changed && took > SLOW {
            return took.saturating_mul(SPARED).min(LONGEST.max(took));
        }
        USUAL.saturating_mul(self.still.clamp(1, 16)).min(CALM)
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
        assert_eq!(pace.next(false, quick), CALM);
        assert_eq!(pace.next(true, quick), USUAL, "at once when something moves");
        assert_eq!(pace.next(false, Duration::from_millis(90)), USUAL, "nothing is drawn");
        assert_eq!(pace.next(true, Duration::from_millis(12)), Duration::from_millis(144));
        assert_eq!(pace.next(true, Duration::from_millis(90)), LONGEST);
        assert_eq!(pace.next(true, Duration::from_secs(1)), Duration::from_secs(1));
    }
}
