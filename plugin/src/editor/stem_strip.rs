//! One stem: a lamp when signal arrives, its loudness as it comes in and as it goes into the mix, the corrections in force,
//! and what the engineer asks of it.

use super::controls::{Field, Switch};
use super::copies::StemCopy;
use super::edit::{Control, Edit, StemControl};
use super::meters;
use super::theme::{self, BAD, DIM, LINE, TEXT, WAIT, WELL};
use super::turning::Turning;
use crate::params::StemParams;
use egui::{Align2, Id, Painter, Rect, Sense, Stroke, Ui, pos2, vec2};
use tributary_dsp::Stem;

const MARGIN: f32 = 12.0;
const ROW: f32 = 15.0;

/// Height of the row of controls and the gap above it.
const CONTROLS: f32 = 28.0;
const BUTTON: f32 = 20.0;

/// Draws the strip of `stem` into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, stem: Stem, params: &StemParams, copy: &StemCopy, edits: &mut Vec<Edit>) {
    let painter = ui.painter().with_clip_rect(rect);
    let color = theme::stem_color(stem);
    theme::panel(&painter, rect);
    heading(&painter, rect, stem, copy.signal);
    leave_alone(ui, rect, stem, params, edits);
    let row = Rect::from_min_max(
        pos2(rect.left() + MARGIN, rect.bottom() - 8.0 - BUTTON),
        rect.max - vec2(MARGIN, 8.0),
    );
    controls(ui, row, stem, params, edits);
    let rect = Rect::from_min_max(rect.min, rect.max - vec2(0.0, CONTROLS - 4.0));
    if !copy.signal && !copy.seen {
        hint(ui, rect, stem);
        return;
    }
    let rows = copy.corrections.len() as f32;
    let numbers_top = rect.bottom() - MARGIN - rows * ROW - 48.0;
    let meters = Rect::from_min_max(
        pos2(rect.left() + MARGIN, rect.top() + 44.0),
        pos2(rect.right() - MARGIN, numbers_top - 10.0),
    );
    bars(&painter, meters, copy, color);
    loudness(&painter, rect, numbers_top, copy);
    if !copy.decision.is_empty() {
        let numbers = Rect::from_min_max(pos2(rect.left(), numbers_top), rect.max);
        let id = Id::unique("decision").with(stem.index());
        ui.interact(numbers, id, Sense::hover()).on_hover_text(format!("Decided: {}.", copy.decision));
    }
    for (row, (name, value)) in copy.corrections.iter().enumerate() {
        let y = rect.bottom() - MARGIN - (rows - row as f32 - 0.5) * ROW;
        theme::label(&painter, pos2(rect.left() + MARGIN, y), Align2::LEFT_CENTER, name, 11.0, DIM);
        theme::label(&painter, pos2(rect.right() - MARGIN, y), Align2::RIGHT_CENTER, value, 11.5, TEXT);
    }
}

fn heading(painter: &Painter, rect: Rect, stem: Stem, signal: bool) {
    let color = theme::stem_color(stem);
    let lamp = rect.left_top() + vec2(MARGIN + 5.0, 21.0);
    if signal {
        painter.circle_filled(lamp, 9.0, color.gamma_multiply(0.18));
        painter.circle_filled(lamp, 5.0, color);
    } else {
        painter.circle(lamp, 5.0, WELL, Stroke::new(1.0, LINE));
    }
    let tint = if signal { TEXT } else { DIM };
    theme::label(
        painter,
        lamp + vec2(13.0, 0.0),
        Align2::LEFT_CENTER,
        &stem.name().to_uppercase(),
        13.0,
        tint,
    );
}

/// The switch that leaves the stem alone, at the end of the heading.
fn leave_alone(ui: &Ui, rect: Rect, stem: Stem, params: &StemParams, edits: &mut Vec<Edit>) {
    let rect = Rect::from_min_size(pos2(rect.right() - 8.0 - 34.0, rect.top() + 12.0), vec2(34.0, 18.0));
    let switch = Switch {
        control: Control::Stem(stem, StemControl::LeaveAlone),
        name: "as is",
        help: "Leave alone: the stem goes into the mix as it comes in, without corrections; only trimmed.",
        on: params.leave_alone.value(),
        lit: theme::stem_color(stem),
    };
    super::controls::switch(ui, rect, &switch, edits);
}

/// Trim, mute and solo.
fn controls(ui: &Ui, row: Rect, stem: Stem, params: &StemParams, edits: &mut Vec<Edit>) {
    let trim = Rect::from_min_max(row.min, row.max - vec2(2.0 * (BUTTON + 4.0), 0.0));
    let turning = Turning::new(Control::Stem(stem, StemControl::Trim), &params.trim_db);
    let turning = turning
        .sideways()
        .explained("Trim: a gain of the stem on its way into the mix, ahead of the network.");
    Field { turning, neutral: 0.5, color: theme::stem_color(stem), name: "Trim" }.draw(ui, trim, edits);
    let switches = [
        (StemControl::Mute, "M", "Mute: the stem is left out of the mix.", params.mute.value(), BAD),
        (StemControl::Solo, "S", "Solo: stems that are not soloed are left out.", params.solo.value(), WAIT),
    ];
    for (index, (control, name, help, on, lit)) in switches.into_iter().enumerate() {
        let left = trim.right() + 4.0 + index as f32 * (BUTTON + 4.0);
        let rect = Rect::from_min_size(pos2(left, row.top()), vec2(BUTTON, BUTTON));
        let switch = Switch { control: Control::Stem(stem, control), name, help, on, lit };
        super::controls::switch(ui, rect, &switch, edits);
    }
}

/// Input and normalized loudness side by side on the common scale.
fn bars(painter: &Painter, rect: Rect, copy: &StemCopy, color: egui::Color32) {
    let (top, bottom) = (rect.top(), rect.bottom() - 14.0);
    meters::scale(painter, rect.left() + 20.0, top + 2.0, bottom - 2.0);
    let left = rect.left() + 28.0;
    let gap = 6.0;
    let width = ((rect.right() - left - gap) / 2.0).clamp(6.0, 60.0);
    let columns = [("in", copy.before_lufs, 0.45), ("out", copy.after_lufs, 1.0)];
    for (column, (name, level, strength)) in columns.into_iter().enumerate() {
        let x = left + column as f32 * (width + gap);
        let bar = Rect::from_min_max(pos2(x, top), pos2(x + width, bottom));
        meters::bar(painter, bar, level, theme::faded(color, strength));
        theme::label(painter, pos2(bar.center().x, bottom + 3.0), Align2::CENTER_TOP, name, 10.0, DIM);
    }
}

/// `−23.1 → −18.4 LUFS`.
fn loudness(painter: &Painter, rect: Rect, top: f32, copy: &StemCopy) {
    theme::label(painter, pos2(rect.left() + MARGIN, top), Align2::LEFT_TOP, "Loudness, LUFS", 11.0, DIM);
    let y = top + 26.0;
    theme::label(
        painter,
        pos2(rect.left() + MARGIN, y),
        Align2::LEFT_CENTER,
        &theme::decimal(copy.before_lufs),
        15.0,
        DIM,
    );
    let center = pos2(rect.center().x, y);
    painter.arrow(center - vec2(7.0, 0.0), vec2(12.0, 0.0), Stroke::new(1.0, DIM));
    theme::label(
        painter,
        pos2(rect.right() - MARGIN, y),
        Align2::RIGHT_CENTER,
        &theme::decimal(copy.after_lufs),
        15.0,
        TEXT,
    );
}

/// What to do when nothing has arrived on this sidechain yet.
fn hint(ui: &Ui, rect: Rect, stem: Stem) {
    let name = stem.name();
    let text = format!(
        "Nothing arrives here.\n\nSend your {name} to the sidechain input \u{201c}{}\u{201d} of this plug-in.",
        capital(name)
    );
    let galley =
        ui.painter().layout(text, egui::FontId::proportional(12.0), DIM, rect.width() - 2.0 * MARGIN);
    ui.painter().with_clip_rect(rect).galley(
        pos2(rect.left() + MARGIN, rect.center().y - galley.size().y / 2.0),
        galley,
        DIM,
    );
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
