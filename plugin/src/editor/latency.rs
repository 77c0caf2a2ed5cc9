//! The latency's row: which mode, how much it is, and what it consists of, drawn to scale.
//!
//! The mode is a setting and not a parameter: no host can automate it, and it takes effect when the host restarts the
//! plug-in.

use super::controls;
use super::copies::{Copies, LatencyCopy};
use super::edit::Edit;
use super::theme;
use egui::{Align2, CornerRadius, FontId, Id, Rect, Sense, Ui, pos2, vec2};
use tributary_engine::LatencyMode;

/// Height of the row, in points.
pub const HEIGHT: f32 = 38.0;

const BUTTON: f32 = 26.0;
const BUTTON_WIDTH: f32 = 76.0;
/// A part's name is written into its stretch of the bar when this much remains beside it, in points.
const LABEL_MARGIN: f32 = 6.0;

/// Draws the row into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, copies: &Copies, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let painter = ui.painter().with_clip_rect(rect);
    theme::panel(&painter, rect);
    let latency = &copies.latency;
    let y = rect.center().y;
    let mut left = rect.left() + 14.0;
    theme::label(&painter, pos2(left, y), Align2::LEFT_CENTER, "Latency", 12.0, colors.dim);
    left += 56.0;
    for (index, mode) in LatencyMode::ALL.into_iter().enumerate() {
        let button = Rect::from_min_size(pos2(left, y - BUTTON / 2.0), vec2(BUTTON_WIDTH, BUTTON));
        left = button.right() + 4.0;
        let chosen = mode == latency.mode;
        if !latency.offered[index] && !chosen {
            theme::label(
                &painter,
                button.center(),
                Align2::CENTER_CENTER,
                name(mode),
                12.0,
                colors.faded(colors.dim, 0.5),
            );
            ui.interact(button, Id::unique("mode not offered").with(index), Sense::hover())
                .on_hover_text("This model was trained for one window: the standard one.");
            continue;
        }
        let lit = if latency.pending { colors.wait } else { colors.chosen };
        if controls::toggle(ui, button, name(mode), chosen, lit) && !chosen {
            edits.push(Edit::Latency(mode));
        }
        ui.interact(button, Id::unique("mode").with(index), Sense::hover()).on_hover_text(explanation(mode));
    }
    left += 12.0;
    let total =
        theme::label(&painter, pos2(left, y), Align2::LEFT_CENTER, &total(latency), 12.0, colors.text);
    if latency.pending {
        let words = if latency.held {
            "The new mode begins when the song is learned."
        } else {
            "The new mode begins when the host restarts Tributary."
        };
        theme::label(&painter, pos2(total.right() + 16.0, y), Align2::LEFT_CENTER, words, 12.0, colors.wait);
        return;
    }
    let bar = Rect::from_min_max(pos2(left + 66.0, y - 8.0), pos2(rect.right() - 14.0, y + 8.0));
    parts_bar(ui, bar, latency);
    ui.interact(Rect::from_min_max(total.min, bar.max).expand(4.0), Id::unique("latency"), Sense::hover())
        .on_hover_ui(|ui| parts_table(ui, latency));
}

fn name(mode: LatencyMode) -> &'static str {
    match mode {
        LatencyMode::Low => "Low",
        LatencyMode::Standard => "Standard",
        LatencyMode::High => "High",
        LatencyMode::Monitor => "Monitor",
    }
}

fn explanation(mode: LatencyMode) -> &'static str {
    match mode {
        LatencyMode::Low => "Short hops and little lookahead; the network costs more.",
        LatencyMode::Standard => "The window that the model was made with.",
        LatencyMode::High => "The network sees all it can use of what follows, and costs least.",
        LatencyMode::Monitor => "No network: the sum of the normalized stems, for playing along.",
    }
}

fn total(latency: &LatencyCopy) -> String {
    if latency.total_samples == 0 {
        return "0 samples".into();
    }
    format!("{} ms", milliseconds(latency, latency.total_samples))
}

fn milliseconds(latency: &LatencyCopy, samples: usize) -> String {
    format!("{:.1}", samples as f64 * 1000.0 / latency.sample_rate_hz.max(1.0))
}

/// The parts in the order of the signal, each as long as its share.
fn parts_bar(ui: &Ui, bar: Rect, latency: &LatencyCopy) {
    let colors = theme::colors(ui.ctx());
    let painter = ui.painter().with_clip_rect(bar);
    painter.rect_filled(bar, CornerRadius::same(2), colors.well);
    let mut left = bar.left();
    for (index, (name, samples)) in latency.parts.iter().enumerate() {
        let share = *samples as f32 / latency.total_samples.max(1) as f32;
        let right = (left + share * bar.width()).min(bar.right());
        let part = Rect::from_min_max(pos2(left, bar.top()), pos2((right - 1.0).max(left), bar.bottom()));
        let strength = if index % 2 == 0 { 0.42 } else { 0.28 };
        painter.rect_filled(part, CornerRadius::same(1), colors.faded(colors.accent, strength));
        let words = format!("{name} {:.0}", *samples as f64 * 1000.0 / latency.sample_rate_hz.max(1.0));
        let galley = painter.layout_no_wrap(words, FontId::proportional(10.0), colors.text);
        if galley.size().x + LABEL_MARGIN <= part.width() {
            painter.galley(part.center() - galley.size() / 2.0, galley, colors.panel);
        }
        left = right;
    }
}

/// The named parts with their lengths, for the tooltip.
fn parts_table(ui: &mut Ui, latency: &LatencyCopy) {
    egui::Grid::new("latency parts").num_columns(3).striped(true).show(ui, |ui| {
        for (name, samples) in &latency.parts {
            ui.label(name);
            ui.monospace(theme::grouped(*samples));
            ui.monospace(format!("{} ms", milliseconds(latency, *samples)));
            ui.end_row();
        }
        ui.label("together");
        ui.monospace(theme::grouped(latency.total_samples));
        ui.monospace(total(latency));
        ui.end_row();
    });
}

#[cfg(test)]
mod tests {
    use super::super::{LAYOUT, draw as draw_editor};
    use super::*;
    use crate::params::TributaryParams;
    use egui::{Event, PointerButton, Pos2, RawInput};

    /// Presses and releases the left button at `at` and returns what the editor makes of it.
    fn click(copies: &Copies, at: Pos2) -> Vec<Edit> {
        let params = TributaryParams::default();
        let ctx = egui::Context::default();
        let [width, height] = LAYOUT.map(|points| points as f32);
        let screen = Rect::from_min_size(Pos2::ZERO, vec2(width, height));
        let button = |pressed| Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: egui::Modifiers::NONE,
        };
        let mut edits = Vec::new();
        for events in [vec![], vec![Event::PointerMoved(at)], vec![button(true)], vec![button(false)], vec![]]
        {
            let input = RawInput { screen_rect: Some(screen), events, ..RawInput::default() };
            let output = ctx.run_ui(input, |ui| edits.extend(draw_editor(ui, &params, copies)));
            output.drop_without_applying_deltas();
        }
        edits
    }

    fn copies(mode: LatencyMode, offered: [bool; 4]) -> Copies {
        let parts = vec![("hop".to_owned(), 11_008), ("computing".to_owned(), 11_008)];
        let latency = LatencyCopy {
            sample_rate_hz: 44_100.0,
            total_samples: 22_016,
            parts,
            mode,
            offered,
            pending: false,
            held: false,
        };
        Copies { latency, ..Copies::default() }
    }

    /// The editor's lower left is clicked all over: the modes there are, found by what happens.
    fn modes_found(copies: &Copies) -> Vec<LatencyMode> {
        let mut found = Vec::new();
        for y in (LAYOUT[1] - 70..LAYOUT[1]).step_by(11) {
            for x in (40..420).step_by(30) {
                for edit in click(copies, pos2(x as f32, y as f32)) {
                    if let Edit::Latency(mode) = edit {
                        found.push(mode);
                    }
                }
            }
        }
        found.dedup();
        found.sort_by_key(|mode| *mode as usize);
        found.dedup();
        found
    }

    #[test]
    fn every_offered_mode_but_the_chosen_one_can_be_pressed() {
        use LatencyMode::{High, Low, Monitor, Standard};
        assert_eq!(modes_found(&copies(Standard, [true; 4])), [Low, High, Monitor]);
        assert_eq!(modes_found(&copies(Monitor, [true; 4])), [Low, Standard, High]);
        assert_eq!(modes_found(&copies(Standard, [false, true, false, true])), [Monitor]);
        // A project may have chosen what its model does not offer; the way back is open.
        assert_eq!(modes_found(&copies(Low, [false, true, false, true])), [Standard, Monitor]);
    }

    #[test]
    fn the_latency_reads_well() {
        assert_eq!(total(&copies(LatencyMode::Standard, [true; 4]).latency), "499.2 ms");
        assert_eq!(total(&LatencyCopy::default()), "0 samples");
    }
}
