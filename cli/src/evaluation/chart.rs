//! Pictures of the report as inline SVG: curves over frequency or time, and one row per system for a figure.
//!
//! Colors, fonts and line styles come from the page, so that one picture serves light and dark windows; a mix keeps its
//! class `s0`, `s1`, … in every picture, which lets the page show and hide it everywhere at once.

use std::fmt::Write;

use crate::markup::escape;

const WIDTH: f64 = 480.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const PLOT_HEIGHT: f64 = 200.0;
const BOTTOM: f64 = 40.0;
/// Height of a row of a ranking, and the width left for names.
const ROW: f64 = 26.0;
const NAMES: f64 = 134.0;
const NAME_CHARS: usize = 20;
/// About this many ticks on an axis.
const TICKS: f64 = 5.0;

/// How a quantity is laid out along an axis.
#[derive(Debug, Clone, Copy)]
pub struct Axis<'a> {
    /// What it is, with its unit.
    pub title: &'a str,
    /// Lowest and highest value.
    pub range: (f64, f64),
    /// Whether equal ratios take equal lengths.
    pub logarithmic: bool,
}

impl<'a> Axis<'a> {
    /// Frequencies that are heard.
    pub fn frequency() -> Self {
        Self { title: "Hz", range: (45.0, 18_000.0), logarithmic: true }
    }

    /// An axis that holds all values, from round number to round number.
    pub fn around(title: &'a str, values: impl Iterator<Item = f64>) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high.max(low + 1e-6)) };
        let step = step(low, high);
        Self { title, range: ((low / step).floor() * step, (high / step).ceil() * step), logarithmic: false }
    }

    /// The same, but starting at `low`.
    pub fn from(mut self, low: f64) -> Self {
        self.range.0 = low;
        self.range.1 = self.range.1.max(low + 1e-6);
        self
    }

    /// Place of a value, from 0 to 1; values beyond the ends stay at them.
    fn place(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        let share = match self.logarithmic {
            true => (value / low).ln() / (high / low).ln(),
            false => (value - low) / (high - low),
        };
        share.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        if self.logarithmic {
            let named = [(50.0, "50"), (100.0, "100"), (200.0, "200"), (500.0, "500"), (1000.0, "1k")];
            let higher = [(2000.0, "2k"), (5000.0, "5k"), (10_000.0, "10k")];
            return named.iter().chain(&higher).map(|&(hz, name)| (hz, name.to_owned())).collect();
        }
        let step = step(self.range.0, self.range.1);
        let decimals = if step < 1.0 { (-step.log10().floor()) as usize } else { 0 };
        let first = (self.range.0 / step).ceil() as i64;
        let last = (self.range.1 / step + 1e-9).floor() as i64;
        (first..=last).map(|n| (n as f64 * step, format!("{:.decimals$}", n as f64 * step))).collect()
    }
}

/// A round step that divides a range into about [`TICKS`] parts.
fn step(low: f64, high: f64) -> f64 {
    let rough = (high - low).max(1e-9) / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| round * power >= rough).unwrap_or(10.0);
    round * power
}

/// One curve.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Of the mix.
    pub name: &'a str,
    /// Number of the mix in the report; 0 is the human mix.
    pub system: usize,
    /// Values along both axes.
    pub points: &'a [[f64; 2]],
}

/// Curves of several mixes, the human mix on top. `description` is read out instead of the picture.
pub fn curves(title: &str, description: &str, across: Axis<'_>, up: Axis<'_>, lines: &[Line<'_>]) -> String {
    let (width, height) = (WIDTH - LEFT - RIGHT, TOP + PLOT_HEIGHT + BOTTOM);
    let x = |value: f64| LEFT + width * across.place(value);
    let y = |value: f64| TOP + PLOT_HEIGHT * (1.0 - up.place(value));
    let mut out = opening(title, description, height);
    for (value, name) in up.ticks() {
        let at = y(value);
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", WIDTH - RIGHT);
        text(&mut out, (LEFT - 7.0, at + 4.0), "end", "tick", &name);
    }
    for (value, name) in across.ticks() {
        let at = x(value);
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{at:.1} {TOP}v{PLOT_HEIGHT}\"/>");
        text(&mut out, (at, TOP + PLOT_HEIGHT + 16.0), "middle", "tick", &name);
    }
    text(&mut out, (WIDTH - RIGHT, TOP + PLOT_HEIGHT + 33.0), "end", "axis", across.title);
    for line in lines.iter().rev() {
        let points: Vec<String> =
            line.points.iter().map(|&[a, b]| format!("{:.1},{:.1}", x(a), y(b))).collect();
        let _ = writeln!(
            out,
            "<polyline class=\"line s{}\" points=\"{}\"><title>{}</title></polyline>",
            line.system,
            points.join(" "),
            escape(line.name)
        );
    }
    out + "</svg></figure>\n"
}

/// One system's row of a ranking.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Its name.
    pub name: &'a str,
    /// Number of the mix in the report.
    pub system: usize,
    /// Of every song.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Ends of the mean's interval.
    pub interval: Option<[f64; 2]>,
    /// The value in words, at the end of the row.
    pub label: String,
}

/// One figure of all systems, the nearest to the human mix first: a bar to the mean, its interval, a dot per song.
pub fn ranking(title: &str, description: &str, unit: &str, rows: &[Row<'_>]) -> String {
    let height = TOP + ROW * rows.len() as f64 + BOTTOM;
    let values =
        rows.iter().flat_map(|row| row.values.iter().copied().chain(row.interval.into_iter().flatten()));
    let axis = Axis::around(unit, values).from(0.0);
    let right = RIGHT + 42.0;
    let x = |value: f64| NAMES + (WIDTH - NAMES - right) * axis.place(value);
    let mut out = opening(title, description, height);
    let floor = height - BOTTOM;
    for (value, name) in axis.ticks() {
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{:.1} {TOP}V{floor}\"/>", x(value));
        text(&mut out, (x(value), floor + 16.0), "middle", "tick", &name);
    }
    text(&mut out, (WIDTH - right, floor + 33.0), "end", "axis", unit);
    for (index, row) in rows.iter().enumerate() {
        let middle = TOP + ROW * (index as f64 + 0.5);
        text(&mut out, (NAMES - 10.0, middle + 4.0), "end", "name", &shortened(row.name));
        let _ = writeln!(
            out,
            "<rect class=\"bar s{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\" rx=\"2\"/>",
            row.system,
            NAMES,
            middle - 5.0,
            (x(row.mean) - NAMES).max(0.5)
        );
        if row.values.len() > 1 {
            for value in &row.values {
                let _ = writeln!(
                    out,
                    "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"2.4\"/>",
                    x(*value)
                );
            }
        }
        if let Some([low, high]) = row.interval {
            let (low, high) = (x(low), x(high));
            let _ = writeln!(
                out,
                "<path class=\"interval\" d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v8M{high:.1} {:.1}v8\"/>",
                middle - 4.0,
                middle - 4.0
            );
        }
        text(&mut out, (WIDTH - 6.0, middle + 4.0), "end", "value", &row.label);
    }
    out + "</svg></figure>\n"
}

/// The figure's caption and the picture's opening tag.
fn opening(title: &str, description: &str, height: f64) -> String {
    let (title, description) = (escape(title), escape(description));
    format!(
        "<figure><figcaption>{title}</figcaption>\
         <svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}. {description}\">\n"
    )
}

fn text(out: &mut String, at: (f64, f64), anchor: &str, class: &str, text: &str) {
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        at.0,
        at.1,
        escape(text)
    );
}

fn shortened(name: &str) -> String {
    match name.chars().count() {
        0..=NAME_CHARS => name.to_owned(),
        _ => name.chars().take(NAME_CHARS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers_that_hold_all_values() {
        let axis = Axis::around("dB", [-13.2, 7.9, f64::NAN].into_iter());
        assert_eq!(axis.range, (-15.0, 10.0));
        let names: Vec<String> = axis.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["-15", "-10", "-5", "0", "5", "10"]);
        let flat = Axis::around("", std::iter::once(0.25)).from(0.0);
        assert!(flat.range.0 == 0.0 && flat.range.1 >= 0.25);
        assert_eq!(Axis::around("", std::iter::empty()).range, (0.0, 1.0));
    }

    #[test]
    fn names_cannot_break_out_of_the_picture() {
        let row = Row {
            name: "<b>\"&",
            system: 1,
            values: vec![1.0],
            mean: 1.0,
            interval: None,
            label: "1".into(),
        };
        let picture = ranking("<i>", "\"", "dB", &[row]);
        assert!(!picture.contains("<b>") && !picture.contains("<i>"), "{picture}");
        assert!(picture.contains("&lt;b&gt;&quot;&amp;"));
    }
}
