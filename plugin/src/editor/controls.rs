//! What can be turned and pressed: knobs, switches, buttons.
//!
//! Widgets never touch a parameter. They return [`Edit`]s, which the window passes to the host; so the whole editor can be
//! drawn and clicked in a test without one.

use super::edit::{Control, Edit};
use super::theme::{self, ACCENT, BACKGROUND, DIM, LINE, PANEL, TEXT, WELL};
use egui::{
    Align2, CornerRadius, Id, Painter, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, pos2, vec2,
};
use std::f32::consts::PI;

/// Pointer travel for the whole range, in points; with Shift ten times as much.
const TRAVEL_POINTS: f32 = 220.0;
/// Share of the range per notch of the wheel.
const NOTCH: f32 = 0.01;
/// Angles of the ends of a knob's arc, from the positive x axis, clockwise.
const ARC: [f32; 2] = [0.75 * PI, 2.25 * PI];

/// A knob: what it is called, where it stands, what it says.
pub struct Knob<'a> {
    /// The parameter.
    pub control: Control,
    /// Label above.
    pub name: &'a str,
    /// Value below.
    pub value: &'a str,
    /// Position, 0–1.
    pub position: f32,
    /// Position of a double click, 0–1.
    pub default: f32,
    /// Where the lit arc starts: the value that does nothing, 0–1.
    pub neutral: f32,
    /// Faded when the control has no effect now.
    pub active: bool,
}

impl Knob<'_> {
    /// Draws the knob into `rect` and appends what the user did. Drag up and down, Shift for fine, double click resets.
    pub fn draw(&self, ui: &Ui, rect: Rect, edits: &mut Vec<Edit>) {
        let id = Id::unique("knob").with(self.control);
        let response = ui.interact(rect, id, Sense::click_and_drag());
        self.turn(ui, id, &response, edits);
        let held = ui.data(|data| data.get_temp::<f32>(id));
        self.paint(ui.painter(), rect, held.unwrap_or(self.position), response.hovered() || held.is_some());
    }

    fn turn(&self, ui: &Ui, id: Id, response: &Response, edits: &mut Vec<Edit>) {
        // The host may take a block to report a new value back, so the position is kept here while dragging.
        if response.drag_started() {
            ui.data_mut(|data| data.insert_temp(id, self.position));
            edits.push(Edit::Begin(self.control));
        }
        if let Some(position) = ui.data(|data| data.get_temp::<f32>(id)) {
            let fine = if ui.input(|input| input.modifiers.shift) { 0.1 } else { 1.0 };
            let moved = position - response.drag_delta().y / TRAVEL_POINTS * fine;
            let moved = moved.clamp(0.0, 1.0);
            if moved != position {
                ui.data_mut(|data| data.insert_temp(id, moved));
                edits.push(Edit::Set(self.control, moved));
            }
            if !response.dragged() {
                ui.data_mut(|data| data.remove::<f32>(id));
                edits.push(Edit::End(self.control));
            }
        }
        if response.double_clicked() {
            edits.extend(Edit::once(self.control, self.default));
        }
        let wheel = if response.hovered() { ui.input(|input| input.smooth_scroll_delta.y) } else { 0.0 };
        if wheel != 0.0 {
            let position = (self.position + wheel.signum() * NOTCH).clamp(0.0, 1.0);
            edits.extend(Edit::once(self.control, position));
        }
    }

    fn paint(&self, painter: &Painter, rect: Rect, position: f32, lit: bool) {
        let strength = if self.active { 1.0 } else { 0.35 };
        theme::label(painter, rect.center_top(), Align2::CENTER_TOP, self.name, 12.0, DIM);
        theme::label(
            painter,
            rect.center_bottom(),
            Align2::CENTER_BOTTOM,
            self.value,
            if rect.width() > 100.0 { 19.0 } else { 14.0 },
            theme::faded(TEXT, strength),
        );
        let body = Rect::from_min_max(rect.min + vec2(0.0, 19.0), rect.max - vec2(0.0, 16.0));
        let radius = body.width().min(body.height()) / 2.0 - 2.0;
        let center = body.center();
        let thick = (radius * 0.11).clamp(3.0, 7.0);
        let ring = radius - thick / 2.0;
        arc(painter, center, ring, 0.0, 1.0, Stroke::new(thick, WELL));
        let color = theme::faded(ACCENT, strength);
        arc(
            painter,
            center,
            ring,
            self.neutral.min(position),
            self.neutral.max(position),
            Stroke::new(thick, color),
        );
        let cap = radius - thick - 4.0;
        let edge = if lit { ACCENT } else { LINE };
        painter.circle(center, cap, theme::faded(LINE, 0.75), Stroke::new(1.0, edge));
        let direction = egui::Vec2::angled(angle(position));
        painter.line_segment(
            [center + direction * cap * 0.45, center + direction * (cap - 3.0)],
            Stroke::new((radius * 0.06).clamp(2.0, 4.0), theme::faded(TEXT, strength)),
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

/// A push button that stays down; returns whether it was pressed.
pub fn toggle(ui: &Ui, rect: Rect, name: &str, down: bool, lit: egui::Color32) -> bool {
    let response = ui.interact(rect, Id::unique("toggle").with(name), Sense::click());
    let edge = if response.hovered() { ACCENT } else { LINE };
    let (fill, text) = if down { (lit, BACKGROUND) } else { (PANEL, DIM) };
    ui.painter().rect(rect, CornerRadius::same(4), fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    theme::label(ui.painter(), rect.center(), Align2::CENTER_CENTER, name, 12.0, text);
    response.clicked()
}

/// One of several: returns the choice that was pressed.
pub fn choice(ui: &Ui, rect: Rect, names: &[&str], chosen: usize) -> Option<usize> {
    let width = rect.width() / names.len().max(1) as f32;
    let mut pressed = None;
    for (index, name) in names.iter().enumerate() {
        let left = rect.left() + width * index as f32;
        let cell = Rect::from_min_max(pos2(left, rect.top()), pos2(left + width, rect.bottom()));
        if toggle(ui, cell.shrink2(vec2(1.0, 0.0)), name, index == chosen, theme::faded(ACCENT, 0.8)) {
            pressed = Some(index);
        }
    }
    pressed.filter(|index| *index != chosen)
}

/// Small text that can be clicked.
pub fn link(ui: &Ui, at: Pos2, name: &str) -> bool {
    let rect = theme::label(ui.painter(), at, Align2::LEFT_CENTER, name, 11.0, DIM);
    let response = ui.interact(rect.expand(3.0), Id::unique("link").with(name), Sense::click());
    let color = if response.hovered() { TEXT } else { DIM };
    ui.painter().line_segment([rect.left_bottom(), rect.right_bottom()], Stroke::new(1.0, color));
    response.clicked()
}
