//! Level meters and the numbers under them.
//!
//! Loudness is drawn on one LUFS scale everywhere, so that a stem's bars and the mix compare at a glance.

use super::controls;
use super::copies::MixCopy;
use super::edit::Edit;
use super::held::OVER_DB;
use super::theme;
use egui::{Align2, Color32, CornerRadius, Id, Painter, Rect, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

/// Bottom of every meter.
const FLOOR_DB: f32 = -60.0;

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

/// The mix: momentary loudness and peak as bars, numbers and the correlation of the sides beside them.
pub fn mix(ui: &Ui, rect: Rect, mix: &MixCopy, edits: &mut Vec<Edit>) {
    const WIDTH: f32 = 18.0;
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let (top, bottom) = (rect.top() + 26.0, rect.bottom() - 14.0);
    theme::label(painter, rect.left_top(), Align2::LEFT_TOP, "MIX", 13.0, colors.text);
    scale(painter, rect.left() + 20.0, top + 2.0, bottom - 2.0);
    let left = rect.left() + 26.0;
    let loud = Rect::from_min_max(pos2(left, top), pos2(left + WIDTH, bottom));
    let peak = loud.translate(vec2(WIDTH + 8.0, 0.0));
    bar(painter, loud, mix.momentary_lufs, colors.accent);
    let hot = |level: Option<f32>| level.is_some_and(|level| level > OVER_DB);
    let tint = if hot(mix.peak_db) { colors.bad } else { colors.faded(colors.accent, 0.55) };
    bar(painter, peak, mix.peak_db, tint);
    if mix.peak_hold_db.is_some() {
        let y = peak.bottom() - 2.0 - (peak.height() - 4.0) * fraction(mix.peak_hold_db);
        let tint = if hot(mix.peak_hold_db) { colors.bad } else { colors.text };
        let ends = [pos2(peak.left() + 2.0, y), pos2(peak.right() - 2.0, y)];
        painter.line_segment(ends, Stroke::new(1.5, tint));
    }
    for (bar, name) in [(loud, "LUFS"), (peak, "peak")] {
        let at = pos2(bar.center().x, bottom + 3.0);
        theme::label(painter, at, Align2::CENTER_TOP, name, 9.5, colors.dim);
    }
    let lamp = Rect::from_min_max(pos2(peak.left(), top - 12.0), pos2(peak.right(), top - 4.0));
    over(ui, lamp, mix.over, edits);
    let right = Rect::from_min_max(pos2(peak.right() + 16.0, top), pos2(rect.right(), bottom));
    numbers(painter, right, mix);
    let row = Rect::from_min_max(pos2(right.left(), right.bottom() - 32.0), right.max);
    correlation(ui, row, mix.correlation);
}

/// The lamp that remembers a peak over the mark.
fn over(ui: &Ui, rect: Rect, lit: bool, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let fill = if lit { colors.bad } else { colors.well };
    let edge = Stroke::new(1.0, if lit { colors.bad } else { colors.edge });
    ui.painter().rect(rect, CornerRadius::same(2), fill, edge, StrokeKind::Inside);
    let response = ui.interact(rect.expand(4.0), Id::unique("over"), Sense::click());
    controls::focus(ui, rect, &response);
    if response.clicked() && lit {
        edits.push(Edit::ResetOver);
    }
    let words = match lit {
        true => "A peak came over \u{2212}1 dB. Click to put the lamp out.",
        false => "Lights when a peak comes over \u{2212}1 dB.",
    };
    response.on_hover_text(words);
}

fn numbers(painter: &Painter, rect: Rect, mix: &MixCopy) {
    let colors = theme::colors(painter.ctx());
    let hot = mix.true_peak_db.is_some_and(|peak| peak > OVER_DB);
    let numbers = [
        ("Momentary", mix.momentary_lufs, "LUFS", colors.text),
        ("Integrated", mix.integrated_lufs, "LUFS", colors.text),
        ("True peak", mix.true_peak_db, "dBTP", if hot { colors.bad } else { colors.text }),
    ];
    let step = ((rect.height() - 36.0) / 3.0).min(54.0);
    for (row, (name, value, unit, color)) in numbers.into_iter().enumerate() {
        let at = pos2(rect.left(), rect.top() + step * row as f32);
        theme::label(painter, at, Align2::LEFT_TOP, name, 11.0, colors.dim);
        let value = theme::decimal(value);
        let number = theme::label(painter, at + vec2(0.0, 14.0), Align2::LEFT_TOP, &value, 20.0, color);
        let at = pos2(rect.left() + 62.0_f32.max(number.width() + 8.0), number.bottom() - 3.0);
        theme::label(painter, at, Align2::LEFT_BOTTOM, unit, 11.0, colors.dim);
    }
}

/// −1 to 1; what lies left of the middle is lost in mono.
fn correlation(ui: &Ui, rect: Rect, value: Option<f32>) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    theme::label(painter, rect.left_top(), Align2::LEFT_TOP, "Correlation", 11.0, colors.dim);
    let text = value.map_or("\u{2013}".into(), |value| format!("{value:+.2}").replace('-', "\u{2212}"));
    theme::label(painter, rect.right_top(), Align2::RIGHT_TOP, &text, 11.0, colors.text);
    let track = Rect::from_min_max(pos2(rect.left(), rect.bottom() - 13.0), rect.max - vec2(0.0, 5.0));
    painter.rect_filled(track, CornerRadius::same(2), colors.well);
    painter.line_segment([track.center_top(), track.center_bottom()], Stroke::new(1.0, colors.edge));
    if let Some(value) = value {
        let x = track.left() + track.width() * (0.5 + 0.5 * value.clamp(-1.0, 1.0));
        let mark = Rect::from_center_size(pos2(x, track.center().y), vec2(4.0, track.height()));
        let tint = if value < 0.0 { colors.bad } else { colors.accent };
        painter.rect_filled(mark, CornerRadius::same(1), tint);
    }
    ui.interact(rect, Id::unique("correlation"), Sense::hover()).on_hover_text(
        "How alike the sides are: 1 is mono, 0 has nothing in common, below 0 is lost in mono.",
    );
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
