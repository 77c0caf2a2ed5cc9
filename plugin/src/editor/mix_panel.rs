//! The mix: its meters above, what acts on it below.

use super::controls;
use super::copies::Copies;
use super::edit::{Control, Edit};
use super::meters;
use super::theme;
use super::turning::Turning;
use crate::params::{DrySource, TributaryParams};
use egui::{Align2, Rect, Ui, pos2, vec2};

/// Draws the panel into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, params: &TributaryParams, copies: &Copies, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    theme::panel(ui.painter(), rect);
    let inner = rect.shrink(14.0);
    let controls_height = 232.0;
    let (meters, controls) = inner.split_top_bottom_at_y(inner.bottom() - controls_height);
    meters::mix(ui, Rect::from_min_max(meters.min, meters.max - vec2(0.0, 12.0)), &copies.mix, edits);

    let links = pos2(inner.right() - 102.0, inner.top() + 7.0);
    if controls::link(ui, links, "History") {
        edits.push(Edit::ShowHistory(!copies.history_open));
    }
    if controls::link(ui, links + vec2(52.0, 0.0), "Amounts") {
        edits.push(Edit::ShowAmounts(!copies.amounts_open));
    }
    let audible = !params.bypass.value();
    let mix = Rect::from_min_size(controls.min, vec2(140.0, 170.0));
    let active = audible && !params.delta.value();
    let turning = Turning::new(Control::Mix, &params.mix);
    controls::Knob { name: "Mix", turning, neutral: 0.0, active }.draw(ui, mix, edits);
    let gain = Rect::from_min_size(pos2(controls.right() - 80.0, controls.top() + 62.0), vec2(80.0, 108.0));
    let turning = Turning::new(Control::Gain, &params.gain_db);
    controls::Knob { name: "Output gain", turning, neutral: 0.5, active: audible }.draw(ui, gain, edits);
    comparing(ui, pos2(gain.left() - 10.0, controls.top()), params, edits);

    let at = pos2(controls.left(), controls.bottom() - 42.0);
    theme::label(ui.painter(), at, Align2::LEFT_CENTER, "Dry source (Mix at 0 %)", 11.0, colors.dim);
    let row = Rect::from_min_max(pos2(controls.left(), controls.bottom() - 28.0), controls.max);
    let chosen = usize::from(params.dry_source.value() == DrySource::Sum);
    if let Some(choice) = controls::choice(ui, row, &["Bus", "Sum of stems"], chosen) {
        edits.extend(Edit::once(Control::DrySource, choice as f32));
    }
}

/// The switches for comparing: above the output gain, beside Mix.
fn comparing(ui: &Ui, at: egui::Pos2, params: &TributaryParams, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let switches = [
        controls::Switch {
            control: Control::MatchLoudness,
            name: "Match loudness",
            help: "Brings the dry signal of Mix and Delta to the loudness of the mix, so that you compare mixes and not levels.",
            on: params.match_loudness.value(),
            lit: colors.chosen,
        },
        controls::Switch {
            control: Control::Delta,
            name: "Delta",
            help: "Plays what the mix adds to the dry signal and takes from it: the mix less the dry signal.",
            on: params.delta.value(),
            lit: colors.wait,
        },
    ];
    for (row, switch) in switches.iter().enumerate() {
        let rect = Rect::from_min_size(at + vec2(0.0, 26.0 * row as f32), vec2(90.0, 22.0));
        controls::switch(ui, rect, switch, edits);
    }
}
