//! The corrections of one stem, a row for each effect: what it does now, and how much of it is let through. A row is a
//! control: it is pulled, typed over and reset as any other, and shows its share where that is not all.

use super::copies::StemCopy;
use super::edit::{Control, Edit, StemControl};
use super::theme;
use super::turning::Turning;
use crate::params::StemParams;
use crate::params::amounts::NAMES;
use egui::{Align2, CornerRadius, Painter, Rect, Stroke, StrokeKind, Ui, pos2, vec2};
use tributary_dsp::Stem;

/// The compressor's place among the effects; its row has a meter.
const COMPRESSION: usize = 2;
/// Most height of a row, in points.
const ROW_MOST: f32 = 34.0;
/// Height at which rows are easily hit, in points.
pub const HEIGHT: f32 = 24.0 * NAMES.len() as f32;
/// Of every amount of a stem.
pub const HELP: &str =
    "How much of this correction of the stem is let through; 100 % is what the model's recipe says.";
/// Gain reduction at the end of its meter, in dB.
const REDUCTION_DB: f32 = 12.0;

/// Draws the rows into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, stem: Stem, params: &StemParams, copy: &StemCopy, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let height = (rect.height() / NAMES.len() as f32).min(ROW_MOST);
    let asleep = params.leave_alone.value();
    for (index, (name, param)) in NAMES.into_iter().zip(params.amounts.each()).enumerate() {
        let top = rect.top() + height * index as f32;
        let row = Rect::from_min_size(pos2(rect.left() - 4.0, top), vec2(rect.width() + 8.0, height - 1.0));
        let control = Control::Stem(stem, StemControl::Amount(index));
        let turning = Turning::new(control, param).sideways().explained(HELP);
        let (position, lit) = turning.turn(ui, row, edits);
        let painter = ui.painter();
        if lit {
            let edge = Stroke::new(1.0, colors.accent);
            painter.rect_stroke(row, CornerRadius::same(3), edge, StrokeKind::Inside);
        }
        let correction = &copy.corrections[index];
        let in_force = correction.in_force && position > 0.0 && !asleep;
        let y = row.center().y;
        let (left, right) = (row.left() + 4.0, row.right() - 4.0);
        let name_end =
            theme::label(painter, pos2(left, y), Align2::LEFT_CENTER, name, 11.0, colors.dim).right();
        let tint = if in_force { colors.text } else { colors.faded(colors.dim, 0.85) };
        let value = if asleep { "\u{2013}" } else { correction.value.as_str() };
        let value = theme::label(painter, pos2(right, y), Align2::RIGHT_CENTER, value, 11.0, tint);
        if position < 1.0 || lit {
            share(painter, row, position, &turning.text, (name_end, value.left()));
        } else if index == COMPRESSION && in_force {
            reduction(
                painter,
                Rect::from_min_max(pos2(name_end + 6.0, y - 2.5), pos2(value.left() - 6.0, y + 2.5)),
                copy,
            );
        }
    }
}

/// How much is let through: a line under the row, and the figure where there is room.
fn share(painter: &Painter, row: Rect, position: f32, text: &str, (from, to): (f32, f32)) {
    let colors = theme::colors(painter.ctx());
    let line = Rect::from_min_max(
        pos2(row.left() + 4.0, row.bottom() - 2.5),
        pos2(row.right() - 4.0, row.bottom() - 1.0),
    );
    painter.rect_filled(line, CornerRadius::ZERO, colors.well);
    let lit = Rect::from_min_max(line.min, pos2(line.left() + line.width() * position, line.bottom()));
    painter.rect_filled(lit, CornerRadius::ZERO, colors.accent);
    let text = text.replace(".0 %", " %");
    let galley = painter.layout_no_wrap(text, egui::FontId::proportional(10.0), colors.accent);
    if galley.size().x + 8.0 < to - from {
        let at = pos2((from + to - galley.size().x) / 2.0, row.center().y - galley.size().y / 2.0);
        painter.galley(at, galley, colors.accent);
    }
}

/// Gain reduction now, from the right.
fn reduction(painter: &Painter, rect: Rect, copy: &StemCopy) {
    let colors = theme::colors(painter.ctx());
    if rect.width() < 12.0 {
        return;
    }
    painter.rect_filled(rect, CornerRadius::same(2), colors.well);
    let share = (copy.gain_reduction_db / REDUCTION_DB).clamp(0.0, 1.0);
    let lit = Rect::from_min_max(pos2(rect.right() - rect.width() * share, rect.top()), rect.max);
    painter.rect_filled(lit, CornerRadius::same(2), colors.wait);
}
