//! Progress bars, all alike: on standard error, with the remaining time, and absent when nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts songs.
pub fn songs(count: usize, what: &str) -> ProgressBar {
    bar(count as u64, "{msg:<12} [{wide_bar}] {pos}/{len} songs  {eta} left", what)
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
