//! What is measured and corrected of a stem: its tone against what is usual, the compressor with the level on it, the rest in
//! words, and how much of each effect is let through.

use super::{compressor, tone};
use crate::editor::controls::Field;
use crate::editor::copies::StemCopy;
use crate::editor::correction_rows;
use crate::editor::edit::{Control, Edit, StemControl};
use crate::editor::stereo_image;
use crate::editor::theme::{self, GAP};
use crate::editor::turning::Turning;
use crate::params::TributaryParams;
use crate::params::amounts::NAMES;
use egui::{Align2, Rect, Ui, pos2, vec2};
use tributary_dsp::Stem;

const COMPRESSOR: f32 = 176.0;
const SIDE: f32 = 190.0;
/// Height of the row of amounts.
const AMOUNTS: f32 = 44.0;

/// Draws the page into `rect` and appends what the user did.
pub fn draw(
    ui: &Ui,
    rect: Rect,
    stem: Stem,
    params: &TributaryParams,
    copy: &StemCopy,
    edits: &mut Vec<Edit>,
) {
    let (views, row) = rect.split_top_bottom_at_y(rect.bottom() - AMOUNTS);
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
