//! The compressor: level out over level in, with its threshold and ratio, and where the level is now.

use crate::editor::copies::StemCopy;
use crate::editor::theme;
use egui::{Align2, CornerRadius, Id, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};
use tributary_dsp::Stem;

/// Least level of both axes, in dBFS of the peak-normalized stem.
const FLOOR_DB: f32 = -48.0;

/// Draws the compressor of a stem into `rect`.
pub fn draw(ui: &Ui, rect: Rect, stem: Stem, copy: &StemCopy) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    painter.rect_filled(rect, CornerRadius::same(3), colors.well);
    let side = (rect.width() - 16.0).min(rect.height() - 50.0);
    let plot = Rect::from_min_size(
        pos2(rect.center().x, rect.center().y) - vec2(side, side) / 2.0,
        vec2(side, side),
    );
    let at = |input_db: f32, output_db: f32| {
        let share = |db: f32| (1.0 - db / FLOOR_DB).clamp(0.0, 1.0);
        pos2(plot.left() + side * share(input_db), plot.bottom() - side * share(output_db))
    };
    theme::label(painter, rect.min + vec2(8.0, 10.0), Align2::LEFT_CENTER, "Compressor", 10.0, colors.dim);
    painter.rect_stroke(plot, CornerRadius::ZERO, Stroke::new(1.0, colors.line), egui::StrokeKind::Inside);
    painter.add(Shape::dashed_line(
        &[at(FLOOR_DB, FLOOR_DB), at(0.0, 0.0)],
        Stroke::new(1.0, colors.edge),
        3.0,
        3.0,
    ));
    let words = match copy.compressor {
        Some(now) => {
            let over = now.threshold_db / now.ratio - now.threshold_db;
            let line = vec![at(FLOOR_DB, FLOOR_DB), at(now.threshold_db, now.threshold_db), at(0.0, -over)];
            painter.add(Shape::line(line, Stroke::new(2.0, colors.stem(stem))));
            // The reduction tells how far the loudest moment of the last hop lay over the threshold.
            let above = copy.gain_reduction_db / (1.0 - 1.0 / now.ratio);
            if copy.gain_reduction_db > 0.05 {
                let level = now.threshold_db + above;
                let dot = at(level, level - copy.gain_reduction_db);
                painter.circle(dot, 4.0, colors.text, Stroke::new(1.5, colors.stem(stem)));
            }
            format!(
                "{:.1}:1 above {} dB; now {} dB",
                now.ratio,
                theme::decimal(Some(now.threshold_db)),
                theme::decimal(Some(-copy.gain_reduction_db))
            )
        }
        None => "as it is".to_owned(),
    };
    let at = pos2(rect.center().x, plot.bottom() + 12.0);
    theme::label(painter, at, Align2::CENTER_CENTER, &words, 10.0, colors.dim);
    ui.interact(rect, Id::unique("compressor").with(stem.index()), Sense::hover()).on_hover_text(
        "Level out over level in, in dB of the stem's own peak; the dot is the loudest moment of now. It has no \
         knee: the line bends at the threshold.",
    );
}
