//! Pictures of the report, as inline SVG that takes its colors from the page: distributions of ratings, and power.
//!
//! A row per system: the violin shows the density of the observations, the box their quartiles, the dots the observations
//! themselves, the diamond the mean with its interval. Few listeners are thus seen to be few.

use std::fmt::Write;

use crate::statistics::{Random, quantile};

use super::analysis::{Attribute, Detectable, System};
use crate::markup::escape;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 24.0;
const ROW: f64 = 64.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;
/// Half the height of a violin at its widest.
const VIOLIN: f64 = 25.0;
const BOX: f64 = 5.0;
const DOT_SPREAD: f64 = 13.0;
const DENSITY_POINTS: usize = 101;
/// Characters of a name that fit beside a row.
const LABEL_CHARS: usize = 22;

/// The distributions of one attribute.
pub fn distributions(attribute: &Attribute) -> String {
    let height = TOP + ROW * attribute.systems.len() as f64 + BOTTOM;
    let mut out = svg(WIDTH, height, &format!("Ratings of {} by system", attribute.name));
    for tick in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let x = place(tick);
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{x:.1} {TOP} V{:.1}\"/>", height - BOTTOM);
        text(&mut out, (x, height - BOTTOM + 20.0), "middle", "tick", &format!("{tick}"));
    }
    for (row, system) in attribute.systems.iter().enumerate() {
        draw(&mut out, system, TOP + ROW * (row as f64 + 0.5), row as u64);
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, system: &System, y: f64, row: u64) {
    let name: String = system.name.chars().take(LABEL_CHARS).collect();
    let cut = if name.chars().count() < system.name.chars().count() { "…" } else { "" };
    text(out, (LEFT - 16.0, y + 5.0), "end", "name", &format!("{name}{cut}"));
    let _ = writeln!(out, "<path class=\"violin\" d=\"{}\"/>", violin(&system.values, y));
    let mut random = Random::new(row);
    for value in &system.values {
        let offset = DOT_SPREAD * (2.0 * random.unit() - 1.0);
        let _ = writeln!(
            out,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>",
            place(*value),
            y + offset
        );
    }
    let [low, median, high] = system.quartiles;
    let (from, to) = whiskers(&system.values, low, high);
    let _ = writeln!(
        out,
        "<path class=\"whisker\" d=\"M{:.1} {y:.1} H{:.1}\"/>\
         <rect class=\"box\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>\
         <path class=\"median\" d=\"M{:.1} {:.1} V{:.1}\"/>",
        place(from),
        place(to),
        place(low),
        y - BOX,
        (place(high) - place(low)).max(1.0),
        2.0 * BOX,
        place(median),
        y - 2.0 * BOX,
        y + 2.0 * BOX,
    );
    let (x, mean_y) = (place(system.mean), y + VIOLIN - 1.0);
    if let Some(interval) = system.interval {
        let _ = writeln!(
            out,
            "<path class=\"mean\" d=\"M{:.1} {mean_y:.1} H{:.1}\"/>",
            place(interval.low),
            place(interval.high)
        );
    }
    let _ = writeln!(
        out,
        "<path class=\"diamond\" d=\"M{:.1} {mean_y:.1} l5 -5 l5 5 l-5 5 z\"><title>mean {:.1}</title></path>",
        x - 5.0,
        system.mean
    );
}

/// Most distant observations within 1.5 interquartile ranges of the box (Tukey 1977).
fn whiskers(values: &[f64], low: f64, high: f64) -> (f64, f64) {
    let reach = 1.5 * (high - low);
    let inside = values.iter().copied().filter(|value| (low - reach..=high + reach).contains(value));
    inside.fold((low, high), |(from, to), value| (from.min(value), to.max(value)))
}

/// The outline of a Gaussian kernel density with Silverman's bandwidth, cut at the ends of the scale.
fn violin(values: &[f64], y: f64) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    let range = (quantile(values, 0.75) - quantile(values, 0.25)) / 1.34;
    let spread = if range > 0.0 { deviation.min(range) } else { deviation };
    // Equal ratings would give a needle; two points of the scale are what a hand can place.
    let bandwidth = (0.9 * spread * count.powf(-0.2)).max(2.0);
    let density =
        |at: f64| values.iter().map(|value| (-0.5 * ((at - value) / bandwidth).powi(2)).exp()).sum::<f64>();
    let at = |point: usize| 100.0 * point as f64 / (DENSITY_POINTS - 1) as f64;
    let densities: Vec<f64> = (0..DENSITY_POINTS).map(|point| density(at(point))).collect();
    let largest = densities.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let side = |sign: f64, point: usize| {
        format!("{:.1} {:.1}", place(at(point)), y + sign * VIOLIN * densities[point] / largest)
    };
    // Where the density is a thousandth of the peak there is nothing to see.
    let seen: Vec<usize> = (0..DENSITY_POINTS).filter(|point| densities[*point] > 1e-3 * largest).collect();
    let upper = seen.iter().map(|point| side(-1.0, *point));
    let lower = seen.iter().rev().map(|point| side(1.0, *point));
    format!("M{} Z", upper.chain(lower).collect::<Vec<_>>().join(" L"))
}

/// The detectable difference over the number of listeners.
pub fn power(points: &[Detectable], included: usize) -> String {
    const HEIGHT: f64 = 220.0;
    const AXIS: f64 = HEIGHT - 36.0;
    let found: Vec<(f64, f64)> =
        points.iter().filter_map(|one| Some((one.listeners as f64, one.difference?))).collect();
    let largest = found.iter().map(|(_, difference)| *difference).fold(10.0, f64::max);
    let most = points.iter().map(|one| one.listeners).max().unwrap_or(1) as f64;
    let x = |listeners: f64| LEFT + (WIDTH - LEFT - RIGHT) * listeners / most;
    let y = |difference: f64| AXIS - (AXIS - TOP) * difference / largest;
    let mut out = svg(WIDTH, HEIGHT, "Smallest detectable difference by number of listeners");
    let _ = writeln!(out, "<path class=\"grid\" d=\"M{:.1} {AXIS} H{:.1}\"/>", x(0.0), x(most));
    for one in points {
        text(&mut out, (x(one.listeners as f64), AXIS + 20.0), "middle", "tick", &one.listeners.to_string());
    }
    text(&mut out, (LEFT - 16.0, TOP + 10.0), "end", "name", "detectable");
    text(&mut out, (LEFT - 16.0, TOP + 28.0), "end", "name", "difference");
    text(&mut out, (LEFT - 16.0, AXIS + 20.0), "end", "name", "listeners");
    if included > 0 && (included as f64) <= most {
        let at = x(included as f64);
        let _ = writeln!(
            out,
            "<path class=\"now\" d=\"M{at:.1} {TOP} V{AXIS}\"><title>now: {included}</title></path>"
        );
    }
    let line: Vec<String> = found.iter().map(|(n, d)| format!("{:.1} {:.1}", x(*n), y(*d))).collect();
    if !line.is_empty() {
        let _ = writeln!(out, "<path class=\"curve\" d=\"M{}\"/>", line.join(" L"));
    }
    for (listeners, difference) in found {
        let (x, y) = (x(listeners), y(difference));
        let _ = writeln!(out, "<circle class=\"point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
        text(&mut out, (x, y - 10.0), "middle", "value", &format!("{difference:.0}"));
    }
    out + "</svg>\n"
}

fn svg(width: f64, height: f64, label: &str) -> String {
    format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n", escape(label))
}

fn place(value: f64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * value.clamp(0.0, 100.0) / 100.0
}

fn text(out: &mut String, at: (f64, f64), anchor: &str, class: &str, text: &str) {
    let text = escape(text);
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text>",
        at.0, at.1
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whiskers_leave_outliers_alone() {
        assert_eq!(whiskers(&[1.0, 40.0, 50.0, 60.0, 72.0, 99.0], 42.5, 69.0), (40.0, 99.0));
        assert_eq!(whiskers(&[1.0, 48.0, 50.0, 52.0, 99.0], 48.0, 52.0), (48.0, 52.0));
    }

    #[test]
    fn a_violin_is_widest_where_the_ratings_are() {
        let path = violin(&[50.0, 50.0, 50.0, 51.0], 0.0);
        let widest = format!("{:.1} {:.1}", place(50.0), -VIOLIN);
        assert!(path.contains(&widest) && !path.contains("NaN"), "{path}");
        assert!(violin(&[0.0, 100.0], 10.0).starts_with(&format!("M{:.1}", place(0.0))));
    }
}
