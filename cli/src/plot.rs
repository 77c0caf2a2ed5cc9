//! Draws features of stems as SVG: one row per stem with spectrum, left/right similarity and, where there is one, the
//! compressor's gain reduction; one line per data set or song. Text and lines only, so that it reads the same in a
//! browser, a README and a paper.

pub mod before_after;
pub mod features;

use std::fmt::Write;

use tributary_dsp::{Stem, Targets};

use crate::markup::escape;

/// What is drawn of one data set or song.
#[derive(Debug, Clone)]
pub struct Curves {
    /// For the legend.
    pub name: String,
    /// In stem order.
    pub stems: [StemCurves; Stem::COUNT],
}

/// Features of one stem; empty where there are none.
#[derive(Debug, Clone, Default)]
pub struct StemCurves {
    /// Integrated loudness.
    pub loudness_lufs: Option<f64>,
    /// Mean of the loudest onset peaks.
    pub peak_db: Option<f64>,
    /// Their standard deviation.
    pub peak_std_db: Option<f64>,
    /// `[Hz, dB]`, frequencies rising.
    pub spectrum_db: Vec<[f64; 2]>,
    /// `[Hz, 0..1]`, frequencies rising.
    pub phi: Vec<[f64; 2]>,
    /// `[s, dB]`, times rising, reductions negative.
    pub reduction_db: Vec<[f64; 2]>,
}

/// Targets as curves.
pub fn of_targets(targets: &Targets, name: &str) -> Curves {
    let stems = Stem::ALL.map(|stem| {
        let averages = targets.stem(stem);
        StemCurves {
            loudness_lufs: Some(averages.loudness_lufs),
            peak_db: Some(averages.peak_db),
            peak_std_db: Some(averages.peak_std_db),
            spectrum_db: grid().map(|hz| [hz, averages.spectrum.at_hz(hz)]).collect(),
            phi: grid().map(|hz| [hz, averages.phi.at_hz(hz)]).collect(),
            reduction_db: Vec::new(),
        }
    });
    Curves { name: name.into(), stems }
}

const LOW_HZ: f64 = 20.0;
const HIGH_HZ: f64 = 20_000.0;
const STEPS_PER_OCTAVE: f64 = 12.0;
/// Averaging width of full-resolution curves: a third of an octave around each point.
const SMOOTHING: f64 = 1.122_462;
const TICKS_HZ: [(f64, &str); 4] = [(30.0, "30"), (100.0, "100"), (1000.0, "1k"), (10_000.0, "10k")];
/// Distinguishable in the usual kinds of color blindness (Okabe and Ito).
const COLORS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000"];
const SPECTRUM_DB: (f64, f64) = (-60.0, 40.0);
const PHI: (f64, f64) = (0.0, 1.0);
const REDUCTION_DB: (f64, f64) = (-15.0, 0.0);

const PANEL_WIDTH: f64 = 420.0;
const PANEL_HEIGHT: f64 = 130.0;
const LEFT: f64 = 56.0;
const GAP: f64 = 56.0;
const TOP: f64 = 46.0;
const ROW: f64 = PANEL_HEIGHT + 44.0;

/// Frequencies at which curves are drawn, in Hz.
pub fn grid() -> impl Iterator<Item = f64> {
    let steps = ((HIGH_HZ / LOW_HZ).log2() * STEPS_PER_OCTAVE) as i32;
    (0..=steps).map(|step| LOW_HZ * 2f64.powf(f64::from(step) / STEPS_PER_OCTAVE))
}

/// A full-resolution curve averaged to the drawing grid.
pub fn smooth(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mean = |hz: f64| {
        let low = points.partition_point(|point| point[0] < hz / SMOOTHING);
        let high = points.partition_point(|point| point[0] <= hz * SMOOTHING);
        let band = &points[low..high];
        (!band.is_empty()).then(|| [hz, band.iter().map(|point| point[1]).sum::<f64>() / band.len() as f64])
    };
    grid().filter_map(mean).collect()
}

/// The picture.
pub fn svg(shown: &[Curves]) -> String {
    let reductions = shown.iter().flat_map(|curves| &curves.stems).map(|stem| &stem.reduction_db);
    let seconds =
        reductions.filter_map(|points| points.last()).fold(0f64, |longest, point| longest.max(point[0]));
    let panels = if seconds > 0.0 { 3.0 } else { 2.0 };
    let width = LEFT + panels * PANEL_WIDTH + (panels - 1.0) * GAP + 16.0;
    let height = TOP + ROW * Stem::COUNT as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut x = LEFT;
    for (index, curves) in shown.iter().enumerate() {
        let color = COLORS[index % COLORS.len()];
        let name = escape(&curves.name);
        line(&mut out, (x, 16.0), (x + 18.0, 16.0), color, 2.0);
        text(&mut out, (x + 24.0, 20.0), "start", &name);
        x += 40.0 + 7.0 * curves.name.chars().count() as f64;
    }
    for stem in Stem::ALL {
        let y = TOP + ROW * stem.index() as f64;
        let right = LEFT + PANEL_WIDTH + GAP;
        let last = right + PANEL_WIDTH + GAP;
        let title = format!("{stem} – average spectrum at −30 LUFS, dB");
        panel(&mut out, (LEFT, y), SPECTRUM_DB, 20.0, &title);
        panel(&mut out, (right, y), PHI, 0.25, &format!("{stem} – left/right similarity φ"));
        frequencies(&mut out, (LEFT, y));
        frequencies(&mut out, (right, y));
        if seconds > 0.0 {
            panel(&mut out, (last, y), REDUCTION_DB, 5.0, &format!("{stem} – gain reduction over time, dB"));
            times(&mut out, (last, y), seconds);
        }
        for (index, curves) in shown.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let values = &curves.stems[stem.index()];
            curve(&mut out, (LEFT, y), SPECTRUM_DB, &values.spectrum_db, horizontal, color);
            curve(&mut out, (right, y), PHI, &values.phi, horizontal, color);
            let along = |time: f64| PANEL_WIDTH * time / seconds;
            curve(&mut out, (last, y), REDUCTION_DB, &values.reduction_db, along, color);
        }
    }
    out + "</svg>\n"
}

fn panel(out: &mut String, at: (f64, f64), range: (f64, f64), step: f64, title: &str) {
    let (left, top) = at;
    text(out, (left, top - 6.0), "start", title);
    let mut value = range.0;
    while value <= range.1 + 1e-9 {
        let y = top + vertical(value, range);
        line(out, (left, y), (left + PANEL_WIDTH, y), "#dddddd", 1.0);
        text(out, (left - 6.0, y + 4.0), "end", &format!("{value}"));
        value += step;
    }
}

/// The scale below a panel over frequency.
fn frequencies(out: &mut String, (left, top): (f64, f64)) {
    for (hz, label) in TICKS_HZ {
        let x = left + horizontal(hz);
        line(out, (x, top), (x, top + PANEL_HEIGHT), "#dddddd", 1.0);
        text(out, (x, top + PANEL_HEIGHT + 14.0), "middle", label);
    }
}

/// The scale below a panel over time.
fn times(out: &mut String, (left, top): (f64, f64), seconds: f64) {
    for part in 0..=4 {
        let x = left + PANEL_WIDTH * f64::from(part) / 4.0;
        let label = format!("{:.0} s", seconds * f64::from(part) / 4.0);
        line(out, (x, top), (x, top + PANEL_HEIGHT), "#dddddd", 1.0);
        text(out, (x, top + PANEL_HEIGHT + 14.0), "middle", &label);
    }
}

fn curve(
    out: &mut String,
    at: (f64, f64),
    range: (f64, f64),
    points: &[[f64; 2]],
    along: impl Fn(f64) -> f64,
    color: &str,
) {
    if points.is_empty() {
        return;
    }
    let place = |[x, value]: &[f64; 2]| {
        format!("{:.1},{:.1}", at.0 + along(*x), at.1 + vertical(value.clamp(range.0, range.1), range))
    };
    let points: Vec<String> = points.iter().map(place).collect();
    let points = points.join(" ");
    let _ = writeln!(
        out,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>"
    );
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), color: &str, width: f64) {
    let _ = writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{color}\" stroke-width=\"{width}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(out: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text>", at.0, at.1);
}

fn horizontal(hz: f64) -> f64 {
    PANEL_WIDTH * (hz / LOW_HZ).ln() / (HIGH_HZ / LOW_HZ).ln()
}

fn vertical(value: f64, range: (f64, f64)) -> f64 {
    PANEL_HEIGHT * (range.1 - value) / (range.1 - range.0)
}
