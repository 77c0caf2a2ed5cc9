//! How loud the song has been while the window was open: short-term loudness second by second, the integrated one, and every
//! underrun in its place. Stands where the streams flow, when it is asked for.

use super::copies::{Copies, HistoryPoint};
use super::theme;
use egui::{Align2, Id, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

/// Seconds that are kept: half an hour.
const KEPT: usize = 1800;
/// Seconds that fill the width at least.
const LEAST: usize = 120;
/// Ends of the scale, in LUFS.
const RANGE_LUFS: [f32; 2] = [-40.0, -6.0];

/// Collects one point a second.
#[derive(Debug, Default)]
pub struct History {
    points: Vec<HistoryPoint>,
    next_s: f64,
    underruns: u64,
}

impl History {
    /// Takes in what is shown now. Seconds that nobody drew, because nothing changed, were like the last that was drawn.
    pub fn follow(&mut self, copies: &Copies, now_s: f64) {
        if now_s < self.next_s {
            return;
        }
        if let Some(last) = self.points.last().map(|last| HistoryPoint { underruns: 0, ..*last }) {
            let missed = ((now_s - self.next_s) as usize).min(KEPT);
            (0..missed).for_each(|_| self.add(last));
            self.next_s += (now_s - self.next_s).floor();
        } else {
            self.next_s = now_s;
            self.underruns = copies.underruns;
        }
        self.next_s += 1.0;
        // The count starts over when it is reset.
        let underruns = copies.underruns.saturating_sub(self.underruns);
        self.underruns = copies.underruns;
        self.add(HistoryPoint { short_term_lufs: copies.mix.short_term_lufs, underruns });
    }

    fn add(&mut self, point: HistoryPoint) {
        if self.points.len() == KEPT {
            self.points.remove(0);
        }
        self.points.push(point);
    }

    /// What was collected, oldest first.
    pub fn points(&self) -> &[HistoryPoint] {
        &self.points
    }
}

/// Draws the history into `rect`.
pub fn draw(ui: &Ui, rect: Rect, copies: &Copies) {
    let colors = theme::colors(ui.ctx());
    theme::panel(ui.painter(), rect);
    let plot = Rect::from_min_max(rect.min + vec2(34.0, 8.0), rect.max - vec2(104.0, 8.0));
    let painter = ui.painter();
    let y = |lufs: f32| {
        let [least, most] = RANGE_LUFS;
        plot.bottom() - plot.height() * ((lufs - least) / (most - least)).clamp(0.0, 1.0)
    };
    for lufs in [-36.0, -24.0, -12.0] {
        let text = format!("{lufs:.0}").replace('-', "\u{2212}");
        painter.line_segment(
            [pos2(plot.left(), y(lufs)), pos2(plot.right(), y(lufs))],
            Stroke::new(1.0, colors.line),
        );
        theme::label(painter, pos2(plot.left() - 5.0, y(lufs)), Align2::RIGHT_CENTER, &text, 9.0, colors.dim);
    }
    let points = &copies.history;
    let step = plot.width() / points.len().max(LEAST) as f32;
    let x = |index: usize| plot.right() - step * (points.len() - 1 - index) as f32;
    let mut line = Vec::new();
    for (index, point) in points.iter().enumerate() {
        match point.short_term_lufs {
            Some(lufs) => line.push(pos2(x(index), y(lufs))),
            None => {
                let heard = std::mem::take(&mut line);
                painter.add(Shape::line(heard, Stroke::new(1.5, colors.accent)));
            }
        }
        if point.underruns > 0 {
            let foot = pos2(x(index), plot.bottom() + 3.0);
            painter.line_segment([foot, foot - vec2(0.0, plot.height() + 6.0)], Stroke::new(1.5, colors.bad));
            let seconds = points.len() - 1 - index;
            let mark =
                Rect::from_center_size(foot - vec2(0.0, plot.height() / 2.0), vec2(6.0, plot.height()));
            let words = format!("{} underruns {}:{:02} ago", point.underruns, seconds / 60, seconds % 60);
            ui.interact(mark, Id::unique("underrun").with(index), Sense::hover()).on_hover_text(words);
        }
    }
    painter.add(Shape::line(line, Stroke::new(1.5, colors.accent)));
    if let Some(lufs) = copies.mix.integrated_lufs {
        let ends = [pos2(plot.left(), y(lufs)), pos2(plot.right(), y(lufs))];
        painter.extend(Shape::dashed_line(&ends, Stroke::new(1.0, colors.text), 5.0, 4.0));
    }
    let words = [
        ("short-term", copies.mix.short_term_lufs, "LUFS"),
        ("integrated", copies.mix.integrated_lufs, "LUFS"),
        ("true peak", copies.mix.true_peak_db, "dBTP"),
    ];
    for (row, (name, value, unit)) in words.into_iter().enumerate() {
        let y = rect.top() + 14.0 + (rect.height() - 28.0) * 0.5 * row as f32;
        let (left, right) = (plot.right() + 10.0, rect.right() - 8.0);
        theme::label(painter, pos2(left, y), Align2::LEFT_CENTER, name, 10.0, colors.dim);
        let value = theme::decimal(value);
        let value = theme::label(painter, pos2(right, y), Align2::RIGHT_CENTER, &value, 11.0, colors.text);
        ui.interact(value.expand(3.0), Id::unique("history").with(row), Sense::hover()).on_hover_text(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::copies::MixCopy;

    #[test]
    fn a_point_a_second_and_every_underrun_once() {
        let mut history = History::default();
        let mut at = |now_s: f64, underruns: u64, lufs: f32| {
            let mix = MixCopy { short_term_lufs: Some(lufs), ..MixCopy::default() };
            history.follow(&Copies { mix, underruns, ..Copies::default() }, now_s);
            history.points().iter().map(|point| point.underruns).collect::<Vec<_>>()
        };
        assert_eq!(at(0.0, 7, -20.0), [0], "what was before the window opened is not of this second");
        assert_eq!(at(0.5, 9, -20.0), [0]);
        assert_eq!(at(1.1, 9, -20.0), [0, 2]);
        assert_eq!(at(2.2, 0, -20.0), [0, 2, 0], "reset");
        assert_eq!(at(5.3, 4, -20.0), [0, 2, 0, 0, 0, 4], "two seconds in which nothing changed");
        for second in 6..4000 {
            at(f64::from(second) + 0.5, 0, -20.0);
        }
        assert_eq!(history.points().len(), KEPT);
    }
}
