//! How running estimates forget and how corrections glide. An estimate starts as a plain mean of all material so far
//! and turns into an exponential one when its time constant is reached: it settles fast, then moves slowly.

/// Material after which running estimates stop being plain means, in seconds of sounding audio.
pub const ESTIMATE_SECONDS: f64 = 20.0;

/// A running peak falls by this much per second of material, so that one click is forgotten in time, in dB.
pub(crate) const PEAK_FALL_DB_PER_SECOND: f64 = 0.1;

/// Time constant with which a correction follows its estimate, in seconds.
pub const GLIDE_SECONDS: f64 = 0.5;

/// Time constant with which a gain falls: what begins quietly and then comes in loud must not stay loud.
const FALL_SECONDS: f64 = 0.1;

/// Fastest rise of a gain in dB per second, so that the quiet breath before an entry is not taken for the stem's level.
const RISE_DB_PER_SECOND: f64 = 6.0;

/// Weight of the newest observation of a running mean.
#[derive(Debug, Clone)]
pub struct RunningWeight {
    seen: f64,
    longest: f64,
}

impl RunningWeight {
    /// `longest`: observations after which the mean becomes exponential.
    pub fn new(longest: f64) -> Self {
        Self { seen: 0.0, longest: longest.max(1.0) }
    }

    /// Counts one observation and returns its weight: 1, 1/2, 1/3 … 1/`longest`.
    pub fn next_weight(&mut self) -> f64 {
        self.seen = (self.seen + 1.0).min(self.longest);
        1.0 / self.seen
    }

    /// Whether anything was observed.
    pub fn has_material(&self) -> bool {
        self.seen > 0.0
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.seen = 0.0;
    }
}

/// A value that approaches its target exponentially, one step per hop.
#[derive(Debug, Clone)]
pub struct Glide {
    value: f64,
    rise: f64,
    largest_rise: f64,
    fall: f64,
}

impl Glide {
    /// `hop_seconds`: time between steps. Starts at `value`.
    pub fn new(value: f64, hop_seconds: f64) -> Self {
        let step = step(hop_seconds, GLIDE_SECONDS);
        Self { value, rise: step, largest_rise: f64::INFINITY, fall: step }
    }

    /// For a gain in dB, which starts at 0, falls quickly and rises at a bounded rate.
    pub fn gain(hop_seconds: f64) -> Self {
        Self {
            largest_rise: RISE_DB_PER_SECOND * hop_seconds,
            fall: step(hop_seconds, FALL_SECONDS),
            ..Self::new(0.0, hop_seconds)
        }
    }

    /// Where it is.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Jumps.
    pub fn set(&mut self, value: f64) {
        self.value = value;
    }

    /// One step toward `target`; returns the new value.
    pub fn advance(&mut self, target: f64) -> f64 {
        let distance = target - self.value;
        self.value +=
            if distance > 0.0 { (distance * self.rise).min(self.largest_rise) } else { distance * self.fall };
        self.value
    }
}

/// Share of the way covered per step of an exponential approach.
pub fn step(hop_seconds: f64, time_constant_seconds: f64) -> f64 {
    1.0 - (-hop_seconds / time_constant_seconds).exp()
}

/// Tells material from pauses, so that estimates hold during silence.
///
/// A hop is material when its rms lies between −70 and +6 dBFS and no more than 35 dB below the running mean of material;
/// until something has reached −70 dBFS, −90 dBFS are enough, for sessions that were recorded far too low. The mean falls by 1 dB per second while sound below it goes on, so a song that stays quiet is heard in the end.
#[derive(Debug, Clone)]
pub struct ActivityGate {
    reference: f64,
    step: f64,
    fall: f64,
    /// Nothing has passed the gate at −70 dBFS yet.
    quiet: bool,
}

const ABSOLUTE_GATE: f64 = 1e-7;
/// The same while all has been quiet.
const QUIET_GATE: f64 = 1e-9;
/// +6 dBFS (rms): no music, but a fault that must not be remembered.
pub const LOUDEST_MATERIAL: f64 = 4.0;
const RELATIVE_GATE: f64 = 3.16e-4;
const REFERENCE_SECONDS: f64 = 3.0;

impl ActivityGate {
    /// `hop_seconds`: time between decisions.
    pub fn new(hop_seconds: f64) -> Self {
        let step = step(hop_seconds, REFERENCE_SECONDS);
        Self { reference: 0.0, step, fall: 10f64.powf(-0.1 * hop_seconds), quiet: true }
    }

    /// Whether a hop of this mean square (per channel) is material.
    pub fn is_material(&mut self, mean_square: f64) -> bool {
        let gate = if self.quiet { QUIET_GATE } else { ABSOLUTE_GATE };
        if !(gate..=LOUDEST_MATERIAL).contains(&mean_square) {
            return false;
        }
        if self.quiet && mean_square >= ABSOLUTE_GATE {
            self.quiet = false;
            self.reference = 0.0;
        }
        if mean_square < self.reference * RELATIVE_GATE {
            self.reference *= self.fall;
            return false;
        }
        self.reference = if self.reference == 0.0 {
            mean_square
        } else {
            self.reference + (mean_square - self.reference) * self.step
        };
        true
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        self.reference = 0.0;
        self.quiet = true;
    }
}

/// Centered moving average over an odd number of points with mirrored edges (the edge point is not repeated): what a
/// first-order Savitzky–Golay filter does on an even grid.
pub fn moving_average(values: &[f64], width: usize, smoothed: &mut [f64]) {
    let half = (width / 2) as isize;
    let last = values.len() as isize - 1;
    let mirrored = |index: isize| {
        let folded = index.unsigned_abs() as isize;
        values[(if folded > last { (2 * last - folded).max(0) } else { folded }) as usize]
    };
    let mut sum: f64 = (-half..=half).map(mirrored).sum();
    for (index, output) in smoothed.iter_mut().enumerate() {
        *output = sum / width as f64;
        let index = index as isize;
        sum += mirrored(index + half + 1) - mirrored(index - half);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_mean_is_exact_first_and_slow_later() {
        let mut weight = RunningWeight::new(4.0);
        let weights: Vec<f64> = (0..6).map(|_| weight.next_weight()).collect();
        assert_eq!(weights, [1.0, 0.5, 1.0 / 3.0, 0.25, 0.25, 0.25]);
    }

    #[test]
    fn the_gate_holds_in_pauses_but_never_sticks() {
        let mut gate = ActivityGate::new(0.023);
        assert!(!gate.is_material(0.0));
        assert!(gate.is_material(0.1));
        assert!(!gate.is_material(1e-6));
        assert!(!gate.is_material(1e-8), "too quiet after something loud");
        let seconds = (0..10_000).position(|_| gate.is_material(1e-6)).expect("opens again") as f64 * 0.023;
        assert!((5.0..40.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn the_gate_hears_a_quiet_session_until_something_loud_comes() {
        let mut gate = ActivityGate::new(0.023);
        assert!(!gate.is_material(1e-10) && gate.is_material(1e-8));
        assert!(gate.is_material(0.1), "loud");
        assert!(!gate.is_material(1e-8));
        gate.reset();
        assert!(gate.is_material(1e-8));
    }

    #[test]
    fn moving_average_mirrors_its_edges() {
        let mut smoothed = [0.0; 4];
        moving_average(&[1.0, 2.0, 4.0, 8.0], 3, &mut smoothed);
        let expected = [5.0 / 3.0, 7.0 / 3.0, 14.0 / 3.0, 16.0 / 3.0];
        assert!(smoothed.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{smoothed:?}");
    }
}
