//! What can be turned and pressed: knobs, switches, buttons.
//!
//! Widgets never touch a parameter. They return [`Edit`]s, which the window passes to the host; so the whole editor can be
//! drawn and clicked in a test without one.

use super::edit::{Control, Edit};
use super::theme;
use super::turning::Turning;
use egui::{
    Align2, CornerRadius, Id, Painter, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, pos2, vec2,
};
use std::f32::consts::PI;

/// Angles of the ends of a knob's arc, from the positive x axis, clockwise.
const ARC: [f32; 2] = [0.75 * PI, 2.25 * PI];

/// A knob: what it is called, how it is turned.
pub struct Knob<'a> {
    /// Label above.
    pub name: &'a str,
    /// What is turned; its text stands below.
    pub turning: Turning<'a>,
    /// Where the lit arc starts: the value that does nothing, 0–1.
    pub neutral: f32,
    /// Faded when the control has no effect now.
    pub active: bool,
}

impl Knob<'_> {
    /// Draws the knob into `rect` and appends what the user did.
    pub fn draw(&self, ui: &Ui, rect: Rect, edits: &mut Vec<Edit>) {
        let (position, lit) = self.turning.turn(ui, rect, edits);
        self.paint(ui.painter(), rect, position, lit);
    }

    fn paint(&self, painter: &Painter, rect: Rect, position: f32, lit: bool) {
        let colors = theme::colors(painter.ctx());
        let strength = if self.active { 1.0 } else { 0.35 };
        theme::label(painter, rect.center_top(), Align2::CENTER_TOP, self.name, 12.0, colors.dim);
        theme::label(
            painter,
            rect.center_bottom(),
            Align2::CENTER_BOTTOM,
            &self.turning.text,
            if rect.width() > 100.0 { 19.0 } else { 14.0 },
            colors.faded(colors.text, strength),
        );
        let body = Rect::from_min_max(rect.min + vec2(0.0, 19.0), rect.max - vec2(0.0, 16.0));
        let radius = body.width().min(body.height()) / 2.0 - 2.0;
        let center = body.center();
        let thick = (radius * 0.11).clamp(3.0, 7.0);
        let ring = radius - thick / 2.0;
        arc(painter, center, ring, 0.0, 1.0, Stroke::new(thick, colors.well));
        let color = colors.faded(colors.accent, strength);
        arc(
            painter,
            center,
            ring,
            self.neutral.min(position),
            self.neutral.max(position),
            Stroke::new(thick, color),
        );
        let cap = radius - thick - 4.0;
        let edge = if lit { colors.accent } else { colors.edge };
        painter.circle(center, cap, colors.faded(colors.line, 0.75), Stroke::new(1.0, edge));
        let direction = egui::Vec2::angled(angle(position));
        painter.line_segment(
            [center + direction * cap * 0.45, center + direction * (cap - 3.0)],
            Stroke::new((radius * 0.06).clamp(2.0, 4.0), colors.faded(colors.text, strength)),
        );
    }
}

fn angle(position: f32) -> f32 {
    ARC[0] + (ARC[1] - ARC[0]) * position
}

fn arc(painter: &Painter, center: Pos2, radius: f32, from: f32, to: f32, stroke: Stroke) {
    let steps = ((to - from) * 72.0).ceil().max(1.0) as usize;
    let points = (0..=steps)
        .map(|step| {
            center + egui::Vec2::angled(angle(from + (to - from) * step as f32 / steps as f32)) * radius
        })
        .collect();
    painter.add(egui::Shape::line(points, stroke));
}

/// The least width at which a field shows its name, in points.
const NAMED_WIDTH: f32 = 84.0;

/// A value in a narrow field, lit from where it does nothing to where it is.
pub struct Field<'a> {
    /// What is turned; its text stands in the field.
    pub turning: Turning<'a>,
    /// The value that does nothing, 0–1.
    pub neutral: f32,
    /// The color of the lit part.
    pub color: egui::Color32,
    /// Stands in the field where there is room beside the value.
    pub name: &'a str,
}

impl Field<'_> {
    /// Draws the field into `rect` and appends what the user did.
    pub fn draw(&self, ui: &Ui, rect: Rect, edits: &mut Vec<Edit>) {
        let (position, lit) = self.turning.turn(ui, rect, edits);
        let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
        let edge = if lit { colors.accent } else { colors.edge };
        painter.rect(rect, CornerRadius::same(3), colors.well, Stroke::new(1.0, edge), StrokeKind::Inside);
        let inner = rect.shrink(2.0);
        let at = |position: f32| inner.left() + inner.width() * position;
        let (from, to) = (at(self.neutral.min(position)), at(self.neutral.max(position)));
        if to > from {
            let part = Rect::from_min_max(pos2(from, inner.top()), pos2(to, inner.bottom()));
            painter.rect_filled(part, CornerRadius::same(2), colors.faded(self.color, 0.35));
        }
        let (text, ends) = (&self.turning.text, rect.shrink2(vec2(7.0, 0.0)));
        if self.name.is_empty() || rect.width() < NAMED_WIDTH {
            theme::label(painter, rect.center(), Align2::CENTER_CENTER, text, 11.0, colors.text);
        } else {
            theme::label(painter, ends.left_center(), Align2::LEFT_CENTER, self.name, 11.0, colors.dim);
            theme::label(painter, ends.right_center(), Align2::RIGHT_CENTER, text, 11.0, colors.text);
        }
    }
}

/// A push button that stays down; returns whether it was pressed.
pub fn toggle(ui: &Ui, rect: Rect, name: &str, down: bool, lit: egui::Color32) -> bool {
    button(ui, rect, Id::unique("toggle").with(name), name, down, lit).clicked()
}

/// A switch of a parameter: appends the edit when it is pressed.
pub fn switch(ui: &Ui, rect: Rect, switch: &Switch<'_>, edits: &mut Vec<Edit>) {
    let id = Id::unique("switch").with(switch.control);
    let response = button(ui, rect, id, switch.name, switch.on, switch.lit);
    if response.clicked() {
        edits.extend(Edit::once(switch.control, f32::from(u8::from(!switch.on))));
    }
    response.on_hover_text(switch.help);
}

/// What a switch of a parameter is called and says.
pub struct Switch<'a> {
    /// The parameter.
    pub control: Control,
    /// In the button.
    pub name: &'a str,
    /// One sentence.
    pub help: &'a str,
    /// Whether it is on.
    pub on: bool,
    /// Its color when it is.
    pub lit: egui::Color32,
}

/// A button with its name inside.
pub fn button(ui: &Ui, rect: Rect, id: Id, name: &str, down: bool, lit: egui::Color32) -> Response {
    let response = ui.interact(rect, id, Sense::click());
    let colors = theme::colors(ui.ctx());
    let edge = if response.hovered() { colors.accent } else { colors.edge };
    let (fill, text) = if down { (lit, colors.on_lit) } else { (colors.panel, colors.dim) };
    ui.painter().rect(rect, CornerRadius::same(4), fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    focus(ui, rect, &response);
    // Long names keep their distance from the edge.
    let size = if rect.width() < 7.0 * name.len() as f32 { 11.0 } else { 12.0 };
    theme::label(ui.painter(), rect.center(), Align2::CENTER_CENTER, name, size, text);
    response
}

/// The frame around what the keys act on, if they act on this.
pub fn focus(ui: &Ui, rect: Rect, response: &Response) {
    if response.has_focus() {
        let frame = Stroke::new(1.5, theme::colors(ui.ctx()).text);
        ui.painter().rect_stroke(rect.expand(2.0), CornerRadius::same(5), frame, StrokeKind::Outside);
    }
}

/// One of several: returns the choice that was pressed.
pub fn choice(ui: &Ui, rect: Rect, names: &[&str], chosen: usize) -> Option<usize> {
    let colors = theme::colors(ui.ctx());
    let width = rect.width() / names.len().max(1) as f32;
    let mut pressed = None;
    for (index, name) in names.iter().enumerate() {
        let left = rect.left() + width * index as f32;
        let cell = Rect::from_min_max(pos2(left, rect.top()), pos2(left + width, rect.bottom()));
        if toggle(ui, cell.shrink2(vec2(1.0, 0.0)), name, index == chosen, colors.chosen) {
            pressed = Some(index);
        }
    }
    pressed.filter(|index| *index != chosen)
}

/// Small text that can be clicked.
pub fn link(ui: &Ui, at: Pos2, name: &str) -> bool {
    let colors = theme::colors(ui.ctx());
    let rect = theme::label(ui.painter(), at, Align2::LEFT_CENTER, name, 11.0, colors.dim);
    let response = ui.interact(rect.expand(3.0), Id::unique("link").with(name), Sense::click());
    let color = if response.hovered() || response.has_focus() { colors.text } else { colors.dim };
    ui.painter().line_segment([rect.left_bottom(), rect.right_bottom()], Stroke::new(1.0, color));
    response.clicked()
}
