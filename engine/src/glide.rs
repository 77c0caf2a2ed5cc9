//! A value that follows its target without a corner: two one-pole filters in a row, so that neither the value nor its slope
//! jumps, however the target does. A straight ramp, which is what one would take first, ends in a corner that is heard as
//! a tick on a low tone when the way is long. It arrives: close to its target it is there exactly.

/// Time constant of each of the two filters, of a gain: 90 % of the way take four of them.
pub(crate) const GAIN_MS: f64 = 5.0;
/// The same of what is made in steps of a few ms, so that each step is a small part of the way.
pub(crate) const SLOW_MS: f64 = 30.0;
/// The rest of a way that nobody hears (−120 dB).
const ARRIVED: f64 = 1e-6;

/// See the module documentation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glide {
    value: f64,
    /// Behind the first filter.
    leading: f64,
    target: f64,
    /// Share of the way that a filter goes per frame.
    share: f64,
}

impl Glide {
    /// At rest on a value.
    pub(crate) fn new(value: f64, time_ms: f64, sample_rate_hz: f64) -> Self {
        let share = 1.0 - (-1000.0 / (time_ms * sample_rate_hz)).exp();
        Self { value, leading: value, target: value, share }
    }

    /// Where it goes from now on.
    pub(crate) fn set(&mut self, target: f64) {
        self.target = target;
    }

    /// Where it goes from now on, or is at once.
    pub(crate) fn move_to(&mut self, target: f64, at_once: bool) {
        if at_once { self.jump(target) } else { self.set(target) }
    }

    /// Is there at once.
    pub(crate) fn jump(&mut self, target: f64) {
        (self.value, self.leading, self.target) = (target, target, target);
    }

    /// The last frame's value.
    pub(crate) fn value(&self) -> f64 {
        self.value
    }

    /// Whether it has arrived.
    pub(crate) fn rests(&self) -> bool {
        self.value == self.target && self.leading == self.target
    }

    /// The value it rests on, if it does.
    pub(crate) fn at_rest(&self) -> Option<f64> {
        self.rests().then_some(self.target)
    }

    /// The next frame's value.
    pub(crate) fn next(&mut self) -> f64 {
        if self.rests() {
            return self.value;
        }
        self.leading += self.share * (self.target - self.leading);
        self.value += self.share * (self.leading - self.value);
        if (self.leading - self.target).abs() < ARRIVED && (self.value - self.target).abs() < ARRIVED {
            self.jump(self.target);
        }
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_arrives_and_has_no_corner() {
        let mut glide = Glide::new(1.0, GAIN_MS, 44_100.0);
        assert_eq!(glide.at_rest(), Some(1.0));
        glide.set(0.0);
        let values: Vec<f64> = (0..44_100).map(|_| glide.next()).collect();
        let tenth = values.iter().position(|value| *value < 0.1).unwrap();
        assert!((800..900).contains(&tenth), "{tenth}");
        assert_eq!(glide.at_rest(), Some(0.0), "exactly");
        let corner = values.windows(3).map(|v| (v[2] - 2.0 * v[1] + v[0]).abs()).fold(0.0, f64::max);
        assert!(corner < 3e-5, "{corner}");
    }
}
