//! Colors, sizes and the few drawing helpers every part of the editor shares.
//!
//! Quiet: one hue and one shape per stem, everything else gray, and color only where something is happening. There are two
//! palettes of the same names; which is in force is the context's theme, so that whoever draws need not be told.

use egui::{
    Align2, Color32, Context, CornerRadius, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, Theme, Visuals,
    epaint::Mesh, pos2, vec2,
};
use tributary_dsp::Stem;

/// The colors of one appearance.
#[derive(Debug, PartialEq)]
pub struct Palette {
    /// Window background.
    pub background: Color32,
    /// Background of a panel.
    pub panel: Color32,
    /// Background of a meter or a track inside a panel.
    pub well: Color32,
    /// Hairlines around and within panels. They part and carry no meaning.
    pub line: Color32,
    /// Outlines of what can be pressed or turned.
    pub edge: Color32,
    /// Main text.
    pub text: Color32,
    /// Labels and units.
    pub dim: Color32,
    /// The mix, knobs, what can be turned.
    pub accent: Color32,
    /// A choice that is in force, as a button's fill.
    pub chosen: Color32,
    /// All is well.
    pub good: Color32,
    /// Not yet.
    pub wait: Color32,
    /// Something is wrong.
    pub bad: Color32,
    /// Text on a button that is lit.
    pub on_lit: Color32,
    stems: [Color32; Stem::COUNT],
}

/// Light on dark.
pub const DARK: Palette = Palette {
    background: Color32::from_rgb(0x12, 0x15, 0x19),
    panel: Color32::from_rgb(0x1a, 0x1e, 0x24),
    well: Color32::from_rgb(0x0d, 0x10, 0x13),
    line: Color32::from_rgb(0x2b, 0x32, 0x3b),
    edge: Color32::from_rgb(0x68, 0x72, 0x7e),
    text: Color32::from_rgb(0xe0, 0xe5, 0xea),
    dim: Color32::from_rgb(0x93, 0x9e, 0xab),
    accent: Color32::from_rgb(0x9f, 0xc4, 0xe8),
    chosen: Color32::from_rgb(0x84, 0xa2, 0xc0),
    good: Color32::from_rgb(0x5f, 0xc0, 0x8c),
    wait: Color32::from_rgb(0xe3, 0xb3, 0x55),
    bad: Color32::from_rgb(0xec, 0x7a, 0x70),
    on_lit: Color32::from_rgb(0x12, 0x15, 0x19),
    stems: [
        Color32::from_rgb(0xe6, 0xa9, 0x4c),
        Color32::from_rgb(0x6b, 0x93, 0xec),
        Color32::from_rgb(0xdb, 0x6e, 0x6e),
        Color32::from_rgb(0x58, 0xb8, 0x9b),
    ],
};

/// Dark on light.
pub const LIGHT: Palette = Palette {
    background: Color32::from_rgb(0xe4, 0xe8, 0xec),
    panel: Color32::from_rgb(0xf7, 0xf8, 0xfa),
    well: Color32::from_rgb(0xe2, 0xe6, 0xeb),
    line: Color32::from_rgb(0xcc, 0xd3, 0xdb),
    edge: Color32::from_rgb(0x76, 0x80, 0x8c),
    text: Color32::from_rgb(0x1b, 0x21, 0x29),
    dim: Color32::from_rgb(0x4f, 0x5a, 0x66),
    accent: Color32::from_rgb(0x25, 0x65, 0xa3),
    chosen: Color32::from_rgb(0x25, 0x65, 0xa3),
    good: Color32::from_rgb(0x17, 0x6c, 0x41),
    wait: Color32::from_rgb(0x85, 0x56, 0x00),
    bad: Color32::from_rgb(0xae, 0x27, 0x22),
    on_lit: Color32::from_rgb(0xff, 0xff, 0xff),
    stems: [
        Color32::from_rgb(0x9a, 0x62, 0x06),
        Color32::from_rgb(0x2f, 0x60, 0xcd),
        Color32::from_rgb(0xb8, 0x38, 0x3c),
        Color32::from_rgb(0x0d, 0x75, 0x59),
    ],
};

impl Palette {
    /// The hue of a stem.
    pub fn stem(&self, stem: Stem) -> Color32 {
        self.stems[stem.index()]
    }

    /// `color` faded towards a panel; 1 leaves it.
    pub fn faded(&self, color: Color32, strength: f32) -> Color32 {
        let mix =
            |a: u8, b: u8| (f32::from(b) + (f32::from(a) - f32::from(b)) * strength.clamp(0.0, 1.0)) as u8;
        let panel = self.panel;
        Color32::from_rgb(mix(color.r(), panel.r()), mix(color.g(), panel.g()), mix(color.b(), panel.b()))
    }

    /// The framework's own look of what it draws: menus, tooltips, the field that is typed into.
    fn visuals(&self, base: Visuals) -> Visuals {
        let mut visuals = base;
        visuals.window_fill = self.panel;
        visuals.panel_fill = self.background;
        visuals.extreme_bg_color = self.well;
        visuals.window_stroke = Stroke::new(1.0, self.edge);
        visuals.override_text_color = Some(self.text);
        visuals.selection.bg_fill = self.faded(self.accent, 0.4);
        visuals.selection.stroke = Stroke::new(1.0, self.text);
        visuals
    }
}

/// The palette in force.
pub fn colors(ctx: &Context) -> &'static Palette {
    match ctx.theme() {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

/// Gives a context the editor's look in both appearances. Once per context.
pub fn dress(ctx: &Context) {
    ctx.set_visuals_of(Theme::Dark, DARK.visuals(Visuals::dark()));
    ctx.set_visuals_of(Theme::Light, LIGHT.visuals(Visuals::light()));
    // The window's size says how large everything is.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
}

/// Corner radius of panels.
pub const RADIUS: CornerRadius = CornerRadius::same(6);
/// Space between panels, in points.
pub const GAP: f32 = 8.0;

/// A panel's background.
pub fn panel(painter: &Painter, rect: Rect) {
    let colors = colors(painter.ctx());
    painter.rect(rect, RADIUS, colors.panel, Stroke::new(1.0, colors.line), StrokeKind::Inside);
}

/// The sign of a stem, for whoever cannot tell its hue: a disk, a square, a triangle, a diamond. Filled when `lit`.
pub fn sign(painter: &Painter, center: Pos2, radius: f32, stem: Stem, lit: bool) {
    let colors = colors(painter.ctx());
    let (fill, edge) =
        if lit { (colors.stem(stem), colors.stem(stem)) } else { (Color32::TRANSPARENT, colors.edge) };
    let (stroke, r) = (Stroke::new(1.2, edge), radius);
    let polygon = |points: &[(f32, f32)]| {
        let points = points.iter().map(|(x, y)| center + vec2(*x, *y) * r).collect();
        painter.add(egui::Shape::convex_polygon(points, fill, stroke));
    };
    match stem {
        Stem::Vocals => drop(painter.circle(center, 0.95 * r, fill, stroke)),
        Stem::Bass => {
            let square = Rect::from_center_size(center, vec2(1.7, 1.7) * r);
            painter.rect(square, CornerRadius::ZERO, fill, stroke, StrokeKind::Middle);
        }
        Stem::Drums => polygon(&[(0.0, -1.05), (1.1, 0.85), (-1.1, 0.85)]),
        Stem::Other => polygon(&[(0.0, -1.15), (1.15, 0.0), (0.0, 1.15), (-1.15, 0.0)]),
    }
}

/// A small triangle that points down: a menu opens here.
pub fn arrow_down(painter: &Painter, center: Pos2, color: Color32) {
    let points = [(-4.0, -2.5), (4.0, -2.5), (0.0, 2.5)].map(|(x, y)| pos2(center.x + x, center.y + y));
    painter.add(egui::Shape::convex_polygon(points.to_vec(), color, Stroke::NONE));
}

/// The area between two lines of as many points.
pub fn ribbon(painter: &Painter, [upper, lower]: &[Vec<Pos2>; 2], color: Color32) {
    let mut mesh = Mesh::default();
    for (upper, lower) in upper.iter().zip(lower) {
        let next = mesh.vertices.len() as u32;
        mesh.colored_vertex(*upper, color);
        mesh.colored_vertex(*lower, color);
        if next >= 2 {
            mesh.add_triangle(next - 2, next - 1, next);
            mesh.add_triangle(next - 1, next, next + 1);
        }
    }
    painter.add(egui::Shape::mesh(mesh));
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

    /// Relative luminance after WCAG 2.2.
    fn luminance(color: Color32) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    /// Contrast after WCAG 2.2, 1 to 21.
    fn contrast(one: Color32, other: Color32) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// 4.5 for text and 3 for what must be seen to be used: WCAG 2.2, 1.4.3 and 1.4.11.
    #[test]
    fn text_can_be_read_and_controls_can_be_found() {
        for palette in [&DARK, &LIGHT] {
            let Palette { background, panel, well, .. } = *palette;
            let least = |color, least: f64, what: &str| {
                for ground in [background, panel, well] {
                    let found = contrast(color, ground);
                    assert!(found >= least, "{what}: {found:.2} on {ground:?}, {least} wanted");
                }
            };
            for (color, what) in [
                (palette.text, "text"),
                (palette.dim, "dim"),
                (palette.accent, "accent"),
                (palette.good, "good"),
                (palette.wait, "wait"),
                (palette.bad, "bad"),
            ] {
                least(color, 4.5, what);
            }
            least(palette.edge, 3.0, "edge");
            for stem in Stem::ALL {
                least(palette.stem(stem), 3.0, stem.name());
                assert!(contrast(palette.stem(stem), palette.on_lit) >= 4.5, "{stem} as a lit button");
            }
            for lit in [palette.accent, palette.wait, palette.bad, palette.chosen] {
                assert!(contrast(lit, palette.on_lit) >= 4.5, "text on {lit:?}");
            }
        }
    }

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
