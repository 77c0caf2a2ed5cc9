//! The footer: how the worker keeps up, and the host's rate.

use super::controls;
use super::copies::Copies;
use super::edit::Edit;
use super::theme;
use egui::{Align2, Color32, CornerRadius, Id, Rect, Sense, Ui, pos2, vec2};

/// Share of the available time above which the worker's load is drawn as a warning: hops vary, and the next may be late.
const LOAD_WARNING: f32 = 0.8;

/// Load, underruns, rate.
pub fn draw(ui: &Ui, rect: Rect, copies: &Copies, edits: &mut Vec<Edit>) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let y = rect.center().y;
    let cell = |x: f32, name: &str, value: &str, color: Color32| {
        let name = theme::label(painter, pos2(x, y), Align2::LEFT_CENTER, name, 11.0, colors.dim);
        theme::label(painter, pos2(name.right() + 7.0, y), Align2::LEFT_CENTER, value, 12.0, color)
            .union(name)
    };
    let load = rect.left() + 4.0;
    let color = if copies.load_ratio > LOAD_WARNING { colors.bad } else { colors.good };
    let name = theme::label(painter, pos2(load, y), Align2::LEFT_CENTER, "Worker load", 11.0, colors.dim);
    let gauge = Rect::from_min_size(pos2(name.right() + 8.0, y - 4.0), vec2(70.0, 8.0));
    painter.rect_filled(gauge, CornerRadius::same(2), colors.well);
    let filled = gauge.width() * copies.load_ratio.clamp(0.0, 1.0);
    painter.rect_filled(Rect::from_min_size(gauge.min, vec2(filled, 8.0)), CornerRadius::same(2), color);
    let text = format!("{:.0} %", copies.load_ratio * 100.0);
    let text =
        theme::label(painter, pos2(gauge.right() + 8.0, y), Align2::LEFT_CENTER, &text, 12.0, colors.text);

    let worker = Rect::from_min_max(name.min, text.max).expand(4.0);
    ui.interact(worker, Id::unique("load"), Sense::hover()).on_hover_text(
        "Time the worker needs for a hop of the time it has. Above 100 % the mix comes late, and the sum of the normalized \
         stems stands in for it.",
    );
    let color = if copies.underruns > 0 { colors.wait } else { colors.text };
    let cell_rect = cell(text.left() + 64.0, "Underruns", &theme::grouped(copies.underruns as usize), color);
    ui.interact(cell_rect.expand(4.0), Id::unique("underruns"), Sense::hover()).on_hover_text(
        "Hops the worker could not finish in time. The output crossfades to the sum of the normalized stems meanwhile.",
    );
    if copies.underruns > 0 && controls::link(ui, pos2(cell_rect.right() + 10.0, y), "reset") {
        edits.push(Edit::ResetUnderruns);
    }
    if copies.load_ratio > LOAD_WARNING {
        let words = "The computer is too slow for this: choose High latency, or a smaller model.";
        let left = cell_rect.right() + if copies.underruns > 0 { 56.0 } else { 24.0 };
        theme::label(painter, pos2(left, y), Align2::LEFT_CENTER, words, 11.0, colors.wait);
    }
    let rate_hz = copies.latency.sample_rate_hz;
    let rate = if rate_hz > 0.0 { format!("{} kHz", rate_hz / 1000.0) } else { "not activated".to_owned() };
    theme::label(painter, pos2(rect.right() - 4.0, y), Align2::RIGHT_CENTER, &rate, 12.0, colors.dim);
}
