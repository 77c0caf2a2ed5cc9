//! What the network does to a stem: the gains of its masks, band by band, over the last ten seconds, and their means. Warm is
//! louder than in the plain sum of the stems, cold is softer; what is as loud as there is not lit.

use super::frequencies;
use crate::editor::copies::{MasksCopy, NetworkCopy};
use crate::editor::theme::{self, GAP, Palette};
use egui::{
    Align2, Color32, CornerRadius, Id, Painter, Rect, Sense, Shape, Stroke, Ui, epaint::Mesh, pos2, vec2,
};
use tributary_dsp::Stem;
use tributary_engine::PARTS;

/// Columns that fill the width: ten seconds.
const COLUMNS: usize = 100;
/// Ends of the scale of gains, in dB: the nearest that holds everything shown. Shipped models go a small part of the way.
const RANGES_DB: [f32; 8] = [0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 60.0];
const PART_NAMES: [&str; PARTS] = ["Middle", "Sides"];
/// Room for the caption over the plots, the names of frequencies, the means, and the line under a plot.
const CAPTION: f32 = 22.0;
const NAMES: f32 = 38.0;
const MEANS: f32 = 132.0;
const FOOT: f32 = 18.0;
/// Least distance between two names of bands, in points.
const NAME_STEP: f32 = 12.0;
const LEGEND: f32 = 96.0;

/// Draws the page into `rect`.
pub fn draw(ui: &Ui, rect: Rect, stem: Stem, network: &NetworkCopy) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let masks = match network {
        NetworkCopy::Masks(masks) if !masks.columns.is_empty() => masks,
        other => {
            let words = match other {
                NetworkCopy::Idle => "No model runs.",
                NetworkCopy::Hidden => "This model shows no masks: what it does can only be heard.",
                NetworkCopy::Masks(_) => "What the network does is shown while the song plays.",
            };
            let well = rect.with_max_y(rect.bottom() - 10.0);
            painter.rect_filled(well, CornerRadius::same(3), colors.well);
            theme::label(painter, well.center(), Align2::CENTER_CENTER, words, 11.0, colors.dim);
            return;
        }
    };
    let farthest_db = masks.farthest_db();
    let range_db = RANGES_DB.into_iter().find(|range_db| farthest_db <= *range_db).unwrap_or(60.0);
    caption(painter, rect, range_db);
    let plots = Rect::from_min_max(rect.min + vec2(NAMES, CAPTION), rect.max - vec2(MEANS + GAP, 4.0));
    let height = plots.height() / PARTS as f32;
    for (part, name) in PART_NAMES.into_iter().enumerate() {
        let top = plots.top() + height * part as f32;
        let plot = Rect::from_min_max(pos2(plots.left(), top), pos2(plots.right(), top + height - FOOT));
        strip(painter, plot, masks, part, range_db);
        axes(painter, plot, name, &masks.bands_hz);
        let means = Rect::from_min_max(
            pos2(plot.right() + GAP, plot.top()),
            pos2(plot.right() + GAP + MEANS, plot.bottom()),
        );
        self::means(painter, means, masks, part, range_db);
    }
    ui.interact(plots, Id::unique("masks").with(stem.index()), Sense::hover()).on_hover_text(
        "Gains of the network's masks on this stem, gate included, as far as its card and Network let them go; the newest is of \
         what is about to be heard.",
    );
}

/// What is shown, and what the colors mean.
fn caption(painter: &Painter, rect: Rect, range_db: f32) {
    let colors = theme::colors(painter.ctx());
    let y = rect.top() + CAPTION / 2.0 - 2.0;
    let words = "What the network does to this stem: gain against the plain sum of the stems";
    theme::label(painter, pos2(rect.left(), y), Align2::LEFT_CENTER, words, 10.5, colors.dim);
    let end = |sign: &str| format!("{sign}{range_db} dB");
    let high =
        theme::label(painter, pos2(rect.right(), y), Align2::RIGHT_CENTER, &end("+"), 10.0, colors.dim);
    let scale =
        Rect::from_min_max(pos2(high.left() - 6.0 - LEGEND, y - 4.0), pos2(high.left() - 6.0, y + 4.0));
    const STEPS: usize = 24;
    let width = scale.width() / STEPS as f32;
    let mut mesh = Mesh::default();
    for step in 0..STEPS {
        let share = (step as f32 + 0.5) / STEPS as f32 * 2.0 - 1.0;
        let left = scale.left() + width * step as f32;
        let cell = Rect::from_min_max(pos2(left, scale.top()), pos2(left + width, scale.bottom()));
        mesh.add_colored_rect(cell, tint(colors, share));
    }
    painter.add(Shape::mesh(mesh));
    let at = pos2(scale.left() - 6.0, y);
    theme::label(painter, at, Align2::RIGHT_CENTER, &end("\u{2212}"), 10.0, colors.dim);
}

/// From −1, softest, to 1, loudest.
fn tint(colors: &Palette, share: f32) -> Color32 {
    let end = if share < 0.0 { colors.accent } else { colors.wait };
    colors.well.lerp_to_gamma(end, share.abs().min(1.0))
}

/// Time to the right, frequency upwards. Neighbors of one color are one rectangle.
fn strip(painter: &Painter, plot: Rect, masks: &MasksCopy, part: usize, range_db: f32) {
    let colors = theme::colors(painter.ctx());
    painter.rect_filled(plot, CornerRadius::ZERO, colors.well);
    let (bands, columns) = (masks.bands_hz.len(), masks.columns.len());
    let (width, height) = (plot.width() / COLUMNS as f32, plot.height() / bands.max(1) as f32);
    let x = |column: usize| plot.right() - width * (columns - column) as f32;
    let mut mesh = Mesh::default();
    for band in 0..bands {
        let bottom = plot.bottom() - height * band as f32;
        let color = |column: usize| tint(colors, masks.columns[column][part][band] / range_db);
        let mut from = 0;
        for column in 1..=columns {
            if column == columns || color(column) != color(from) {
                let cell = Rect::from_min_max(pos2(x(from), bottom - height), pos2(x(column), bottom));
                mesh.add_colored_rect(cell, color(from));
                from = column;
            }
        }
    }
    painter.with_clip_rect(plot).add(Shape::mesh(mesh));
}

fn axes(painter: &Painter, plot: Rect, name: &str, bands_hz: &[f32]) {
    let colors = theme::colors(painter.ctx());
    let height = plot.height() / bands_hz.len().max(1) as f32;
    let every = (NAME_STEP / height).ceil().max(1.0) as usize;
    for (band, hz) in bands_hz.iter().enumerate().step_by(every) {
        let at = pos2(plot.left() - 5.0, plot.bottom() - height * (band as f32 + 0.5));
        let unit = if band == 0 { " Hz" } else { "" };
        let name = frequencies::name(*hz) + unit;
        theme::label(painter, at, Align2::RIGHT_CENTER, &name, 9.0, colors.dim);
    }
    let y = plot.bottom() + FOOT / 2.0 - 2.0;
    for (share, words, anchor) in [
        (0.0, "10 s ago", Align2::LEFT_CENTER),
        (0.5, name, Align2::CENTER_CENTER),
        (1.0, "now", Align2::RIGHT_CENTER),
    ] {
        let (size, tint) = if share == 0.5 { (10.5, colors.text) } else { (9.0, colors.dim) };
        theme::label(painter, pos2(plot.left() + plot.width() * share, y), anchor, words, size, tint);
    }
}

/// A bar for each band from no gain, and the mean of them all.
fn means(painter: &Painter, rect: Rect, masks: &MasksCopy, part: usize, range_db: f32) {
    let colors = theme::colors(painter.ctx());
    painter.rect_filled(rect, CornerRadius::ZERO, colors.well);
    let bands = masks.bands_hz.len();
    let height = rect.height() / bands.max(1) as f32;
    let middle = rect.center().x;
    let mut sum_db = 0.0;
    for band in 0..bands {
        let mean_db = masks.mean_db(part, band);
        sum_db += mean_db;
        let share = (mean_db / range_db).clamp(-1.0, 1.0);
        let bottom = rect.bottom() - height * band as f32;
        let end = middle + (rect.width() / 2.0 - 2.0) * share;
        let bar = Rect::from_two_pos(pos2(middle, bottom - height + 0.5), pos2(end, bottom - 0.5));
        painter.rect_filled(bar, CornerRadius::ZERO, if share < 0.0 { colors.accent } else { colors.wait });
    }
    let middle = [pos2(middle, rect.top()), pos2(middle, rect.bottom())];
    painter.line_segment(middle, Stroke::new(1.0, colors.edge));
    let mean_db = sum_db / bands.max(1) as f32;
    let words = format!("mean {mean_db:+.2} dB").replace('-', "\u{2212}");
    let at = pos2(rect.center().x, rect.bottom() + FOOT / 2.0 - 2.0);
    theme::label(painter, at, Align2::CENTER_CENTER, &words, 9.5, colors.dim);
}
