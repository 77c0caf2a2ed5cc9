//! Where a stem sits between the speakers: a fan from the listener, as wide as the stem is and turned to where it is louder.

use super::copies::ImageCopy;
use super::theme;
use egui::{Align2, Color32, Id, Painter, Pos2, Rect, Sense, Shape, Stroke, Ui, Vec2, pos2, vec2};
use std::f32::consts::PI;
use tributary_dsp::Stem;

/// Half of the angle between the speakers as they are drawn.
const HALF_ANGLE: f32 = 0.36 * PI;
/// Half of the narrowest fan: a mono stem is seen as a line of some width.
const LEAST: f32 = 0.03 * PI;

/// Draws the fan into `rect`. Without an image there is the room alone.
pub fn draw(ui: &Ui, rect: Rect, stem: Stem, image: Option<ImageCopy>) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    theme::label(painter, rect.left_top(), Align2::LEFT_TOP, "Image", 10.5, colors.dim);
    let center = pos2(rect.center().x, rect.bottom() - 8.0);
    let radius = (rect.height() - 16.0).min(rect.width() / 2.2);
    let room = colors.faded(colors.edge, 0.7);
    painter.add(Shape::line(arc(center, radius, -HALF_ANGLE, HALF_ANGLE), Stroke::new(1.0, room)));
    let speaker = |side: f32| center + direction(side * HALF_ANGLE) * (radius + 8.0);
    theme::label(painter, speaker(-1.0), Align2::CENTER_CENTER, "L", 9.5, colors.dim);
    theme::label(painter, speaker(1.0), Align2::CENTER_CENTER, "R", 9.5, colors.dim);
    painter.line_segment([center, center - vec2(0.0, radius)], Stroke::new(1.0, colors.line));
    let Some(image) = image else { return };
    let color = colors.stem(stem);
    let (middle, half) = angles(image);
    fan(painter, center, radius, (middle - half, middle + half), colors.faded(color, 0.35));
    painter.line_segment([center, center + direction(middle) * radius], Stroke::new(2.0, color));
    ui.interact(rect, Id::unique("image").with(stem.index()), Sense::hover()).on_hover_text(format!(
        "Where the stem goes into the mix: {}, {:.0} % of it to the sides.",
        place(image.balance),
        100.0 * image.width
    ));
}

/// Middle and half of the width of the fan, in radians from the middle.
fn angles(image: ImageCopy) -> (f32, f32) {
    let middle = image.balance.clamp(-1.0, 1.0) * HALF_ANGLE;
    // As much side as middle is a stem that fills the room.
    // A stem that is on one side alone is no wide one.
    let width = 2.0 * image.width.clamp(0.0, 0.5) * (1.0 - image.balance.abs().min(1.0));
    let half = LEAST + width * (HALF_ANGLE - LEAST);
    (middle, half)
}

/// In words.
pub fn place(balance: f32) -> String {
    match (100.0 * balance).round() {
        0.0 => "center".to_owned(),
        side if side < 0.0 => format!("{:.0} % left", -side),
        side => format!("{side:.0} % right"),
    }
}

/// Up is the middle, positive is right.
fn direction(angle: f32) -> Vec2 {
    vec2(angle.sin(), -angle.cos())
}

fn arc(center: Pos2, radius: f32, from: f32, to: f32) -> Vec<Pos2> {
    const STEPS: usize = 32;
    (0..=STEPS)
        .map(|step| center + direction(from + (to - from) * step as f32 / STEPS as f32) * radius)
        .collect()
}

fn fan(painter: &Painter, center: Pos2, radius: f32, (from, to): (f32, f32), color: Color32) {
    let mut points = arc(center, radius - 1.0, from.max(-HALF_ANGLE), to.min(HALF_ANGLE));
    points.push(center);
    painter.add(Shape::convex_polygon(points, color, Stroke::NONE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fan_is_as_wide_as_the_stem() {
        let of = |balance, width| angles(ImageCopy { balance, width });
        assert_eq!(of(0.0, 0.0), (0.0, LEAST));
        assert_eq!(of(0.0, 0.5), (0.0, HALF_ANGLE));
        assert_eq!(of(-3.0, 9.0), (-HALF_ANGLE, LEAST));
        assert_eq!([place(0.0), place(-0.252), place(1.0)], ["center", "25 % left", "100 % right"]);
    }
}
