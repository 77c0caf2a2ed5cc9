//! How a stem ended up in the mix, as far as the mix tells it from the outside: an estimate, and called one. The curve of this
//! stem, the figures of all of them, and all of it as text.

use super::frequencies::{self, HZ, at_hz};
use crate::editor::controls;
use crate::editor::theme::{self, GAP};
use egui::text::LayoutJob;
use egui::{Align2, CornerRadius, FontId, Id, Painter, Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};
use tributary_dsp::Stem;
use tributary_dsp::explain::text::{dial, sentence, text};
use tributary_dsp::explain::{Explanation, Found, Moves, THIRD_OCTAVES, center_hz};

/// Room for the caption and for the figures of all stems.
const CAPTION: f32 = 26.0;
const FIGURES: f32 = 284.0;
const COPY: f32 = 104.0;
/// Ends of the scale of gains, in dB: the nearest that holds the curve.
const RANGES_DB: [f32; 4] = [6.0, 12.0, 24.0, 48.0];

/// Draws the page into `rect`; copies the estimate as text where that is asked for.
pub fn draw(ui: &Ui, rect: Rect, stem: Stem, explanation: Option<&Explanation>) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let well = rect.with_max_y(rect.bottom() - 10.0);
    let Some(explanation) = explanation else {
        painter.rect_filled(well, CornerRadius::same(3), colors.well);
        let words = "How the stems end up in the mix is estimated every other second while the song plays.";
        theme::label(painter, well.center(), Align2::CENTER_CENTER, words, 11.0, colors.dim);
        return;
    };
    let (caption, rest) = well.split_top_bottom_at_y(well.top() + CAPTION);
    self::caption(ui, caption, explanation);
    let (curve, figures) = rest.split_left_right_at_x(rest.right() - FIGURES);
    let found = &explanation.stems[stem.index()];
    self::curve(painter, curve.with_max_x(curve.right() - GAP), stem, found);
    self::figures(painter, figures, stem, explanation);
}

/// How much is known, and the button that copies it.
fn caption(ui: &Ui, rect: Rect, explanation: &Explanation) {
    let (painter, colors) = (ui.painter(), theme::colors(ui.ctx()));
    let y = rect.top() + 10.0;
    let words = format!(
        "Estimate from the last {:.0} s: the stems as they arrive, with steady gains, explain {:.0} % of the mix",
        explanation.heard_s,
        100.0 * explanation.explained_share
    );
    theme::label(painter, pos2(rect.left(), y), Align2::LEFT_CENTER, &words, 10.5, colors.dim);
    let button = Rect::from_min_max(pos2(rect.right() - COPY, y - 10.0), pos2(rect.right(), y + 10.0));
    let response =
        controls::button(ui, button, Id::unique("copy estimate"), "Copy as text", false, colors.accent);
    if response.clicked() {
        ui.ctx().copy_text(text(explanation));
    }
    response
        .on_hover_text("Copies the estimate of all stems: figures, moves to dial, gains per third octave.");
}

/// Gain per third octave with its error, broken where the stem is not heard.
fn curve(painter: &Painter, rect: Rect, stem: Stem, found: &Found) {
    let colors = theme::colors(painter.ctx());
    painter.rect_filled(rect, CornerRadius::same(3), colors.well);
    let plot = Rect::from_min_max(rect.min + vec2(6.0, 10.0), rect.max - vec2(38.0, 16.0));
    frequencies::axis(painter, plot);
    let Some(found) = found.audible() else {
        theme::label(painter, plot.center(), Align2::CENTER_CENTER, &sentence(found), 11.0, colors.dim);
        return;
    };
    let heard = found.curve.iter().flatten().map(|band| band.gain_db.abs() + band.error_db);
    let most_db = heard.fold(0.0, f32::max);
    let range_db = RANGES_DB.into_iter().find(|range_db| most_db <= *range_db).unwrap_or(48.0);
    let y = |gain_db: f32| plot.center().y - 0.5 * plot.height() * (gain_db / range_db).clamp(-1.0, 1.0);
    for share in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let (gain_db, tint) = (share * range_db, if share == 0.0 { colors.edge } else { colors.line });
        let ends = [pos2(plot.left(), y(gain_db)), pos2(plot.right(), y(gain_db))];
        painter.line_segment(ends, Stroke::new(1.0, tint));
        let name = if share == 0.0 { "0 dB".to_owned() } else { minus(&format!("{gain_db:+.0}")) };
        let at = pos2(plot.right() + 4.0, y(gain_db));
        theme::label(painter, at, Align2::LEFT_CENTER, &name, 9.0, colors.dim);
    }
    let color = colors.stem(stem);
    for run in runs(found.curve.map(|band| band.map(|band| [band.gain_db, band.error_db]))) {
        let line = |of: &dyn Fn(f32, f32) -> f32| -> Vec<Pos2> {
            run.iter()
                .map(|(hz, [gain_db, error_db])| pos2(at_hz(plot, *hz), y(of(*gain_db, *error_db))))
                .collect()
        };
        let error = [line(&|gain, error| gain + error), line(&|gain, error| gain - error)];
        theme::ribbon(painter, &error, colors.faded(color, 0.35));
        let gains = line(&|gain, _| gain);
        if let [alone] = gains[..] {
            painter.circle_filled(alone, 2.0, color);
        }
        painter.add(Shape::line(gains, Stroke::new(2.0, color)));
    }
    // The whole stem's gain, which the bands have in them.
    let whole = [pos2(plot.left(), y(found.gain_db)), pos2(plot.right(), y(found.gain_db))];
    painter.extend(Shape::dashed_line(&whole, Stroke::new(1.0, colors.dim), 4.0, 4.0));
}

/// Bands in a row that are known and lie on the axis, with their frequencies.
fn runs(curve: [Option<[f32; 2]>; THIRD_OCTAVES]) -> Vec<Vec<(f32, [f32; 2])>> {
    let mut runs = vec![Vec::new()];
    for (band, gain) in curve.into_iter().enumerate() {
        let hz = center_hz(band) as f32;
        match gain.filter(|_| (HZ[0]..HZ[1]).contains(&hz)) {
            Some(gain) => runs.iter_mut().last().into_iter().for_each(|run| run.push((hz, gain))),
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// What was found of every stem, this one's in full light.
fn figures(painter: &Painter, rect: Rect, stem: Stem, explanation: &Explanation) {
    let colors = theme::colors(painter.ctx());
    let height = rect.height() / Stem::COUNT as f32;
    for (row, other) in Stem::ALL.into_iter().enumerate() {
        let top = rect.top() + height * row as f32;
        let found = &explanation.stems[other.index()];
        theme::sign(painter, pos2(rect.left() + 12.0, top + 8.0), 4.5, other, found.audible().is_some());
        let tint = if other == stem { colors.text } else { colors.dim };
        let at = pos2(rect.left() + 24.0, top + 8.0);
        theme::label(painter, at, Align2::LEFT_CENTER, &other.name().to_uppercase(), 11.0, tint);
        let mut words = sentence(found).replace(", left", "\nleft");
        if let Some(found) = found.audible() {
            words += &format!("\nto dial: {}", dial(&Moves::of(found)));
        }
        let at = pos2(rect.left() + 24.0, top + 17.0);
        wrapped(painter, at, rect.right() - at.x, &minus(&words), tint);
    }
}

fn wrapped(painter: &Painter, at: Pos2, width: f32, words: &str, color: egui::Color32) {
    let mut job = LayoutJob::simple(words.to_owned(), FontId::proportional(10.5), color, width);
    job.wrap.max_rows = 4;
    painter.galley(at, painter.layout_job(job), color);
}

/// With true minus signs.
fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{Event, Modifiers, OutputCommand, PointerButton, RawInput};

    #[test]
    fn a_curve_is_broken_where_nothing_is_known() {
        let mut curve = [None; THIRD_OCTAVES];
        for band in [0, 5, 6, 9] {
            curve[band] = Some([band as f32, 0.1]);
        }
        let found: Vec<Vec<f32>> =
            runs(curve).iter().map(|run| run.iter().map(|(_, [gain_db, _])| *gain_db).collect()).collect();
        // The lowest band lies below the axis.
        assert_eq!(found, [vec![5.0, 6.0], vec![9.0]]);
    }

    #[test]
    fn the_button_copies_what_the_command_line_prints() {
        let explanation = Explanation { explained_share: 0.9, heard_s: 30.0, stems: Default::default() };
        let rect = Rect::from_min_size(Pos2::ZERO, vec2(790.0, 300.0));
        let at = pos2(rect.right() - 20.0, 10.0);
        let button = PointerButton::Primary;
        let press = |pressed| Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE };
        let ctx = egui::Context::default();
        let mut copied = Vec::new();
        for events in [vec![], vec![Event::PointerMoved(at)], vec![press(true)], vec![press(false)], vec![]] {
            let input = RawInput { screen_rect: Some(rect), events, ..RawInput::default() };
            let mut output = ctx.run_ui(input, |ui| draw(ui, rect, Stem::Bass, Some(&explanation)));
            copied.append(&mut output.platform_output.commands);
            output.drop_without_applying_deltas();
        }
        assert_eq!(copied, [OutputCommand::CopyText(text(&explanation))]);
    }
}
