//! What the user should know now: one sentence at a time, the most important first.

use super::copies::{Copies, ModelState};
use super::theme::{self, Palette};
use egui::{Color32, CornerRadius, Id, Rect, Sense, Stroke, StrokeKind, Ui, pos2};

/// What the user should know now, most important first; `None` when there is nothing to say.
pub fn of(colors: &Palette, copies: &Copies) -> Option<(Color32, String)> {
    if let ModelState::Failed(reason) = &copies.model.state {
        let passed = "The main input passes unchanged.";
        return Some((colors.bad, format!("{} {passed}", reason.trim_end_matches(' '))));
    }
    if !copies.notices.is_empty() {
        return Some((colors.wait, copies.notices.join("  ")));
    }
    if copies.model.state == ModelState::Ready && copies.stems.iter().all(|stem| !stem.seen) {
        let text = "No stem arrives yet. REAPER: give the track 10 channels and send the stems to 3/4, 5/6, 7/8, 9/10. \
                    Ardour: Pin Connections, then Add Sidechain. Cubase: activate Side-Chain and send each stem to it.";
        return Some((colors.accent, text.into()));
    }
    None
}

/// A sentence with a colored edge.
pub fn draw(ui: &Ui, rect: Rect, color: Color32, text: &str) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    painter.rect(
        rect,
        CornerRadius::same(4),
        colors.panel,
        Stroke::new(1.0, colors.line),
        StrokeKind::Inside,
    );
    let edge = Rect::from_min_max(rect.min, pos2(rect.left() + 3.0, rect.bottom()));
    painter.rect_filled(edge, CornerRadius::same(2), color);
    let galley =
        painter.layout(text.to_owned(), egui::FontId::proportional(12.0), colors.text, rect.width() - 28.0);
    let clip = painter.with_clip_rect(rect);
    clip.galley(
        pos2(rect.left() + 14.0, rect.center().y - galley.size().y.min(rect.height()) / 2.0),
        galley,
        colors.text,
    );
    ui.interact(rect, Id::unique("notice"), Sense::hover()).on_hover_text(text);
}
