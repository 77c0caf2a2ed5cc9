//! One stem: its sign, lit when signal arrives; its loudness as it comes in and as it goes into the mix; where it sits; every
//! correction there is, each in a place of its own; what was decided; and what the engineer asks of it.
//!
//! Nothing moves when something begins or ends: what is not in force is dim.

use super::controls::{self, Field, Switch};
use super::copies::StemCopy;
use super::correction_rows;
use super::edit::{Control, Edit, StemControl};
use super::meters;
use super::stereo_image;
use super::theme;
use super::turning::Turning;
use crate::params::StemParams;
use egui::text::LayoutJob;
use egui::{Align2, Color32, FontId, Id, Painter, Rect, Sense, Stroke, Ui, pos2, vec2};
use tributary_dsp::Stem;

/// Height of a strip that shows levels and controls alone, in points.
pub const SMALL_HEIGHT: f32 = HEADING + LOUDNESS + CONTROLS;

const MARGIN: f32 = 12.0;
const HEADING: f32 = 40.0;
const LOUDNESS: f32 = 62.0;
/// Least height of the stereo image, in points, and the most as a share of its width.
const IMAGE: f32 = 56.0;
const IMAGE_SHARE: f32 = 0.6;
/// Lines of what was decided, and their height.
const DECISION_ROWS: usize = 3;
const DECISION: f32 = 44.0;
/// Height of the row of controls and the space around it.
const CONTROLS: f32 = 34.0;
const BUTTON: f32 = 20.0;

/// Draws the strip of `stem` into `rect` and appends what the user did. While a stem is shown in full, strips have no room for
/// more than levels and controls.
pub fn draw(
    ui: &Ui,
    rect: Rect,
    stem: Stem,
    (params, copy): (&StemParams, &StemCopy),
    opened: Option<Stem>,
    edits: &mut Vec<Edit>,
) {
    let colors = theme::colors(ui.ctx());
    theme::panel(ui.painter(), rect);
    if opened == Some(stem) {
        let edge = Stroke::new(1.5, colors.stem(stem));
        ui.painter().rect_stroke(rect, theme::RADIUS, edge, egui::StrokeKind::Inside);
    }
    let (heading_rect, rest) = rect.split_top_bottom_at_y(rect.top() + HEADING);
    let (rest, bottom) = rest.split_top_bottom_at_y(rest.bottom() - CONTROLS);
    heading(ui, heading_rect, stem, (params, copy), opened, edits);
    let row = Rect::from_min_size(
        pos2(rect.left() + MARGIN, bottom.center().y - BUTTON / 2.0),
        vec2(rect.width() - 2.0 * MARGIN, BUTTON),
    );
    steering(ui, row, stem, params, edits);
    let inner = rest.shrink2(vec2(MARGIN, 0.0));
    if !copy.signal && !copy.seen {
        hint(ui, inner, stem, opened.is_some());
        return;
    }
    let (levels, rest) = inner.split_top_bottom_at_y(inner.top() + LOUDNESS);
    loudness(ui.painter(), levels, copy, colors.stem(stem));
    if opened.is_some() {
        return;
    }
    let (rest, words) = rest.split_top_bottom_at_y(rest.bottom() - DECISION);
    let image_height = (rest.height() - correction_rows::HEIGHT).clamp(IMAGE, IMAGE_SHARE * rest.width());
    let (image, rows) = rest.split_top_bottom_at_y(rest.top() + image_height);
    stereo_image::draw(ui, image, stem, copy.image);
    correction_rows::draw(ui, rows, stem, params, copy, edits);
    decision(ui, words, stem, params, copy);
}

/// Sign and name; the switch that leaves the stem alone; and what enlarges it.
fn heading(
    ui: &Ui,
    rect: Rect,
    stem: Stem,
    (params, copy): (&StemParams, &StemCopy),
    opened: Option<Stem>,
    edits: &mut Vec<Edit>,
) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let y = rect.top() + 21.0;
    let lamp = pos2(rect.left() + MARGIN + 5.0, y);
    if copy.signal {
        painter.circle_filled(lamp, 10.0, colors.stem(stem).gamma_multiply(0.18));
    }
    theme::sign(painter, lamp, 5.0, stem, copy.signal);
    let tint = if copy.signal { colors.text } else { colors.dim };
    let name = stem.name().to_uppercase();
    theme::label(painter, lamp + vec2(14.0, 0.0), Align2::LEFT_CENTER, &name, 13.0, tint);
    let lamp = Rect::from_min_max(rect.min, pos2(rect.center().x, rect.bottom()));
    let arrives = if copy.signal { "Signal arrives." } else { "No signal now." };
    ui.interact(lamp, Id::unique("lamp").with(stem.index()), Sense::hover())
        .on_hover_text(format!("{arrives} {}", routing(stem)));

    let open = opened == Some(stem);
    let enlarge = Rect::from_min_size(pos2(rect.right() - 8.0 - BUTTON, y - 9.0), vec2(BUTTON, 18.0));
    let response =
        controls::button(ui, enlarge, Id::unique("enlarge").with(stem.index()), "", open, colors.accent);
    magnifier(painter, enlarge, if open { colors.on_lit } else { colors.dim });
    if response.clicked() {
        edits.push(Edit::Enlarge((!open).then_some(stem)));
    }
    response.on_hover_text(format!("Shows what is measured and done of the {} in full.", stem.name()));
    let alone = Rect::from_min_size(enlarge.min - vec2(40.0, 0.0), vec2(36.0, 18.0));
    let switch = Switch {
        control: Control::Stem(stem, StemControl::LeaveAlone),
        name: "as is",
        help: "Leave alone: the stem goes into the mix as it comes in, without corrections; only trimmed.",
        on: params.leave_alone.value(),
        lit: colors.stem(stem),
    };
    controls::switch(ui, alone, &switch, edits);
}

fn magnifier(painter: &Painter, rect: Rect, color: Color32) {
    let (center, stroke) = (rect.center() - vec2(1.2, 1.2), Stroke::new(1.3, color));
    painter.circle_stroke(center, 3.6, stroke);
    painter.line_segment([center + vec2(2.7, 2.7), center + vec2(6.0, 6.0)], stroke);
}

/// Trim, mute, solo and lock.
fn steering(ui: &Ui, row: Rect, stem: Stem, params: &StemParams, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let trim = Rect::from_min_max(row.min, row.max - vec2(3.0 * (BUTTON + 4.0), 0.0));
    let turning = Turning::new(Control::Stem(stem, StemControl::Trim), &params.trim_db);
    let turning = turning
        .sideways()
        .explained("Trim: a gain of the stem on its way into the mix, ahead of the network.");
    Field { turning, neutral: 0.5, color: colors.stem(stem), name: "Trim" }.draw(ui, trim, edits);
    let (mute, solo, lock) = (params.mute.value(), params.solo.value(), params.lock.value());
    let keep = "Lock: the stem's corrections stay as they are, whatever comes.";
    let switches = [
        (StemControl::Mute, "M", "Mute: the stem is left out of the mix.", mute, colors.bad),
        (StemControl::Solo, "S", "Solo: stems that are not soloed are left out.", solo, colors.wait),
        (StemControl::Lock, "L", keep, lock, colors.accent),
    ];
    for (index, (control, name, help, on, lit)) in switches.into_iter().enumerate() {
        let left = trim.right() + 4.0 + index as f32 * (BUTTON + 4.0);
        let rect = Rect::from_min_size(pos2(left, row.top()), vec2(BUTTON, BUTTON));
        let switch = Switch { control: Control::Stem(stem, control), name, help, on, lit };
        controls::switch(ui, rect, &switch, edits);
    }
}

/// Loudness of the same moment as it comes in and as it goes into the mix, on the common scale.
fn loudness(painter: &Painter, rect: Rect, copy: &StemCopy, color: Color32) {
    const NAME: f32 = 24.0;
    const NUMBER: f32 = 38.0;
    let colors = theme::colors(painter.ctx());
    theme::label(painter, rect.left_top(), Align2::LEFT_TOP, "Loudness", 10.5, colors.dim);
    theme::label(painter, rect.right_top(), Align2::RIGHT_TOP, "LUFS", 10.5, colors.dim);
    let levels = [("in", copy.before_lufs, 0.5), ("out", copy.after_lufs, 1.0)];
    for (row, (name, level, strength)) in levels.into_iter().enumerate() {
        let y = rect.top() + 22.0 + 15.0 * row as f32;
        let bar = Rect::from_min_max(pos2(rect.left() + NAME, y - 5.0), pos2(rect.right() - NUMBER, y + 5.0));
        theme::label(painter, pos2(rect.left(), y), Align2::LEFT_CENTER, name, 10.5, colors.dim);
        meters::lying_bar(painter, bar, level, colors.faded(color, strength));
        let tint = if row == 1 { colors.text } else { colors.dim };
        let number = theme::decimal(level);
        theme::label(painter, pos2(rect.right(), y), Align2::RIGHT_CENTER, &number, 12.5, tint);
    }
    let scale = Rect::from_min_max(
        pos2(rect.left() + NAME, rect.top() + 44.0),
        pos2(rect.right() - NUMBER, rect.top() + 54.0),
    );
    meters::lying_scale(painter, scale);
}

/// What was decided, or why nothing is done.
fn decision(ui: &Ui, rect: Rect, stem: Stem, params: &StemParams, copy: &StemCopy) {
    let colors = theme::colors(ui.ctx());
    let words = if params.leave_alone.value() {
        "Left alone, as you ask: only trimmed.".to_owned()
    } else if params.lock.value() && !copy.decision.is_empty() {
        format!("Locked. {}", copy.decision)
    } else {
        copy.decision.clone()
    };
    let mut job = LayoutJob::simple(words.clone(), FontId::proportional(10.5), colors.dim, rect.width());
    job.wrap.max_rows = DECISION_ROWS;
    let galley = ui.painter().layout_job(job);
    ui.painter().with_clip_rect(rect).galley(rect.min + vec2(0.0, 4.0), galley, colors.dim);
    if !words.is_empty() {
        ui.interact(rect, Id::unique("decision").with(stem.index()), Sense::hover()).on_hover_text(words);
    }
}

/// Where a stem is to be sent.
fn routing(stem: Stem) -> String {
    let what = if stem == Stem::Other { "everything else".into() } else { format!("your {}", stem.name()) };
    format!("Send {what} to the sidechain input \u{201c}{}\u{201d} of this plug-in.", capital(stem.name()))
}

/// What to do when nothing has arrived on this sidechain yet.
fn hint(ui: &Ui, rect: Rect, stem: Stem, short: bool) {
    let colors = theme::colors(ui.ctx());
    let text = if short {
        "Nothing arrives here.".to_owned()
    } else {
        format!("Nothing arrives here.\n\n{}", routing(stem))
    };
    let galley = ui.painter().layout(text, FontId::proportional(12.0), colors.dim, rect.width());
    let at = pos2(rect.left(), rect.top() + 0.3 * (rect.height() - galley.size().y).max(0.0));
    ui.painter().with_clip_rect(rect).galley(at, galley, colors.dim);
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
