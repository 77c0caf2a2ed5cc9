//! The editor: a pure function from parameters and copies of the meters to pixels and edits.
//!
//! [`draw`] reads nothing but its arguments and changes nothing; `window.rs` is the only file that knows the framework. So
//! every state of the editor, including those that are hard to reach in a host, can be drawn in a test.

mod amounts;
pub(crate) mod appearance;
mod at_once;
mod controls;
pub(crate) mod copies;
mod correction_rows;
mod curves;
mod detail;
mod edit;
mod footer;
mod header;
mod held;
mod history;
mod latency;
mod learning;
mod meters;
mod mix_panel;
mod open_window;
mod pace;
mod sentence;
pub(crate) mod size;
mod stem_strip;
pub(crate) mod stereo_image;
pub(crate) mod theme;
mod toolbar;
mod turning;
mod watch;
pub(crate) mod window;

pub use crate::saved::Slot;
pub use appearance::Appearance;
pub use copies::{
    CompressorCopy, Copies, CorrectionCopy, HistoryPoint, ImageCopy, LatencyCopy, LearningCopy, MasksCopy,
    MixCopy, ModelCopy, ModelState, NetworkCopy, Page, SnapshotCopy, StemCopy, TargetsCopy, ToolbarCopy,
};
pub use edit::{Control, Edit, LearningAction, SnapshotEdit, StemControl};
pub use size::{LAYOUT, MIN_SIZE, SIZE};
pub use theme::dress;

use crate::params::TributaryParams;
use egui::{Rect, Ui, pos2, vec2};
use theme::GAP;
use tributary_dsp::Stem;

const HEADER: f32 = 42.0;
/// Presets, snapshots, undo and targets have this row under the header.
const TOOLBAR: f32 = 28.0;
const FOOTER: f32 = 26.0;
const CURVES: f32 = 74.0;
const MIX_PANEL: f32 = 258.0;

/// Draws the editor over the whole of `ui`, which has room for [`LAYOUT`] or more, and returns what the user did.
pub fn draw(ui: &Ui, params: &TributaryParams, copies: &Copies) -> Vec<Edit> {
    let mut edits = Vec::new();
    let whole = ui.max_rect();
    let colors = theme::colors(ui.ctx());
    ui.painter().rect_filled(whole, egui::CornerRadius::ZERO, colors.background);
    let inner = whole.shrink2(vec2(12.0, 4.0));
    let (header, rest) = inner.split_top_bottom_at_y(inner.top() + HEADER);
    let (toolbar, rest) = rest.split_top_bottom_at_y(rest.top() + TOOLBAR);
    let (rest, footer) = rest.split_top_bottom_at_y(rest.bottom() - FOOTER);
    let (body, latency) = rest.split_top_bottom_at_y(rest.bottom() - latency::HEIGHT);
    let body = Rect::from_min_max(body.min, body.max - vec2(0.0, GAP));
    let (body, learning) = body.split_top_bottom_at_y(body.bottom() - learning::HEIGHT);
    let body = Rect::from_min_max(body.min, body.max - vec2(0.0, GAP));
    let (stems, panel) = body.split_left_right_at_x(body.right() - MIX_PANEL);
    // The Tab key goes through the controls in the order in which they are drawn.
    header::draw(ui, header, params, copies, &mut edits);
    toolbar::draw(ui, toolbar, copies, &mut edits);
    stem_area(ui, stems, params, copies, &mut edits);
    mix_panel::draw(ui, panel, params, copies, &mut edits);
    learning::draw(ui, learning, copies, &mut edits);
    latency::draw(ui, latency, copies, &mut edits);
    footer::draw(ui, footer, copies, &mut edits);
    edits
}

/// Four strips and, below them, the streams that lead to the mix; between them a stem in full and the amounts, when they are
/// shown.
fn stem_area(ui: &Ui, rect: Rect, params: &TributaryParams, copies: &Copies, edits: &mut Vec<Edit>) {
    // A sentence stands where the streams flow: they say what the meters say, and no control moves for it.
    let sentence = sentence::of(theme::colors(ui.ctx()), copies);
    // A stem in full needs the room more than the streams do.
    let flows = copies.enlarged.is_none() || copies.history_open || sentence.is_some();
    let (strips, streams) = rect.split_top_bottom_at_y(rect.bottom() - if flows { CURVES } else { 0.0 });
    let amounts = if copies.amounts_open { amounts::HEIGHT } else { 0.0 };
    let (strips, amounts) = strips.split_top_bottom_at_y(strips.bottom() - amounts);
    let small = strips.top() + stem_strip::SMALL_HEIGHT;
    let bottom = if copies.enlarged.is_some() { small } else { strips.bottom() };
    let (strips, full) = strips.split_top_bottom_at_y(bottom);
    let width = (strips.width() - 3.0 * GAP - GAP) / 4.0;
    let strip = |index: usize| {
        let left = strips.left() + index as f32 * (width + GAP);
        Rect::from_min_max(pos2(left, strips.top()), pos2(left + width, strips.bottom()))
    };
    let below = |rect: Rect| Rect::from_min_max(rect.min + vec2(0.0, GAP), rect.max - vec2(GAP, 0.0));
    match sentence {
        Some((color, text)) => sentence::draw(ui, below(streams), color, &text),
        None if copies.history_open => history::draw(ui, below(streams), copies),
        None if flows => {
            let centers = std::array::from_fn(|index| strip(index).center().x);
            curves::draw(ui.painter(), streams, centers, &copies.stems, &copies.mix);
        }
        None => {}
    }
    for stem in Stem::ALL {
        let shown = (params.stem(stem), &copies.stems[stem.index()]);
        stem_strip::draw(ui, strip(stem.index()), stem, shown, copies.enlarged, edits);
    }
    if let Some(stem) = copies.enlarged {
        detail::draw(ui, below(full), stem, params, copies, edits);
    }
    if copies.amounts_open {
        amounts::draw(ui, below(amounts), params, copies, edits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{Pos2, RawInput, Shape};

    /// Every text the editor draws at a size: what, where, and whether all of it can be seen.
    fn texts(copies: &Copies, size: [u32; 2]) -> Vec<(String, Pos2, bool)> {
        let (params, ctx) = (TributaryParams::default(), egui::Context::default());
        let screen = Rect::from_min_size(Pos2::ZERO, vec2(size[0] as f32, size[1] as f32));
        let input = || RawInput { screen_rect: Some(screen), ..RawInput::default() };
        // A first frame, in which fonts and areas find their sizes.
        ctx.run_ui(input(), |ui| drop(draw(ui, &params, copies))).drop_without_applying_deltas();
        let output = ctx.run_ui(input(), |ui| drop(draw(ui, &params, copies)));
        let mut found = Vec::new();
        for clipped in &output.shapes {
            collect(&clipped.shape, clipped.clip_rect, &mut found);
        }
        output.drop_without_applying_deltas();
        found
    }

    /// What is done when a user does this, frame by frame, at the usual size.
    fn edits(frames: &[Vec<egui::Event>]) -> Vec<Edit> {
        let (params, ctx, copies) = (TributaryParams::default(), egui::Context::default(), playing());
        let screen = Rect::from_min_size(Pos2::ZERO, vec2(LAYOUT[0] as f32, LAYOUT[1] as f32));
        let mut done = Vec::new();
        // Areas need a frame to find their sizes.
        for (number, events) in [vec![], vec![]].iter().chain(frames).chain(&[vec![], vec![]]).enumerate() {
            let input = RawInput {
                screen_rect: Some(screen),
                time: Some(0.05 * number as f64),
                events: events.clone(),
                ..RawInput::default()
            };
            let output = ctx.run_ui(input, |ui| done.extend(draw(ui, &params, &copies)));
            output.drop_without_applying_deltas();
        }
        done
    }

    fn button(pos: Pos2, pressed: bool, modifiers: egui::Modifiers) -> Vec<egui::Event> {
        let button = egui::PointerButton::Primary;
        let (held, moved) = (egui::Event::ModifiersChanged(modifiers), egui::Event::PointerMoved(pos));
        vec![held, moved, egui::Event::PointerButton { pos, button, pressed, modifiers }]
    }

    fn click(pos: Pos2, modifiers: egui::Modifiers) -> [Vec<egui::Event>; 2] {
        [button(pos, true, modifiers), button(pos, false, modifiers)]
    }

    /// The controls of the vocals' strip as a user meets them.
    #[test]
    fn a_strip_is_pressed_pulled_reset_and_typed_into() {
        const TRIM: Pos2 = pos2(85.0, 507.0);
        const MUTE: Pos2 = pos2(136.0, 507.0);
        const LOCK: Pos2 = pos2(184.0, 507.0);
        let (none, command) = (egui::Modifiers::NONE, egui::Modifiers::COMMAND);
        let of = |control| Control::Stem(Stem::Vocals, control);
        assert_eq!(edits(&click(MUTE, none)), Edit::once(of(StemControl::Mute), 1.0));
        assert_eq!(edits(&click(LOCK, none)), Edit::once(of(StemControl::Lock), 1.0));
        let trim = of(StemControl::Trim);
        assert_eq!(edits(&click(TRIM, command)), Edit::once(trim, 0.5), "the default");
        let to = TRIM + vec2(22.0, 0.0);
        let moved = vec![egui::Event::PointerMoved(to)];
        let pulled = edits(&[button(TRIM, true, none), moved, button(to, false, none)]);
        assert_eq!((pulled.first(), pulled.last()), (Some(&Edit::Begin(trim)), Some(&Edit::End(trim))));
        assert!(pulled.iter().any(|edit| matches!(edit, Edit::Set(_, at) if (at - 0.6).abs() < 1e-3)));
        let key = |key, pressed| egui::Event::Key {
            key,
            physical_key: None,
            pressed,
            repeat: false,
            modifiers: none,
        };
        let [press, release] = click(TRIM, none);
        let typed = [vec![], vec![egui::Event::Text("\u{2212}6".into())], vec![]];
        let mut frames = vec![press.clone(), release.clone(), press, release];
        frames.extend(typed);
        frames.push(vec![key(egui::Key::Enter, true)]);
        assert_eq!(edits(&frames), Edit::once(trim, 0.25), "half of the way to −12 dB");
        frames.pop();
        frames.push(vec![key(egui::Key::Escape, true)]);
        assert_eq!(edits(&frames), []);
    }

    /// The Tab key comes to everything that can be turned, and the Delete key resets it there; the arrow keys would lead on
    /// from what cannot be turned.
    #[test]
    fn the_keys_reach_everything_that_can_be_turned() {
        let key = |key| {
            let modifiers = egui::Modifiers::NONE;
            vec![egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }]
        };
        let frames: Vec<_> = (0..120).flat_map(|_| [key(egui::Key::Tab), key(egui::Key::Delete)]).collect();
        let turned: Vec<Control> = edits(&frames)
            .into_iter()
            .filter_map(|edit| if let Edit::Begin(control) = edit { Some(control) } else { None })
            .collect();
        let of_stems = Stem::ALL.into_iter().flat_map(|stem| {
            let amounts = (0..6).map(StemControl::Amount);
            amounts.chain([StemControl::Trim]).map(move |control| Control::Stem(stem, control))
        });
        for control in of_stems.chain([Control::Mix, Control::Gain]) {
            assert!(turned.contains(&control), "{control:?}");
        }
    }

    /// Arrow keys turn what has the focus, Enter opens a field for typing and takes what was typed.
    #[test]
    fn the_keys_turn_and_type() {
        let key = |key| {
            let modifiers = egui::Modifiers::NONE;
            vec![egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }]
        };
        let trim = Control::Stem(Stem::Vocals, StemControl::Trim);
        let tabs = |times: usize| (0..times).map(|_| key(egui::Key::Tab));
        let reset = Edit::once(trim, 0.5);
        let times = (1..60)
            .find(|times| edits(&tabs(*times).chain([key(egui::Key::Delete)]).collect::<Vec<_>>()) == reset);
        let mut frames: Vec<_> = tabs(times.expect("reached")).collect();
        frames.push(key(egui::Key::ArrowUp));
        assert_eq!(edits(&frames), Edit::once(trim, 0.51));
        frames.pop();
        frames.extend([
            key(egui::Key::Enter),
            vec![],
            vec![egui::Event::Text("6".into())],
            key(egui::Key::Enter),
        ]);
        assert_eq!(edits(&frames), Edit::once(trim, 0.75), "half of the way to 12 dB");
    }

    fn collect(shape: &Shape, clip: Rect, found: &mut Vec<(String, Pos2, bool)>) {
        match shape {
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, clip, found)),
            Shape::Text(text) => {
                let visible = clip.expand(1.0).contains_rect(text.visual_bounding_rect());
                found.push((text.galley.text().to_owned(), text.pos, visible));
            }
            _ => {}
        }
    }

    fn playing() -> Copies {
        let stem = StemCopy {
            signal: true,
            seen: true,
            before_lufs: Some(-20.0),
            after_lufs: Some(-18.0),
            decision: "Decided: as it came; level +2.0 dB.".into(),
            ..StemCopy::default()
        };
        let model = ModelCopy { state: ModelState::Ready, ..ModelCopy::default() };
        Copies { stems: std::array::from_fn(|_| stem.clone()), model, ..Copies::default() }
    }

    /// Nothing moves for a sentence, and all of it can be read at every size there is.
    #[test]
    fn a_sentence_does_not_move_the_layout() {
        let reason = "ONNX Runtime was not found. Put libonnxruntime.so beside the plug-in (folder Tributary) or set \
                      ORT_DYLIB_PATH to the library's place, then open the project again.";
        let failed = ModelCopy { state: ModelState::Failed(reason.into()), ..playing().model };
        for size in [LAYOUT, [1500, LAYOUT[1]], [LAYOUT[0], 900]] {
            let without = texts(&playing(), size);
            let said = "“small” cannot be used, what was there before stays: its files are broken.";
            for (copies, words) in [
                (Copies { notices: vec![said.into()], ..playing() }, said),
                (Copies { model: failed.clone(), ..playing() }, reason),
            ] {
                let with = texts(&copies, size);
                // The header's words on the model are as long as they are.
                for (text, at, visible) in without.iter().filter(|(_, at, _)| at.y > HEADER) {
                    let same = (text.clone(), *at, *visible);
                    assert!(with.contains(&same), "{text:?} moved or went at {size:?}");
                }
                let sentence = with.iter().find(|(text, ..)| text.starts_with(words));
                assert!(sentence.is_some_and(|(.., visible)| *visible), "{words:?} at {size:?}");
            }
            let silent = texts(&Copies { stems: Default::default(), ..playing() }, size);
            let help = silent.iter().find(|(text, ..)| text.starts_with("No stem arrives yet"));
            assert!(help.is_some_and(|(.., visible)| *visible), "the help is cut at {size:?}");
        }
    }

    /// A rest is no missing cable.
    #[test]
    fn a_stem_that_has_played_is_not_missing_when_it_is_silent() {
        let missing = |seen| {
            let silent = StemCopy { seen, ..StemCopy::default() };
            let copies = Copies { stems: std::array::from_fn(|_| silent.clone()), ..playing() };
            let found = texts(&copies, LAYOUT);
            found.iter().filter(|(text, ..)| text.contains("arrives")).count()
        };
        assert_eq!((missing(false), missing(true)), (5, 0), "four strips and the sentence, or none");
    }
}
