//! How far a long job is, on standard error: a bar with the time left at a terminal, one line a step where nobody watches.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report;

/// Steps of a bar that shows a fraction.
const FRACTION_STEPS: u64 = 1000;
/// What takes longer is worth a line.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// One step of a job.
#[derive(Clone)]
pub struct Step {
    bar: ProgressBar,
    started: Instant,
    /// Whether the one line was written, or none is wanted.
    said: Arc<AtomicBool>,
}

/// A step from 0 to 100 %, set with [`set_fraction`].
pub fn fraction(what: &str) -> Step {
    step(FRACTION_STEPS, "{msg:<12} [{wide_bar}] {percent:>3} %  {eta} left", what)
}

/// A step that counts songs.
pub fn songs(count: usize, what: &str) -> Step {
    step(count as u64, "{msg:<12} [{wide_bar}] {pos}/{len} songs  {eta} left", what)
}

/// A step that counts mixes of songs.
pub fn mixes(count: usize) -> Step {
    step(count as u64, "{msg:<12} [{wide_bar}] {pos}/{len} mixes  {eta} left", "judging")
}

/// A step that shows nothing, within one that does.
pub fn hidden() -> Step {
    let bar = ProgressBar::with_draw_target(Some(FRACTION_STEPS), ProgressDrawTarget::hidden());
    Step { bar, started: Instant::now(), said: Arc::new(AtomicBool::new(true)) }
}

/// Moves a step that shows a fraction; values out of 0..=1 are clamped.
pub fn set_fraction(step: &Step, fraction: f64) {
    step.bar.set_position((fraction.clamp(0.0, 1.0) * FRACTION_STEPS as f64) as u64);
    step.tell();
}

impl Step {
    /// Moves a step that counts by one.
    pub fn advance(&self) {
        self.bar.inc(1);
        self.tell();
    }

    /// Lets something be written that the bar must not tear apart.
    pub fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Ends the step and takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Says once how long a step will take that nobody sees a bar of.
    fn tell(&self) {
        let (elapsed, done) = (self.started.elapsed(), self.bar.position());
        if elapsed < WORTH_A_LINE || done == 0 || self.said.swap(true, Ordering::Relaxed) {
            return;
        }
        let all = self.bar.length().unwrap_or(done).max(done);
        let left_s = elapsed.as_secs_f64() * (all - done) as f64 / done as f64;
        let percent = 100 * done / all;
        let left = in_words(left_s);
        report::say_aside(&format!("{}: {percent} % done, about {left} left", self.bar.message()));
    }
}

/// A time as people say it.
fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// One of several equal parts of a fraction, done at the same time.
pub struct Part {
    step: Step,
    steps: u64,
    shown: u64,
}

impl Part {
    /// One of `count` parts.
    pub fn of(step: &Step, count: usize) -> Self {
        Self { step: step.clone(), steps: FRACTION_STEPS / count as u64, shown: 0 }
    }

    /// Moves the bar by what this part has come on.
    pub fn set_fraction(&mut self, fraction: f64) {
        let steps = (fraction.clamp(0.0, 1.0) * self.steps as f64) as u64;
        self.step.bar.inc(steps.saturating_sub(self.shown));
        self.shown = self.shown.max(steps);
        self.step.tell();
    }
}

/// At a terminal a bar, else nothing until it is time for a line.
fn step(length: u64, template: &str, what: &str) -> Step {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.set_message(what.to_owned());
    Step { bar, started: Instant::now(), said: Arc::new(AtomicBool::new(stderr().is_terminal())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        assert_eq!([7.4, 89.0, 120.0, 9000.0].map(in_words), ["7 s", "89 s", "2 min", "2.5 h"]);
    }
}
