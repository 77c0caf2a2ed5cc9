//! What the eye would miss: the highest peak of the last moments, and that there was one over the mark.

use super::copies::MixCopy;

/// A peak is held for so long, in seconds.
const HOLD_S: f64 = 1.5;
/// Peaks above this, in dB of full scale, light the lamp (EBU R 128's permitted maximum is −1 dBTP).
pub const OVER_DB: f32 = -1.0;

/// Peaks that are held.
#[derive(Debug, Default)]
pub struct Held {
    peak_db: Option<f32>,
    /// When it came, in seconds.
    since_s: f64,
    over: bool,
}

impl Held {
    /// Takes in what the mix shows now, and adds what is held. Returns when it lets go, in seconds from now, if it holds.
    pub fn follow(&mut self, mix: &mut MixCopy, now_s: f64) -> Option<f64> {
        let is_higher = mix.peak_db >= self.peak_db;
        if is_higher || now_s - self.since_s > HOLD_S {
            self.peak_db = mix.peak_db;
            self.since_s = now_s;
        }
        self.over |= mix.peak_db.is_some_and(|peak| peak > OVER_DB);
        mix.peak_hold_db = self.peak_db;
        mix.over = self.over;
        (self.peak_db > mix.peak_db).then_some(self.since_s + HOLD_S - now_s)
    }

    /// The lamp goes out.
    pub fn reset(&mut self) {
        self.over = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_held_and_one_over_the_mark_is_kept() {
        let mut held = Held::default();
        let mut at = |peak_db: Option<f32>, now_s: f64| {
            let mut mix = MixCopy { peak_db, ..MixCopy::default() };
            let lets_go = held.follow(&mut mix, now_s);
            assert_eq!(lets_go.is_some(), mix.peak_hold_db > mix.peak_db, "{lets_go:?}");
            (mix.peak_hold_db, mix.over)
        };
        assert_eq!(at(None, 0.0), (None, false));
        assert_eq!(at(Some(-6.0), 1.0), (Some(-6.0), false));
        assert_eq!(at(Some(-20.0), 2.0), (Some(-6.0), false));
        assert_eq!(at(Some(-0.5), 2.1), (Some(-0.5), true));
        assert_eq!(at(Some(-30.0), 4.0), (Some(-30.0), true), "let go, and remembered");
        held.reset();
        let mut mix = MixCopy { peak_db: Some(-30.0), ..MixCopy::default() };
        held.follow(&mut mix, 4.1);
        assert!(!mix.over);
    }
}
