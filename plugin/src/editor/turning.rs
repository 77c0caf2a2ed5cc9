//! What knobs and fields have in common: how a value is turned. Drag, with Shift ten times as fine; wheel and, once the Tab key
//! has come here, arrow keys; Ctrl-click or Delete for the default; double click or Enter to type; the other button for a
//! menu. The position is kept here while the pointer holds it, because a host may take a block to
//! report a new value back.

use super::edit::{Control, Edit};
use super::theme;
use egui::{
    Area, CornerRadius, EventFilter, FontId, Id, Key, Margin, Order, Rect, Response, Sense, Stroke,
    StrokeKind, TextEdit, Ui, Vec2, pos2,
};
use nice_plug::prelude::{FloatParam, Param};

/// Pointer travel for the whole range, in points; with Shift ten times as much.
const TRAVEL_POINTS: f32 = 220.0;
/// Share of the range per notch of the wheel; with Shift a tenth.
const NOTCH: f32 = 0.01;
/// Radius of the corners of the field that is typed into.
const FIELD_RADIUS: CornerRadius = CornerRadius::same(3);
/// Radius of the corners of the frame around what the keys turn.
const FRAME_RADIUS: CornerRadius = CornerRadius::same(4);
const FINE: f32 = 0.1;

/// A value that can be turned.
pub struct Turning<'a> {
    control: Control,
    param: &'a FloatParam,
    /// The value as it is shown.
    pub text: String,
    /// Which way the pointer goes for more: up, or up and right.
    sideways: bool,
    /// One sentence.
    help: &'a str,
}

/// What is being typed, and whether the field has had the focus.
#[derive(Clone, Default)]
struct Typed {
    text: String,
    focused: bool,
}

impl<'a> Turning<'a> {
    /// A parameter that is turned by pulling up.
    pub fn new(control: Control, param: &'a FloatParam) -> Self {
        let text = param.to_string().replace('-', "\u{2212}");
        Self { control, param, text, sideways: false, help: "" }
    }

    /// The same, pulled to the right as well.
    pub fn sideways(self) -> Self {
        Self { sideways: true, ..self }
    }

    /// The same, with a sentence for whoever waits over it.
    pub fn explained(self, help: &'a str) -> Self {
        Self { help, ..self }
    }

    fn position(&self) -> f32 {
        self.param.unmodulated_normalized_value()
    }

    /// Turns the value within `rect`; appends what the user did. Returns the position to be shown, and whether the pointer
    /// is here.
    pub fn turn(&self, ui: &Ui, rect: Rect, edits: &mut Vec<Edit>) -> (f32, bool) {
        let id = Id::unique("turning").with(self.control);
        let response = ui.interact(rect, id, Sense::click_and_drag());
        self.drag(ui, id, &response, edits);
        self.wheel(ui, &response, edits);
        self.keys(ui, id, &response, edits);
        self.menu(ui, id, &response, edits);
        if response.clicked() && ui.input(|input| input.modifiers.command) {
            self.reset(edits);
        } else if response.double_clicked() {
            ui.data_mut(|data| data.insert_temp(id, Typed::default()));
        }
        self.type_over(ui, id, rect, edits);
        let held = ui.data(|data| data.get_temp::<f32>(id));
        let lit = response.hovered() || held.is_some() || response.has_focus();
        if response.has_focus() {
            let edge = Stroke::new(1.5, theme::colors(ui.ctx()).text);
            ui.painter().rect_stroke(rect.expand(2.0), FRAME_RADIUS, edge, StrokeKind::Outside);
        }
        if !self.help.is_empty() && held.is_none() {
            response.on_hover_text(self.help);
        }
        (held.unwrap_or(self.position()), lit)
    }

    fn drag(&self, ui: &Ui, id: Id, response: &Response, edits: &mut Vec<Edit>) {
        if response.drag_started() {
            ui.data_mut(|data| data.insert_temp(id, self.position()));
            edits.push(Edit::Begin(self.control));
        }
        let Some(position) = ui.data(|data| data.get_temp::<f32>(id)) else { return };
        let Vec2 { x, y } = response.drag_delta();
        let way = if self.sideways { x - y } else { -y };
        let moved = (position + way / TRAVEL_POINTS * fineness(ui)).clamp(0.0, 1.0);
        if moved != position {
            ui.data_mut(|data| data.insert_temp(id, moved));
            edits.push(Edit::Set(self.control, moved));
        }
        if !response.dragged() {
            ui.data_mut(|data| data.remove::<f32>(id));
            edits.push(Edit::End(self.control));
        }
    }

    fn wheel(&self, ui: &Ui, response: &Response, edits: &mut Vec<Edit>) {
        let wheel = if response.hovered() { ui.input(|input| input.smooth_scroll_delta) } else { Vec2::ZERO };
        // With Shift a wheel scrolls sideways.
        let way = if wheel.y != 0.0 { wheel.y } else { wheel.x };
        if way != 0.0 {
            let position = self.position() + way.signum() * NOTCH * fineness(ui);
            edits.extend(Edit::once(self.control, position.clamp(0.0, 1.0)));
        }
    }

    fn reset(&self, edits: &mut Vec<Edit>) {
        edits.extend(Edit::once(self.control, self.param.default_normalized_value()));
    }

    /// What the keys do here once the Tab key has come here.
    fn keys(&self, ui: &Ui, id: Id, response: &Response, edits: &mut Vec<Edit>) {
        if !response.has_focus() {
            return;
        }
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
        let (up, down, enter, delete) = ui.input(|input| {
            let pressed = |keys: [Key; 2]| keys.into_iter().any(|key| input.key_pressed(key));
            let up = pressed([Key::ArrowUp, Key::ArrowRight]);
            let down = pressed([Key::ArrowDown, Key::ArrowLeft]);
            (up, down, input.key_pressed(Key::Enter), pressed([Key::Delete, Key::Backspace]))
        });
        if up != down {
            let way = if up { NOTCH } else { -NOTCH };
            let position = (self.position() + way * fineness(ui)).clamp(0.0, 1.0);
            edits.extend(Edit::once(self.control, position));
        } else if delete {
            self.reset(edits);
        } else if enter {
            ui.data_mut(|data| data.insert_temp(id, Typed::default()));
        }
    }

    fn menu(&self, ui: &Ui, id: Id, response: &Response, edits: &mut Vec<Edit>) {
        response.context_menu(|menu| {
            if menu.button(format!("Copy {}", self.text)).clicked() {
                menu.copy_text(self.text.clone());
                menu.close();
            }
            if menu.button("Type a value").clicked() {
                ui.data_mut(|data| data.insert_temp(id, Typed::default()));
                menu.close();
            }
            let default = self.param.normalized_value_to_string(self.param.default_normalized_value(), true);
            if menu.button(format!("Reset to {}", default.replace('-', "\u{2212}"))).clicked() {
                self.reset(edits);
                menu.close();
            }
        });
    }

    /// A field over the value, as long as something is being typed: Enter takes it, Escape and a click elsewhere do not.
    fn type_over(&self, ui: &Ui, id: Id, rect: Rect, edits: &mut Vec<Edit>) {
        let colors = theme::colors(ui.ctx());
        let Some(Typed { mut text, focused }) = ui.data(|data| data.get_temp::<Typed>(id)) else { return };
        let height = 20.0_f32.min(rect.height());
        let at = Rect::from_min_max(pos2(rect.left(), rect.bottom() - height), rect.max);
        let area = Area::new(id.with("typing")).order(Order::Foreground).fixed_pos(at.min).fade_in(false);
        let response = area.show(ui.ctx(), |ui| {
            let field = TextEdit::singleline(&mut text)
                .font(FontId::proportional(12.0))
                .text_color(colors.text)
                .background_color(colors.well)
                .hint_text(&self.text)
                .margin(Margin::symmetric(4, 2))
                .desired_width(at.width());
            ui.visuals_mut().selection.stroke.color = colors.accent;
            let widgets = &mut ui.visuals_mut().widgets;
            for look in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active] {
                look.corner_radius = FIELD_RADIUS;
            }
            ui.add(field)
        });
        let field = response.inner;
        if !focused {
            field.request_focus();
        }
        let (enter, escape) =
            ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
        // The key that opened the field does not close it.
        let enter = enter && focused;
        if enter {
            let read = self.param.string_to_normalized_value(&text);
            edits.extend(read.into_iter().flat_map(|position| Edit::once(self.control, position)));
        }
        if enter || escape || focused && !field.has_focus() {
            ui.data_mut(|data| data.remove::<Typed>(id));
        } else {
            ui.data_mut(|data| data.insert_temp(id, Typed { text, focused: true }));
        }
    }
}

fn fineness(ui: &Ui) -> f32 {
    if ui.input(|input| input.modifiers.shift) { FINE } else { 1.0 }
}
