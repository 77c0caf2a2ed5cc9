//! The row of what acts on the whole instance at once: presets, four snapshots, undo and redo, targets.
//!
//! A click on a snapshot recalls it, or stores one where there is none; the menu of the other mouse button stores, copies
//! and empties. A dot says that what is stored differs from what is set now.

use super::controls;
use super::copies::{Copies, SnapshotCopy, TargetsCopy};
use super::edit::{Edit, SnapshotEdit};
use super::theme;
use crate::saved::Slot;
use crate::targets::OF_MODEL;
use egui::{Align2, Id, Popup, Rect, Response, Stroke, Ui, pos2, vec2};
use tributary_engine::PRESETS;

const BUTTON: f32 = 22.0;
const PRESET: f32 = 130.0;
const TARGETS: f32 = 170.0;
const SLOT: f32 = 26.0;
const UNDO: f32 = 164.0;
const REDO: f32 = 60.0;
/// Between groups.
const SPACE: f32 = 14.0;
const DOT: f32 = 2.5;
/// What fits.
const UNDO_LETTERS: usize = 26;
const TARGETS_LETTERS: usize = 22;

/// Draws the row into `rect` and appends what the user did.
pub fn draw(ui: &Ui, rect: Rect, copies: &Copies, edits: &mut Vec<Edit>) {
    let y = rect.top() + BUTTON / 2.0;
    let cell = |left: f32, width: f32| Rect::from_min_size(pos2(left, y - BUTTON / 2.0), vec2(width, BUTTON));
    preset(ui, cell(rect.left(), PRESET), copies, edits);
    let name = pos2(rect.left() + PRESET + SPACE, y);
    let name =
        theme::label(ui.painter(), name, Align2::LEFT_CENTER, "Snapshots", 12.0, theme::colors(ui.ctx()).dim);
    let mut left = name.right() + 10.0;
    for slot in Slot::ALL {
        snapshot(ui, cell(left, SLOT), slot, &copies.toolbar.snapshots, edits);
        left += SLOT + 3.0;
    }
    left += SPACE - 3.0;
    let [undo, redo] = &copies.toolbar.steps;
    step(ui, cell(left, UNDO), ("Undo", true), undo.as_deref(), Edit::Undo, edits);
    step(ui, cell(left + UNDO + 3.0, REDO), ("Redo", false), redo.as_deref(), Edit::Redo, edits);
    targets(ui, cell(rect.right() - TARGETS, TARGETS), &copies.toolbar.targets, edits);
}

/// The menu of factory presets, under the name of the one whose values are set.
fn preset(ui: &Ui, rect: Rect, copies: &Copies, edits: &mut Vec<Edit>) {
    let now = copies.toolbar.preset;
    let name = now.and_then(|index| PRESETS.get(index)).map_or("Preset", |preset| preset.name);
    let response =
        controls::button(ui, rect, Id::unique("preset"), name, false, theme::colors(ui.ctx()).accent);
    arrow(ui, rect);
    Popup::menu(&response).show(|ui| {
        for (index, preset) in PRESETS.iter().enumerate() {
            let entry = ui.selectable_label(now == Some(index), preset.name);
            if entry.on_hover_text(preset.words).clicked() {
                edits.push(Edit::Preset(index));
            }
        }
    });
    response.on_hover_text(
        "Sets the network's part, all amounts and trims; mute, solo and as is stay as they are.",
    );
}

/// Says that a button opens a menu.
fn arrow(ui: &Ui, rect: Rect) {
    let at = rect.right_center() - vec2(12.0, 0.0);
    let arrow = [at + vec2(-4.0, -2.0), at + vec2(4.0, -2.0), at + vec2(0.0, 3.0)];
    ui.painter().add(egui::Shape::convex_polygon(arrow.to_vec(), theme::colors(ui.ctx()).dim, Stroke::NONE));
}

/// The menu of targets, under the name of those that were chosen.
fn targets(ui: &Ui, rect: Rect, copy: &TargetsCopy, edits: &mut Vec<Edit>) {
    let words = |name: &str| if name == OF_MODEL { "the model's".to_owned() } else { name.to_owned() };
    let name = shortened(&format!("Targets: {}", words(&copy.choice)), TARGETS_LETTERS);
    let response =
        controls::button(ui, rect, Id::unique("targets"), &name, false, theme::colors(ui.ctx()).accent);
    arrow(ui, rect);
    Popup::menu(&response).show(|ui| {
        for (index, choice) in copy.choices.iter().enumerate() {
            let is_chosen = *choice == copy.choice;
            if ui.selectable_label(is_chosen, words(choice)).clicked() && !is_chosen {
                edits.push(Edit::Targets(index));
            }
        }
    });
    let whose = match copy.name.as_str() {
        "" => "What the stems are brought to.".to_owned(),
        name => format!("The stems are brought to: {name}. {}", copy.source),
    };
    response.on_hover_text(whose);
}

/// One place for a snapshot.
fn snapshot(ui: &Ui, rect: Rect, slot: Slot, all: &[SnapshotCopy; 4], edits: &mut Vec<Edit>) {
    let copy = all[slot as usize];
    let is_now = copy == SnapshotCopy::Same;
    let id = Id::unique("snapshot").with(slot);
    let response = controls::button(ui, rect, id, slot.letter(), is_now, theme::colors(ui.ctx()).chosen);
    if copy == SnapshotCopy::Different {
        let dot = rect.right_top() + vec2(-5.0, 5.0);
        ui.painter().circle_filled(dot, DOT, theme::colors(ui.ctx()).accent);
    }
    let help = match copy {
        SnapshotCopy::Empty => format!("Stores all parameters as snapshot {slot}."),
        SnapshotCopy::Same => {
            format!("Everything is as in snapshot {slot}. The other mouse button copies it.")
        }
        SnapshotCopy::Different => {
            format!("Recalls snapshot {slot}. The other mouse button stores anew, copies or empties it.")
        }
    };
    if response.clicked() {
        let action = if copy == SnapshotCopy::Empty { SnapshotEdit::Store } else { SnapshotEdit::Recall };
        edits.push(Edit::Snapshot(slot, action));
    }
    menu(&response, slot, copy, edits);
    response.on_hover_text(help);
}

/// What else can be done with a snapshot.
fn menu(response: &Response, slot: Slot, copy: SnapshotCopy, edits: &mut Vec<Edit>) {
    Popup::context_menu(response).show(|ui| {
        let mut offer = |words: String, action: SnapshotEdit| {
            if ui.button(words).clicked() {
                edits.push(Edit::Snapshot(slot, action));
                ui.close();
            }
        };
        if copy != SnapshotCopy::Same {
            offer(format!("Store in {slot}"), SnapshotEdit::Store);
        }
        if copy != SnapshotCopy::Empty {
            for to in Slot::ALL.into_iter().filter(|to| *to != slot) {
                offer(format!("Copy {slot} to {to}"), SnapshotEdit::CopyTo(to));
            }
            offer(format!("Empty {slot}"), SnapshotEdit::Empty);
        }
    });
}

/// A button that names the step which it undoes or does again.
fn step(
    ui: &Ui,
    rect: Rect,
    (verb, names): (&'static str, bool),
    step: Option<&str>,
    edit: Edit,
    edits: &mut Vec<Edit>,
) {
    let words = match step.filter(|_| names) {
        Some(step) => shortened(&format!("{verb}: {step}"), UNDO_LETTERS),
        None => verb.to_owned(),
    };
    let response =
        controls::button(ui, rect, Id::unique(verb), &words, false, theme::colors(ui.ctx()).accent);
    let Some(step) = step else {
        // Nothing to undo: the button stays where it is, faded.
        let veil = theme::colors(ui.ctx()).background.gamma_multiply(0.6);
        ui.painter().rect_filled(rect.shrink(1.0), 3.0, veil);
        response.on_hover_text(format!("{verb}: nothing"));
        return;
    };
    if response.clicked() {
        edits.push(edit);
    }
    response.on_hover_text(format!("{verb}: {step}"));
}

/// What fits into the button.
fn shortened(words: &str, letters: usize) -> String {
    if words.chars().count() <= letters {
        return words.to_owned();
    }
    words.chars().take(letters - 1).chain(['\u{2026}']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::copies::ToolbarCopy;
    use egui::{Event, Modifiers, PointerButton, Pos2, RawInput};

    /// Between the buttons of the left and those of the right.
    const NOWHERE: Pos2 = pos2(760.0, 14.0);
    const ROW: Rect = Rect { min: Pos2::ZERO, max: pos2(1068.0, 28.0) };

    /// What is done by a click, and every text that was drawn with its place.
    fn click(copies: &Copies, at: Pos2) -> (Vec<Edit>, Vec<(String, Pos2)>) {
        let (ctx, mut done, mut texts) = (egui::Context::default(), Vec::new(), Vec::new());
        let button = PointerButton::Primary;
        let modifiers = Modifiers::NONE;
        let press = |pressed| Event::PointerButton { pos: at, button, pressed, modifiers };
        for events in [vec![], vec![Event::PointerMoved(at)], vec![press(true)], vec![press(false)], vec![]] {
            let input = RawInput { screen_rect: Some(ROW), events, ..RawInput::default() };
            let output = ctx.run_ui(input, |ui| draw(ui, ROW, copies, &mut done));
            texts = output.shapes.iter().filter_map(|shape| text(&shape.shape)).collect();
            output.drop_without_applying_deltas();
        }
        (done, texts)
    }

    fn text(shape: &egui::Shape) -> Option<(String, Pos2)> {
        let egui::Shape::Text(text) = shape else { return None };
        Some((text.galley.text().to_owned(), text.visual_bounding_rect().center()))
    }

    /// A click on what is written there.
    fn click_on(copies: &Copies, words: &str) -> Vec<Edit> {
        let (_, texts) = click(copies, NOWHERE);
        let found = texts.iter().find(|(text, _)| text == words);
        let (_, at) = found.unwrap_or_else(|| panic!("{words} is not among {texts:?}"));
        click(copies, *at).0
    }

    fn with(toolbar: ToolbarCopy) -> Copies {
        Copies { toolbar, ..Copies::default() }
    }

    #[test]
    fn a_snapshot_is_stored_where_there_is_none_and_recalled_where_there_is_one() {
        let (empty, other, same) = (SnapshotCopy::Empty, SnapshotCopy::Different, SnapshotCopy::Same);
        let copies = with(ToolbarCopy { snapshots: [empty, other, same, empty], ..ToolbarCopy::default() });
        for (letter, slot, action) in [
            ("A", Slot::A, SnapshotEdit::Store),
            ("B", Slot::B, SnapshotEdit::Recall),
            ("C", Slot::C, SnapshotEdit::Recall),
            ("D", Slot::D, SnapshotEdit::Store),
        ] {
            assert_eq!(click_on(&copies, letter), [Edit::Snapshot(slot, action)]);
        }
    }

    #[test]
    fn undo_names_its_step_and_does_nothing_where_there_is_none() {
        let undo = ToolbarCopy { steps: [Some("Preset Gentle".into()), None], ..ToolbarCopy::default() };
        assert_eq!(click_on(&with(undo.clone()), "Undo: Preset Gentle"), [Edit::Undo]);
        assert_eq!(click_on(&with(undo), "Redo"), []);
        let redo = ToolbarCopy { steps: [None, Some("Learn".into())], ..ToolbarCopy::default() };
        assert_eq!(click_on(&with(redo.clone()), "Redo"), [Edit::Redo]);
        assert_eq!(click_on(&with(redo), "Undo"), []);
    }

    #[test]
    fn nothing_overlaps_however_long_the_names_are() {
        let targets = TargetsCopy { choice: "a song with a long name".repeat(3), ..TargetsCopy::default() };
        let steps = [Some("Model with a very long name, and longer".into()), None];
        let (_, texts) = click(&with(ToolbarCopy { steps, targets, ..ToolbarCopy::default() }), NOWHERE);
        let places: Vec<f32> = texts.iter().map(|(_, at)| at.x).collect();
        assert!(places.windows(2).all(|pair| pair[0] + 20.0 < pair[1]), "{texts:?}");
    }

    #[test]
    fn long_names_are_cut_between_letters() {
        assert_eq!(shortened("Undo: Learn", 26), "Undo: Learn");
        assert_eq!(shortened("Undo: Model モデルモデルモデルモデルモデル", 26).chars().count(), 26);
    }
}
