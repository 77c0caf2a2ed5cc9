//! The header: the model and whether it is ready, how the window looks, and bypass.

use super::appearance::Appearance;
use super::controls;
use super::copies::{Copies, ModelState};
use super::edit::{Control, Edit};
use super::size::{OFFERED_PERCENT, at_percent};
use super::theme::{self, Palette};
use crate::params::TributaryParams;
use egui::{Align2, Color32, Id, Rect, Sense, Ui, pos2, vec2};

/// Draws the header into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, params: &TributaryParams, copies: &Copies, edits: &mut Vec<Edit>) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let y = rect.center().y;
    let title = theme::label(
        painter,
        pos2(rect.left() + 4.0, y),
        Align2::LEFT_CENTER,
        "TRIBUTARY",
        19.0,
        colors.text,
    );
    theme::label(
        painter,
        pos2(title.right() + 12.0, y + 2.0),
        Align2::LEFT_CENTER,
        "four stems, one mix",
        12.0,
        colors.dim,
    );

    let switch = Rect::from_min_max(pos2(rect.right() - 84.0, y - 13.0), pos2(rect.right(), y + 13.0));
    let bypass = controls::Switch {
        control: Control::Bypass,
        name: "Bypass",
        help: "Passes the main input, delayed by the latency.",
        on: params.bypass.value(),
        lit: colors.wait,
    };
    controls::switch(ui, switch, &bypass, edits);
    let view = Rect::from_min_size(pos2(switch.left() - 72.0, switch.top()), vec2(64.0, switch.height()));
    look(ui, view, params, edits);

    let (color, state) = state_words(colors, &copies.model.state);
    let right = view.left() - 18.0;
    let state = theme::label(painter, pos2(right, y), Align2::RIGHT_CENTER, &state, 12.0, color);
    painter.circle_filled(pos2(state.left() - 10.0, y), 4.0, color);
    model_name(ui, pos2(state.left() - 24.0, y), copies, edits);
}

/// The model's name, right of which its state begins; a click shows what there is to choose from.
fn model_name(ui: &Ui, right: egui::Pos2, copies: &Copies, edits: &mut Vec<Edit>) {
    let (painter, model, colors) = (ui.painter(), &copies.model, theme::colors(ui.ctx()));
    let name = [model.name.as_str(), model.version.as_str()].join(" ");
    let may_choose = model.choices.len() > 1 && !model.changing;
    let mut right = right;
    if may_choose {
        theme::arrow_down(painter, right - vec2(4.0, 0.0), colors.dim);
        right.x -= 14.0;
    }
    let name = if name.trim().is_empty() { &model.choice } else { name.trim() };
    let name = theme::label(painter, right, Align2::RIGHT_CENTER, name, 13.0, colors.text);
    theme::label(painter, pos2(name.left() - 8.0, right.y), Align2::RIGHT_CENTER, "Model", 12.0, colors.dim);
    let sense = if may_choose { Sense::click() } else { Sense::hover() };
    let area = Rect::from_min_max(name.min - vec2(4.0, 6.0), pos2(right.x + 16.0, name.bottom() + 6.0));
    let response = ui.interact(area, Id::unique("model"), sense);
    controls::focus(ui, area.shrink(2.0), &response);
    if may_choose {
        egui::Popup::menu(&response).show(|ui| {
            for (index, choice) in model.choices.iter().enumerate() {
                let words = format!("{choice}{}", words_on(choice));
                if ui.selectable_label(*choice == model.choice, words).clicked() && *choice != model.choice {
                    edits.push(Edit::Model(index));
                }
            }
        });
    }
    if !model.trained_on.is_empty() {
        response.on_hover_text(&model.trained_on);
    }
}

/// A few words on the models that come with the plug-in.
fn words_on(model: &str) -> &'static str {
    match model {
        "default" => " \u{2013} the network",
        "small" => " \u{2013} a smaller network, for slower computers",
        "sum" => " \u{2013} no network: the plain sum of the stems",
        _ => "",
    }
}

/// The menu of how large the window is, and how it looks.
fn look(ui: &Ui, rect: Rect, params: &TributaryParams, edits: &mut Vec<Edit>) {
    let colors = theme::colors(ui.ctx());
    let response = controls::button(ui, rect, Id::unique("look"), "", false, colors.accent);
    theme::label(
        ui.painter(),
        rect.left_center() + vec2(10.0, 0.0),
        Align2::LEFT_CENTER,
        "View",
        12.0,
        colors.dim,
    );
    theme::arrow_down(ui.painter(), rect.right_center() - vec2(14.0, 0.0), colors.dim);
    let now = (100.0 * params.window.chosen().scale()).round() as u32;
    egui::Popup::menu(&response).show(|ui| {
        for percent in OFFERED_PERCENT {
            if ui.selectable_label(percent == now, format!("{percent} %")).clicked() {
                edits.push(Edit::Resize(at_percent(percent)));
            }
        }
        ui.separator();
        let chosen = params.appearance.chosen();
        for appearance in Appearance::ALL {
            if ui.selectable_label(appearance == chosen, appearance.name()).clicked() {
                edits.push(Edit::Appearance(appearance));
            }
        }
    });
    response.on_hover_text("How large the window is, and whether it is dark or light.");
}

fn state_words(colors: &Palette, state: &ModelState) -> (Color32, String) {
    match state {
        ModelState::Idle => (colors.dim, "not running".into()),
        ModelState::Loading(progress) => (colors.wait, format!("loading {:.0} %", progress * 100.0)),
        ModelState::Ready => (colors.good, "ready".into()),
        ModelState::Failed(_) => (colors.bad, "failed".into()),
    }
}
