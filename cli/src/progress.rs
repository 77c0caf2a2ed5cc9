//! Progress bars, all alike: on standard error, with the remaining time, and absent when nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of a bar that shows a fraction.
const FRACTION_STEPS: u64 = 1000;

/// A bar from 0 to 100 %, set with [`set_fraction`].
pub fn fraction(what: &str) -> ProgressBar {
    bar(FRACTION_STEPS, "{msg:<12} [{wide_bar}] {percent:>3} %  {eta} left", what)
}

/// A bar that counts songs.
pub fn songs(count: usize, what: &str) -> ProgressBar {
    bar(count as u64, "{msg:<12} [{wide_bar}] {pos}/{len} songs  {eta} left", what)
}

/// A bar that counts mixes of songs.
pub fn mixes(count: usize) -> ProgressBar {
    bar(count as u64, "{msg:<12} [{wide_bar}] {pos}/{len} mixes  {eta} left", "judging")
}

/// Moves a fraction bar; values out of 0..=1 are clamped.
pub fn set_fraction(bar: &ProgressBar, fraction: f64) {
    bar.set_position((fraction.clamp(0.0, 1.0) * FRACTION_STEPS as f64) as u64);
}

/// One of several equal parts of a fraction bar, done at the same time.
pub struct Part {
    bar: ProgressBar,
    steps: u64,
    shown: u64,
}

impl Part {
    /// One of `count` parts.
    pub fn of(bar: &ProgressBar, count: usize) -> Self {
        Self { bar: bar.clone(), steps: FRACTION_STEPS / count as u64, shown: 0 }
    }

    /// Moves the bar by what this part has come on.
    pub fn set_fraction(&mut self, fraction: f64) {
        let steps = (fraction.clamp(0.0, 1.0) * self.steps as f64) as u64;
        self.bar.inc(steps.saturating_sub(self.shown));
        self.shown = self.shown.max(steps);
    }
}

/// Indicatif hides the bar by itself when standard error is not a terminal.
fn bar(length: u64, template: &str, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.set_message(what.to_owned());
    bar
}
