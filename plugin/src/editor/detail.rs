//! One stem in full: its tone against what is usual, the compressor with the level on it, and the rest in words. Stands under
//! the strips, which then show their levels only.

mod compressor;
mod tone;

use super::controls::Field;
use super::copies::{Copies, StemCopy};
use super::correction_rows;
use super::edit::{Control, Edit, StemControl};
use super::stereo_image;
use super::theme::{self, GAP};
use super::turning::Turning;
use crate::params::TributaryParams;
use crate::params::amounts::NAMES;
use egui::{Align2, FontId, Rect, Ui, pos2, vec2};
use tributary_dsp::Stem;

const MARGIN: f32 = 12.0;
const HEADING: f32 = 30.0;
const COMPRESSOR: f32 = 176.0;
const SIDE: f32 = 190.0;
/// Height of the row of amounts.
const AMOUNTS: f32 = 44.0;

/// Draws the stem into `rect` and appends what the user did.
pub fn draw(
    ui: &Ui,
    rect: Rect,
    stem: Stem,
    params: &TributaryParams,
    copies: &Copies,
    edits: &mut Vec<Edit>,
) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let copy = &copies.stems[stem.index()];
    theme::panel(painter, rect);
    let inner = rect.shrink2(vec2(MARGIN, 0.0));
    let (heading, rest) = inner.split_top_bottom_at_y(inner.top() + HEADING);
    let y = heading.center().y + 1.0;
    theme::sign(painter, pos2(heading.left() + 5.0, y), 5.0, stem, copy.signal);
    let name = stem.name().to_uppercase();
    let at = pos2(heading.left() + 18.0, y);
    let name = theme::label(painter, at, Align2::LEFT_CENTER, &name, 12.5, colors.text);
    let words = Rect::from_min_max(pos2(name.right() + 16.0, heading.top()), heading.max);
    let galley = painter.layout_no_wrap(copy.decision.clone(), FontId::proportional(11.0), colors.dim);
    let at = pos2(words.left(), y - galley.size().y / 2.0);
    painter.with_clip_rect(words).galley(at, galley, colors.dim);

    let (views, row) = rest.split_top_bottom_at_y(rest.bottom() - AMOUNTS);
    let views = Rect::from_min_max(views.min, views.max - vec2(0.0, 4.0));
    let (left, side) = views.split_left_right_at_x(views.right() - SIDE);
    let (tone, compressor) = left.split_left_right_at_x(left.right() - COMPRESSOR - GAP);
    tone::draw(ui, tone, stem, copy);
    compressor::draw(ui, Rect::from_min_max(compressor.min + vec2(GAP, 0.0), compressor.max), stem, copy);
    let side = Rect::from_min_max(side.min + vec2(2.0 * GAP, 0.0), side.max);
    let (image, rows) = side.split_top_bottom_at_y(side.top() + 0.42 * side.height());
    stereo_image::draw(ui, image, stem, copy.image);
    in_words(ui, rows, copy);
    amounts(ui, row, stem, params, edits);
}

/// What each effect does now.
fn in_words(ui: &Ui, rect: Rect, copy: &StemCopy) {
    let colors = theme::colors(ui.ctx());
    let height = rect.height() / NAMES.len() as f32;
    for (index, (name, correction)) in NAMES.iter().zip(&copy.corrections).enumerate() {
        let y = rect.top() + (index as f32 + 0.5) * height;
        let tint = if correction.in_force { colors.text } else { colors.faded(colors.dim, 0.85) };
        theme::label(ui.painter(), pos2(rect.left(), y), Align2::LEFT_CENTER, name, 10.5, colors.dim);
        theme::label(
            ui.painter(),
            pos2(rect.right(), y),
            Align2::RIGHT_CENTER,
            &correction.value,
            10.5,
            tint,
        );
    }
}

/// How much of each effect is let through of this stem.
fn amounts(ui: &Ui, rect: Rect, stem: Stem, params: &TributaryParams, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let amounts = params.stem(stem).amounts.each();
    let width = (rect.width() - 5.0 * GAP) / NAMES.len() as f32;
    for (index, (name, param)) in NAMES.into_iter().zip(amounts).enumerate() {
        let left = rect.left() + index as f32 * (width + GAP);
        let field = Rect::from_min_size(pos2(left, rect.top() + 16.0), vec2(width, 20.0));
        theme::label(ui.painter(), pos2(left, rect.top()), Align2::LEFT_TOP, name, 10.5, colors.dim);
        let control = Control::Stem(stem, StemControl::Amount(index));
        let turning = Turning::new(control, param).sideways().explained(correction_rows::HELP);
        Field { turning, neutral: 0.0, color: colors.stem(stem), name: "" }.draw(ui, field, edits);
    }
}
