//! The axis of frequency, the same wherever something is drawn over it.

use crate::editor::theme;
use egui::{Align2, Painter, Rect, Stroke, pos2};

/// Ends of the axis, in Hz.
pub const HZ: [f32; 2] = [25.0, 16_000.0];

/// Lines, those with a name first of all.
const LINES: [(f32, &str); 8] = [
    (50.0, "50"),
    (100.0, "100"),
    (200.0, ""),
    (500.0, "500"),
    (1_000.0, "1 k"),
    (2_000.0, "2 k"),
    (5_000.0, "5 k"),
    (10_000.0, "10 k"),
];

/// Where a frequency is in a plot.
pub fn at_hz(plot: Rect, hz: f32) -> f32 {
    plot.left() + plot.width() * (hz / HZ[0]).ln() / (HZ[1] / HZ[0]).ln()
}

/// Draws lines into the plot and names under it.
pub fn axis(painter: &Painter, plot: Rect) {
    let colors = theme::colors(painter.ctx());
    for (hz, name) in LINES {
        let x = at_hz(plot, hz);
        painter.line_segment([pos2(x, plot.top()), pos2(x, plot.bottom())], Stroke::new(1.0, colors.line));
        theme::label(painter, pos2(x, plot.bottom() + 2.0), Align2::CENTER_TOP, name, 9.0, colors.dim);
    }
    let at = pos2(plot.right() + 26.0, plot.bottom() + 2.0);
    theme::label(painter, at, Align2::RIGHT_TOP, "Hz", 9.0, colors.dim);
}

/// A frequency in few letters.
pub fn name(hz: f32) -> String {
    match hz {
        hz if hz >= 9_950.0 => format!("{:.0} k", hz / 1000.0),
        hz if hz >= 995.0 => format!("{:.1} k", hz / 1000.0),
        hz => format!("{hz:.0}"),
    }
}
