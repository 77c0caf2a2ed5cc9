//! The header (which model, is it ready, bypass) and the footer (load, underruns, rate), and the sentences between.

use super::controls;
use super::copies::{Copies, ModelState};
use super::edit::{Control, Edit};
use super::theme::{self, ACCENT, BAD, DIM, GOOD, LINE, PANEL, TEXT, WAIT, WELL};
use egui::{Align2, Color32, CornerRadius, Id, Rect, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

/// Share of the available time above which the worker's load is drawn as a warning: hops vary, and the next may be late.
const LOAD_WARNING: f32 = 0.8;

/// Name of the plug-in, the model with its state, and the bypass switch.
pub fn header(ui: &Ui, rect: Rect, copies: &Copies, bypass: bool, edits: &mut Vec<Edit>) {
    let painter = ui.painter();
    let y = rect.center().y;
    let title =
        theme::label(painter, pos2(rect.left() + 4.0, y), Align2::LEFT_CENTER, "TRIBUTARY", 19.0, TEXT);
    theme::label(
        painter,
        pos2(title.right() + 12.0, y + 2.0),
        Align2::LEFT_CENTER,
        "four stems, one mix",
        12.0,
        DIM,
    );

    let switch = Rect::from_min_max(pos2(rect.right() - 84.0, y - 13.0), pos2(rect.right(), y + 13.0));
    if controls::toggle(ui, switch, "Bypass", bypass, WAIT) {
        edits.extend(Edit::once(Control::Bypass, if bypass { 0.0 } else { 1.0 }));
    }

    let (color, state) = state_words(&copies.model.state);
    let right = switch.left() - 18.0;
    let state = theme::label(painter, pos2(right, y), Align2::RIGHT_CENTER, &state, 12.0, color);
    painter.circle_filled(pos2(state.left() - 10.0, y), 4.0, color);
    model_name(ui, pos2(state.left() - 24.0, y), copies, edits);
}

/// The model's name, right of which its state begins; a click shows what there is to choose from.
fn model_name(ui: &Ui, right: egui::Pos2, copies: &Copies, edits: &mut Vec<Edit>) {
    let (painter, model) = (ui.painter(), &copies.model);
    let name = [model.name.as_str(), model.version.as_str()].join(" ");
    let may_choose = model.choices.len() > 1 && !model.changing;
    let mut right = right;
    if may_choose {
        let arrow = [
            pos2(right.x - 8.0, right.y - 2.0),
            pos2(right.x, right.y - 2.0),
            pos2(right.x - 4.0, right.y + 3.0),
        ];
        painter.add(egui::Shape::convex_polygon(arrow.to_vec(), DIM, Stroke::NONE));
        right.x -= 14.0;
    }
    let name = if name.trim().is_empty() { &model.choice } else { name.trim() };
    let name = theme::label(painter, right, Align2::RIGHT_CENTER, name, 13.0, TEXT);
    theme::label(painter, pos2(name.left() - 8.0, right.y), Align2::RIGHT_CENTER, "Model", 12.0, DIM);
    let sense = if may_choose { Sense::click() } else { Sense::hover() };
    let area = Rect::from_min_max(name.min - vec2(4.0, 6.0), pos2(right.x + 16.0, name.bottom() + 6.0));
    let response = ui.interact(area, Id::unique("model"), sense);
    if may_choose {
        egui::Popup::menu(&response).show(|ui| {
            for (index, choice) in model.choices.iter().enumerate() {
                if ui.selectable_label(*choice == model.choice, choice).clicked() && *choice != model.choice {
                    edits.push(Edit::Model(index));
                }
            }
        });
    }
    if !model.trained_on.is_empty() {
        response.on_hover_text(&model.trained_on);
    }
}

fn state_words(state: &ModelState) -> (Color32, String) {
    match state {
        ModelState::Idle => (DIM, "not running".into()),
        ModelState::Loading(progress) => (WAIT, format!("loading {:.0} %", progress * 100.0)),
        ModelState::Ready => (GOOD, "ready".into()),
        ModelState::Failed(_) => (BAD, "failed".into()),
    }
}

/// What the user should know now, most important first; `None` when there is nothing to say.
pub fn sentence(copies: &Copies) -> Option<(Color32, String)> {
    if let ModelState::Failed(reason) = &copies.model.state {
        let passed = "The main input passes unchanged.";
        return Some((BAD, format!("{} {passed}", reason.trim_end_matches(' '))));
    }
    if !copies.notices.is_empty() {
        return Some((WAIT, copies.notices.join("  ")));
    }
    if copies.model.state == ModelState::Ready && copies.stems.iter().all(|stem| !stem.seen) {
        let text = "No stem arrives yet. REAPER: give the track 10 channels and send the stems to 3/4, 5/6, 7/8, 9/10. \
                    Ardour: Pin Connections, then Add Sidechain. Cubase: activate Side-Chain and send each stem to it.";
        return Some((ACCENT, text.into()));
    }
    None
}

/// A sentence with a colored edge.
pub fn notice(ui: &Ui, rect: Rect, color: Color32, text: &str) {
    let painter = ui.painter();
    painter.rect(rect, CornerRadius::same(4), PANEL, Stroke::new(1.0, LINE), StrokeKind::Inside);
    let edge = Rect::from_min_max(rect.min, pos2(rect.left() + 3.0, rect.bottom()));
    painter.rect_filled(edge, CornerRadius::same(2), color);
    let galley = painter.layout(text.to_owned(), egui::FontId::proportional(12.0), TEXT, rect.width() - 28.0);
    let clip = painter.with_clip_rect(rect);
    clip.galley(
        pos2(rect.left() + 14.0, rect.center().y - galley.size().y.min(rect.height()) / 2.0),
        galley,
        TEXT,
    );
    ui.interact(rect, Id::unique("notice"), Sense::hover()).on_hover_text(text);
}

/// Load, underruns, rate.
pub fn footer(ui: &Ui, rect: Rect, copies: &Copies, edits: &mut Vec<Edit>) {
    let painter = ui.painter();
    let y = rect.center().y;
    let cell = |x: f32, name: &str, value: &str, color: Color32| {
        let name = theme::label(painter, pos2(x, y), Align2::LEFT_CENTER, name, 11.0, DIM);
        theme::label(painter, pos2(name.right() + 7.0, y), Align2::LEFT_CENTER, value, 12.0, color)
            .union(name)
    };
    let load = rect.left() + 4.0;
    let color = if copies.load_ratio > LOAD_WARNING { BAD } else { GOOD };
    let name = theme::label(painter, pos2(load, y), Align2::LEFT_CENTER, "Worker load", 11.0, DIM);
    let gauge = Rect::from_min_size(pos2(name.right() + 8.0, y - 4.0), vec2(70.0, 8.0));
    painter.rect_filled(gauge, CornerRadius::same(2), WELL);
    let filled = gauge.width() * copies.load_ratio.clamp(0.0, 1.0);
    painter.rect_filled(Rect::from_min_size(gauge.min, vec2(filled, 8.0)), CornerRadius::same(2), color);
    let text = format!("{:.0} %", copies.load_ratio * 100.0);
    let text = theme::label(painter, pos2(gauge.right() + 8.0, y), Align2::LEFT_CENTER, &text, 12.0, TEXT);

    let color = if copies.underruns > 0 { WAIT } else { TEXT };
    let cell_rect = cell(text.left() + 64.0, "Underruns", &theme::grouped(copies.underruns as usize), color);
    ui.interact(cell_rect.expand(4.0), Id::unique("underruns"), Sense::hover()).on_hover_text(
        "Hops the worker could not finish in time. The output crossfades to the sum of the normalized stems meanwhile.",
    );
    if copies.underruns > 0 && controls::link(ui, pos2(cell_rect.right() + 10.0, y), "reset") {
        edits.push(Edit::ResetUnderruns);
    }
    let rate_hz = copies.latency.sample_rate_hz;
    let rate = if rate_hz > 0.0 { format!("{} kHz", rate_hz / 1000.0) } else { "not activated".to_owned() };
    theme::label(painter, pos2(rect.right() - 4.0, y), Align2::RIGHT_CENTER, &rate, 12.0, DIM);
}
