//! Four streams into one: a curve from each strip to the mix, as strong as the stem is loud.
//!
//! The one ornament of the editor, and it carries meaning: which stems are in the mix right now, seen from across a room.

use super::copies::{MixCopy, StemCopy};
use super::meters::fraction;
use super::theme;
use egui::{Painter, Pos2, Rect, Stroke, epaint::CubicBezierShape, pos2};
use tributary_dsp::Stem;

/// Draws the streams inside `rect`, from the strips' centers above it to the middle of its right edge.
pub fn draw(painter: &Painter, rect: Rect, centers_x: [f32; 4], stems: &[StemCopy; 4], mix: &MixCopy) {
    let colors = theme::colors(painter.ctx());
    let mouth = pos2(rect.right(), rect.center().y);
    let river = 2.0 + 8.0 * fraction(mix.momentary_lufs);
    for stem in Stem::ALL {
        let copy = &stems[stem.index()];
        let level = if copy.signal { fraction(copy.after_lufs) } else { 0.0 };
        let source = pos2(centers_x[stem.index()], rect.top());
        // Streams enter the river one under the other, so that none hides another.
        let lane = (stem.index() as f32 - 1.5) * river.max(4.0) * 0.55;
        let color = colors.faded(colors.stem(stem), 0.18 + 0.82 * level);
        stream(painter, source, mouth, lane, Stroke::new(1.0 + 4.0 * level, color), rect.height());
    }
    let end = mouth - egui::vec2(26.0, 0.0);
    painter.line_segment(
        [end, mouth],
        Stroke::new(river, colors.faded(colors.accent, 0.25 + 0.75 * fraction(mix.momentary_lufs))),
    );
}

fn stream(painter: &Painter, source: Pos2, mouth: Pos2, lane: f32, stroke: Stroke, height: f32) {
    let end = pos2(mouth.x - 26.0, mouth.y + lane);
    let reach = ((end.x - source.x) * 0.5).min(140.0);
    let points = [source, pos2(source.x, source.y + height * 0.75), pos2(end.x - reach, end.y), end];
    painter.add(CubicBezierShape::from_points_stroke(points, false, egui::Color32::TRANSPARENT, stroke));
}
