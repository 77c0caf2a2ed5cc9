//! Level meters and the numbers under them.
//!
//! Loudness is drawn on one LUFS scale everywhere, so that a stem's bars and the mix compare at a glance.

use super::copies::MixCopy;
use super::theme;
use egui::{Align2, Color32, CornerRadius, Painter, Rect, Stroke, StrokeKind, pos2};

/// Bottom of every meter.
const FLOOR_DB: f32 = -60.0;
/// Peaks above this, in dB of full scale, are drawn as a warning (EBU R 128's permitted maximum is −1 dBTP).
const PEAK_WARNING_DB: f32 = -1.0;

/// Height of `level_db` in a meter, 0–1.
pub fn fraction(level_db: Option<f32>) -> f32 {
    level_db
        .filter(|level| level.is_finite())
        .map_or(0.0, |level| ((level - FLOOR_DB) / -FLOOR_DB).clamp(0.0, 1.0))
}

/// An upright bar filled to `level_db`.
pub fn bar(painter: &Painter, rect: Rect, level_db: Option<f32>, color: Color32) {
    let colors = theme::colors(painter.ctx());
    painter.rect(rect, CornerRadius::same(3), colors.well, Stroke::new(1.0, colors.line), StrokeKind::Inside);
    let inner = rect.shrink(2.0);
    let top = inner.bottom() - inner.height() * fraction(level_db);
    painter.rect_filled(Rect::from_min_max(pos2(inner.left(), top), inner.max), CornerRadius::same(2), color);
}

/// A lying bar filled to `level_db`.
pub fn lying_bar(painter: &Painter, rect: Rect, level_db: Option<f32>, color: Color32) {
    let colors = theme::colors(painter.ctx());
    painter.rect_filled(rect, CornerRadius::same(2), colors.well);
    let right = rect.left() + rect.width() * fraction(level_db);
    painter.rect_filled(
        Rect::from_min_max(rect.min, pos2(right, rect.bottom())),
        CornerRadius::same(2),
        color,
    );
}

/// Ticks and figures under lying bars.
pub fn lying_scale(painter: &Painter, rect: Rect) {
    let colors = theme::colors(painter.ctx());
    for level_db in [-48.0, -36.0, -24.0, -12.0, 0.0] {
        let x = rect.left() + rect.width() * fraction(Some(level_db));
        painter.line_segment([pos2(x, rect.top() - 3.0), pos2(x, rect.top())], Stroke::new(1.0, colors.edge));
        let text = format!("{level_db:.0}").replace('-', "\u{2212}");
        theme::label(painter, pos2(x, rect.top() + 1.0), Align2::CENTER_TOP, &text, 8.5, colors.dim);
    }
}

/// Ticks and figures of the scale, right-aligned at `right` beside a bar from `top` to `bottom`.
pub fn scale(painter: &Painter, right: f32, top: f32, bottom: f32) {
    let colors = theme::colors(painter.ctx());
    for level_db in [0.0, -12.0, -24.0, -36.0, -48.0] {
        let y = bottom - (bottom - top) * fraction(Some(level_db));
        let text = format!("{level_db:.0}").replace('-', "\u{2212}");
        theme::label(painter, pos2(right, y), Align2::RIGHT_CENTER, &text, 9.0, colors.dim);
    }
}

/// The mix: momentary loudness and peak as bars, three numbers beside them.
pub fn mix(painter: &Painter, rect: Rect, mix: &MixCopy) {
    let colors = theme::colors(painter.ctx());
    let (top, bottom) = (rect.top() + 26.0, rect.bottom());
    theme::label(painter, rect.left_top(), Align2::LEFT_TOP, "MIX", 13.0, colors.text);
    scale(painter, rect.left() + 20.0, top + 2.0, bottom - 2.0);
    let width = 16.0;
    let loud = Rect::from_min_max(pos2(rect.left() + 26.0, top), pos2(rect.left() + 26.0 + width, bottom));
    let peak = loud.translate(egui::vec2(width + 5.0, 0.0));
    bar(painter, loud, mix.momentary_lufs, colors.accent);
    let hot = |level: Option<f32>| level.is_some_and(|level| level > PEAK_WARNING_DB);
    bar(
        painter,
        peak,
        mix.peak_db,
        if hot(mix.peak_db) { colors.bad } else { colors.faded(colors.accent, 0.55) },
    );

    let numbers = [
        ("Momentary", mix.momentary_lufs, "LUFS", colors.text),
        ("Integrated", mix.integrated_lufs, "LUFS", colors.text),
        ("True peak", mix.true_peak_db, "dBTP", if hot(mix.true_peak_db) { colors.bad } else { colors.text }),
    ];
    let left = peak.right() + 18.0;
    let step = ((bottom - top) / 3.0).min(54.0);
    for (row, (name, value, unit, color)) in numbers.into_iter().enumerate() {
        let y = top + step * row as f32;
        theme::label(painter, pos2(left, y), Align2::LEFT_TOP, name, 11.0, colors.dim);
        let number = theme::label(
            painter,
            pos2(left, y + 14.0),
            Align2::LEFT_TOP,
            &theme::decimal(value),
            20.0,
            color,
        );
        let at = pos2(left + 62.0_f32.max(number.width() + 8.0), number.bottom() - 3.0);
        theme::label(painter, at, Align2::LEFT_BOTTOM, unit, 11.0, colors.dim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_linear_and_bounded() {
        assert_eq!(fraction(Some(0.0)), 1.0);
        assert_eq!(fraction(Some(-30.0)), 0.5);
        assert_eq!(fraction(Some(-60.0)), 0.0);
        assert_eq!(fraction(Some(6.0)), 1.0);
        assert_eq!(fraction(Some(f32::NAN)), 0.0);
        assert_eq!(fraction(None), 0.0);
    }
}
