//! Tone: the measured spectrum over the target with its spread, and what the equalizer does, over the logarithm of frequency.

use super::frequencies::{self, HZ, at_hz};
use crate::editor::copies::StemCopy;
use crate::editor::theme;
use egui::{Align2, Color32, CornerRadius, Id, Painter, Rect, Sense, Shape, Stroke, Ui, pos2};
use tributary_dsp::{Stem, TonePortrait};

/// The equalizer's axis, to either side of 0, in dB.
const GAIN_DB: f32 = 15.0;
/// What is shown of a spectrum, in dB: from the highest point of the target's spread downwards.
const SPECTRUM_DB: f32 = 66.0;

/// Draws the tone of a stem into `rect`.
pub fn draw(ui: &Ui, rect: Rect, stem: Stem, copy: &StemCopy) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    painter.rect_filled(rect, CornerRadius::same(3), colors.well);
    let plot = Rect::from_min_max(rect.min + egui::vec2(4.0, 18.0), rect.max - egui::vec2(30.0, 16.0));
    axes(painter, plot);
    let color = colors.stem(stem);
    let Some(tone) = copy.tone.as_deref() else {
        let words = "The tone is shown while the stem plays.";
        let at = plot.center() - egui::vec2(0.0, 0.1 * plot.height());
        theme::label(painter, at, Align2::CENTER_CENTER, words, 11.0, colors.dim);
        return;
    };
    let bands: Vec<usize> = (0..TonePortrait::BANDS)
        .filter(|band| (HZ[0]..HZ[1]).contains(&TonePortrait::center_hz(*band)))
        .collect();
    let top = bands.iter().map(|band| tone.target_db[*band] + tone.spread_db[*band]).fold(f32::MIN, f32::max);
    let level = |db: f32| plot.bottom() - plot.height() * ((db - top) / SPECTRUM_DB + 1.0).clamp(0.0, 1.0);
    let gain = |db: f32| plot.center().y - 0.5 * plot.height() * (db / GAIN_DB).clamp(-1.0, 1.0);
    let line = |of: &dyn Fn(usize) -> f32| -> Vec<egui::Pos2> {
        bands.iter().map(|band| pos2(at_hz(plot, TonePortrait::center_hz(*band)), of(*band))).collect()
    };
    let spread =
        [1.0, -1.0].map(|side| line(&|band| level(tone.target_db[band] + side * tone.spread_db[band])));
    theme::ribbon(painter, &spread, colors.faded(colors.dim, 0.25));
    let target = line(&|band| level(tone.target_db[band]));
    painter.extend(Shape::dashed_line(&target, Stroke::new(1.0, colors.dim), 4.0, 3.0));
    if let Some(measured) = &tone.measured_db {
        painter.add(Shape::line(line(&|band| level(measured[band])), Stroke::new(1.6, color)));
    }
    painter.add(Shape::line(line(&|band| gain(tone.applied_db[band])), Stroke::new(2.0, colors.accent)));
    legend(painter, rect, color, tone.measured_db.is_some());
    ui.interact(rect, Id::unique("tone").with(stem.index()), Sense::hover()).on_hover_text(
        "The stem's average spectrum as it came in, at a common loudness, against the target and how far stems of the \
         kind differ from it; and what the equalizer does, in dB.",
    );
}

fn axes(painter: &Painter, plot: Rect) {
    let colors = theme::colors(painter.ctx());
    frequencies::axis(painter, plot);
    for db in [-12.0, -6.0, 0.0, 6.0, 12.0] {
        let y = plot.center().y - 0.5 * plot.height() * db / GAIN_DB;
        let tint = if db == 0.0 { colors.edge } else { colors.line };
        painter.line_segment([pos2(plot.left(), y), pos2(plot.right(), y)], Stroke::new(1.0, tint));
        let name = format!("{db:+.0}").replace('-', "\u{2212}").replace("+0", "0 dB");
        theme::label(painter, pos2(plot.right() + 3.0, y), Align2::LEFT_CENTER, &name, 9.0, colors.dim);
    }
}

fn legend(painter: &Painter, rect: Rect, color: Color32, measured: bool) {
    let colors = theme::colors(painter.ctx());
    let heard = if measured { "as it came" } else { "as it came: not estimated" };
    let mut x = rect.left() + 8.0;
    let y = rect.top() + 10.0;
    for (name, tint) in [(heard, color), ("target and spread", colors.dim), ("equalizer", colors.accent)] {
        painter.line_segment([pos2(x, y), pos2(x + 12.0, y)], Stroke::new(2.0, tint));
        x = theme::label(painter, pos2(x + 16.0, y), Align2::LEFT_CENTER, name, 10.0, colors.dim).right()
            + 14.0;
    }
}
