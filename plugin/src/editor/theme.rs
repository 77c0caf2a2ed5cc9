//! Colors, sizes and the few drawing helpers every part of the editor shares.
//!
//! Dark and quiet: one hue per stem, everything else gray, and color only where something is happening.

use egui::{Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, Stroke, StrokeKind};
use tributary_dsp::Stem;

/// Window background.
pub const BACKGROUND: Color32 = Color32::from_rgb(0x12, 0x15, 0x19);
/// Background of a panel.
pub const PANEL: Color32 = Color32::from_rgb(0x1a, 0x1e, 0x24);
/// Background of a meter or a track inside a panel.
pub const WELL: Color32 = Color32::from_rgb(0x0d, 0x10, 0x13);
/// Hairlines and outlines.
pub const LINE: Color32 = Color32::from_rgb(0x2b, 0x32, 0x3b);
/// Main text.
pub const TEXT: Color32 = Color32::from_rgb(0xe0, 0xe5, 0xea);
/// Labels and units.
pub const DIM: Color32 = Color32::from_rgb(0x8b, 0x96, 0xa3);
/// The mix, knobs, what can be turned.
pub const ACCENT: Color32 = Color32::from_rgb(0x9f, 0xc4, 0xe8);
/// All is well.
pub const GOOD: Color32 = Color32::from_rgb(0x5f, 0xc0, 0x8c);
/// Not yet.
pub const WAIT: Color32 = Color32::from_rgb(0xe3, 0xb3, 0x55);
/// Something is wrong.
pub const BAD: Color32 = Color32::from_rgb(0xe4, 0x6c, 0x62);

/// Corner radius of panels.
pub const RADIUS: CornerRadius = CornerRadius::same(6);
/// Space between panels, in points.
pub const GAP: f32 = 8.0;

/// The hue of a stem.
pub fn stem_color(stem: Stem) -> Color32 {
    match stem {
        Stem::Vocals => Color32::from_rgb(0xe6, 0xa9, 0x4c),
        Stem::Bass => Color32::from_rgb(0x6b, 0x93, 0xec),
        Stem::Drums => Color32::from_rgb(0xdb, 0x6e, 0x6e),
        Stem::Other => Color32::from_rgb(0x58, 0xb8, 0x9b),
    }
}

/// `color` faded towards the background; 1 leaves it.
pub fn faded(color: Color32, strength: f32) -> Color32 {
    let mix = |a: u8, b: u8| (f32::from(b) + (f32::from(a) - f32::from(b)) * strength.clamp(0.0, 1.0)) as u8;
    Color32::from_rgb(mix(color.r(), PANEL.r()), mix(color.g(), PANEL.g()), mix(color.b(), PANEL.b()))
}

/// A panel's background.
pub fn panel(painter: &Painter, rect: Rect) {
    painter.rect(rect, RADIUS, PANEL, Stroke::new(1.0, LINE), StrokeKind::Inside);
}

/// Draws `text` with its `anchor` at `at`; returns the rectangle it covers.
pub fn label(painter: &Painter, at: Pos2, anchor: Align2, text: &str, size: f32, color: Color32) -> Rect {
    painter.text(at, anchor, text, FontId::proportional(size), color)
}

/// One decimal and a true minus sign; a dash for nothing.
pub fn decimal(value: Option<f32>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.1}").replace('-', "\u{2212}"),
        _ => "\u{2013}".to_owned(),
    }
}

/// Groups thousands with a thin gap: 16 384.
pub fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(decimal(Some(-14.04)), "−14.0");
        assert_eq!(decimal(Some(f32::NEG_INFINITY)), "–");
        assert_eq!(decimal(None), "–");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(16_384), "16\u{a0}384");
        assert_eq!(grouped(1_234_567), "1\u{a0}234\u{a0}567");
    }
}
