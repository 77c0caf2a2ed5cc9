//! The report as one HTML file: tables, pictures and players, with nothing to fetch from anywhere.
//!
//! Styles, script and audio are inside; a policy in the head forbids the browser to load anything else.

use std::fmt::Write;

use super::catalog::{self, Family, Figure, Metric};
use super::chart::{Axis, Line, Row, curves, ranking};
use super::excerpt::Excerpt;
use super::song::{Curves, SongReport, SystemReport};
use super::summary::{FigureSummary, Summary};
use crate::markup::escape;
use base64::prelude::{BASE64_STANDARD, Engine as _};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");
/// More audio than this is not embedded, in bytes: browsers and mail get slow.
pub const MOST_AUDIO_BYTES: usize = 48 << 20;
/// Numbers of colors; further mixes share the last.
const COLORS: usize = 10;

/// The whole page.
pub fn html(songs: &[SongReport], summary: &Summary) -> String {
    let mut out = head(songs, summary);
    verdict(&mut out, songs, summary);
    let several = songs.len() > 1;
    if several {
        all_figures(&mut out, summary);
    }
    out += "<h2>Song by song</h2>\n";
    for (index, song) in songs.iter().enumerate() {
        let open = if index == 0 { " open" } else { "" };
        let _ = writeln!(out, "<details{open}><summary>{}</summary>", escape(&song.name));
        pictures(&mut out, song, summary);
        players(&mut out, song, summary);
        alignment(&mut out, song);
        figures_of(&mut out, song);
        out += "</details>\n";
    }
    let _ = writeln!(
        out,
        "<footer><p>Made by <code>tributary evaluate</code> {}. Every figure is defined in <code>docs/evaluation.md</code>.\
         </p></footer></main><script>{SCRIPT}</script></body></html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

/// Number of a mix's color; 0 is the human mix.
fn color(summary: &Summary, name: &str) -> usize {
    summary.systems.iter().position(|system| system == name).map_or(COLORS, |index| (index + 1).min(COLORS))
}

fn head(songs: &[SongReport], summary: &Summary) -> String {
    let what = match songs {
        [song] => format!("{} – {:.0} s in common", escape(&song.name), song.duration_s),
        songs => format!(
            "{} songs, {:.0} s in common",
            songs.len(),
            songs.iter().map(|song| song.duration_s).sum::<f64>()
        ),
    };
    let mut lines = String::new();
    for color in 0..=COLORS {
        let _ = write!(
            lines,
            "svg .line.s{color}{{stroke:var(--s{color})}}svg .bar.s{color}{{fill:var(--s{color})}}"
        );
    }
    let built_in = |name: &str| {
        songs.iter().flat_map(|song| &song.systems).any(|system| system.built_in && system.name == name)
    };
    let mut legend = button("human mix", 0, false);
    for name in &summary.systems {
        let color = color(summary, name);
        if built_in(name) {
            let _ = write!(lines, "svg .line.s{color}{{stroke-dasharray:5 3}}");
        }
        legend += &button(name, color, built_in(name));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; media-src data:\"><title>How close to the human mix?</title>\
         <style>{STYLE}{lines}</style></head><body><main><h1>How close to the human mix?</h1>\
         <p class=\"soft\">{what}. All mixes at {} LUFS, aligned with the human mix. Lower is closer.</p>\
         <nav class=\"legend\" aria-label=\"Mixes shown in the pictures\">{legend}</nav>\n",
        super::COMPARISON_LUFS
    )
}

fn button(name: &str, color: usize, built_in: bool) -> String {
    let made = if built_in { " made" } else { "" };
    format!(
        "<button type=\"button\" aria-pressed=\"true\" data-system=\"s{color}\"><span class=\"swatch{made}\" \
         style=\"border-color:var(--s{color})\"></span>{}</button>",
        escape(name)
    )
}

/// The verdict's columns as a table and as pictures.
fn verdict(out: &mut String, songs: &[SongReport], summary: &Summary) {
    let metrics: Vec<&Metric> = catalog::headline().collect();
    let several = songs.len() > 1;
    *out += "<h2>Verdict</h2>\n<p>Tone: third octaves of the middle. Side: third octaves of side over mid. Width: side over mid, \
             whole. Dynamics: peaks over short-term loudness. Panning: how far the spectral panning is off, 1 for a mono mix. \
             Spectral: seven shapes of the spectrum, as published. STFT: short-time spectra of middle and side, 1 for \
             silence.</p>\n";
    *out += "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Mix</th>";
    metrics.iter().for_each(|metric| {
        let _ = write!(out, "<th scope=\"col\">{}</th>", titled(metric));
    });
    *out += "<th scope=\"col\">Mean rank</th></tr></thead><tbody>\n";
    for (index, name) in summary.systems.iter().enumerate() {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(name));
        for metric in &metrics {
            *out += &summary
                .figure(metric.key)
                .map_or("<td></td>".into(), |figure| mean_cell(metric, figure, index));
        }
        let rank = summary.headline_ranks[index].map_or(String::new(), |rank| format!("{rank:.1}"));
        let _ = writeln!(out, "<td>{rank}</td></tr>");
    }
    *out += "</tbody></table></div>\n";
    if several {
        tests_note(out, summary);
    }
    *out += "<div class=\"grid-of-figures\">\n";
    for metric in metrics {
        if let Some(figure) = summary.figure(metric.key) {
            *out += &ranking_of(metric, figure, songs, summary);
        }
    }
    *out += "</div>\n";
}

fn tests_note(out: &mut String, summary: &Summary) {
    if let Some(focus) = &summary.focus {
        let _ = writeln!(
            out,
            "<p class=\"soft\">Small brackets: 95 % bootstrap interval of the mean. * differs from {} by Wilcoxon's signed-rank \
             test with Holm's correction, p &lt; 0.05.</p>",
            escape(focus)
        );
    }
}

/// Title with the unit, safe for HTML.
fn titled(metric: &Metric) -> String {
    match metric.unit {
        "" => escape(metric.title),
        unit => format!("{}, {}", escape(metric.title), escape(unit)),
    }
}

/// Mean, interval and star; the lowest mean of the row stands out.
fn mean_cell(metric: &Metric, figure: &FigureSummary, index: usize) -> String {
    let found = &figure.systems[index];
    let Some(mean) = found.mean else { return "<td>–</td>".into() };
    let lowest = figure.systems.iter().filter_map(|system| system.mean).fold(f64::INFINITY, f64::min);
    let decimals = metric.decimals;
    let class = if mean <= lowest { " class=\"best\"" } else { "" };
    let star = if found.test.is_some_and(|test| test.p_holm < 0.05) { "*" } else { "" };
    let interval = found
        .interval
        .map_or(String::new(), |[low, high]| format!("<small>[{low:.decimals$}, {high:.decimals$}]</small>"));
    format!("<td{class}>{mean:.decimals$}{star}{interval}</td>")
}

fn ranking_of(metric: &Metric, figure: &FigureSummary, songs: &[SongReport], summary: &Summary) -> String {
    let mut rows: Vec<Row<'_>> = summary
        .systems
        .iter()
        .zip(&figure.systems)
        .filter_map(|(name, found)| {
            let mean = found.mean?;
            let values = songs.iter().flat_map(|song| &song.systems).filter(|system| system.name == *name);
            Some(Row {
                name,
                system: color(summary, name),
                values: values.filter_map(|system| system.distance(metric.key)).collect(),
                mean,
                interval: found.interval,
                label: format!("{mean:.*}", metric.decimals),
            })
        })
        .collect();
    rows.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    let order: Vec<String> = rows.iter().map(|row| format!("{} {}", row.name, row.label)).collect();
    ranking(metric.title, &format!("From the nearest: {}", order.join(", ")), metric.unit, &rows)
}

/// Every figure of every system, over all songs.
fn all_figures(out: &mut String, summary: &Summary) {
    *out += "<details><summary>All figures over all songs</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Mean \
             distance</th>";
    summary.systems.iter().for_each(|name| {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(name));
    });
    *out += "</tr></thead><tbody>\n";
    each_family(out, summary.systems.len(), |out, metric| {
        if let Some(figure) = summary.figure(metric.key) {
            let _ = write!(out, "<tr><th scope=\"row\">{}</th>", titled(metric));
            (0..summary.systems.len()).for_each(|index| *out += &mean_cell(metric, figure, index));
            *out += "</tr>\n";
        }
    });
    *out += "</tbody></table></div></details>\n";
}

fn each_family(out: &mut String, systems: usize, row: impl Fn(&mut String, &'static Metric)) {
    for family in Family::ALL {
        let mut rows = String::new();
        catalog::of_family(family).for_each(|metric| row(&mut rows, metric));
        if !rows.is_empty() {
            let _ = writeln!(
                out,
                "<tr class=\"family\"><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>",
                systems + 1,
                family.title()
            );
            *out += &rows;
        }
    }
}

/// Spectra, panning, loudness over time.
fn pictures(out: &mut String, song: &SongReport, summary: &Summary) {
    let lines = |part: fn(&Curves) -> &Vec<[f64; 2]>| -> Vec<Line<'_>> {
        let human = Line { name: "human mix", system: 0, points: part(&song.reference) };
        let mixes = song.systems.iter().map(|system| Line {
            name: &system.name,
            system: color(summary, &system.name),
            points: part(&system.curves),
        });
        std::iter::once(human).chain(mixes).collect()
    };
    let values = |lines: &[Line<'_>]| -> Vec<f64> {
        lines.iter().flat_map(|line| line.points).map(|point| point[1]).collect()
    };
    *out += "<div class=\"grid-of-figures\">\n";
    for (title, read_out, part) in [
        (
            "Tone of the middle, dB per third octave",
            "Long-term spectrum",
            (|c| &c.mid_db) as fn(&Curves) -> &Vec<[f64; 2]>,
        ),
        ("Side over middle, dB per third octave", "Long-term width", |c| &c.side_db),
        ("Panning: distance from the center", "0 is centered, 1 is hard to one side", |c| &c.panning),
    ] {
        let lines = lines(part);
        let up = Axis::around("", values(&lines).into_iter());
        *out += &curves(title, read_out, Axis::frequency(), up, &lines);
    }
    let lines = lines(|c| &c.loudness_lufs);
    let up = Axis::around("", values(&lines).into_iter().filter(|lufs| *lufs > -50.0));
    let across = Axis { title: "s", range: (0.0, song.duration_s.max(1.0)), logarithmic: false };
    *out += &curves(
        "Short-term loudness, LUFS",
        "Over time, all mixes at one integrated loudness",
        across,
        up,
        &lines,
    );
    *out += "</div>\n";
}

/// One player a mix; the page's script lets them take over from each other.
fn players(out: &mut String, song: &SongReport, summary: &Summary) {
    let Some(human) = &song.excerpt else { return };
    *out += "<h3>Listen</h3><p class=\"soft\">The loudest stretch at one loudness. A player takes over where another one was.</p>\
             <div class=\"players\">\n";
    let mut player = |name: &str, color: usize, excerpt: &Excerpt| {
        let _ = writeln!(
            out,
            "<div class=\"player\"><span class=\"name\"><span class=\"swatch\" style=\"border-color:var(--s{color})\"></span> {}</span>\
             <audio controls preload=\"metadata\" aria-label=\"{}\" src=\"data:audio/flac;base64,{}\"></audio></div>",
            escape(name),
            escape(name),
            BASE64_STANDARD.encode(&excerpt.flac)
        );
    };
    player("human mix", 0, human);
    for system in &song.systems {
        if let Some(excerpt) = &system.excerpt {
            player(&system.name, color(summary, &system.name), excerpt);
        }
    }
    *out += "</div>\n";
}

fn alignment(out: &mut String, song: &SongReport) {
    *out += "<h3>Alignment and level</h3><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Mix</th><th scope=\"col\">Later by, \
             samples</th><th scope=\"col\">Polarity</th><th scope=\"col\">LUFS</th><th scope=\"col\">dBTP</th><th scope=\"col\">LRA, \
             LU</th></tr></thead><tbody>\n";
    for system in &song.systems {
        let (lag, polarity) = match system.built_in {
            true => ("made here".into(), ""),
            false => (
                system.alignment.lag_frames.to_string(),
                if system.alignment.inverted { "inverted" } else { "same" },
            ),
        };
        let level = |key: &str| {
            value(system, key)
                .and_then(|figure| figure.mix)
                .map_or("–".into(), |level| format!("{level:.1}"))
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{lag}</td><td>{polarity}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&system.name),
            level("integrated_lufs"),
            level("true_peak_dbtp"),
            level("range_lu")
        );
    }
    *out += "</tbody></table></div>\n";
    if !song.notes.is_empty() {
        *out += "<ul class=\"notes\">";
        song.notes.iter().for_each(|note| {
            let _ = write!(out, "<li>{}</li>", escape(note));
        });
        *out += "</ul>\n";
    }
}

fn value<'a>(system: &'a SystemReport, key: &str) -> Option<&'a Figure> {
    system.figures.iter().find(|figure| figure.key == key)
}

/// Every figure of one song: the distance, and the mix's own value where it has one.
fn figures_of(out: &mut String, song: &SongReport) {
    *out += "<details><summary>All figures of this song</summary><p class=\"soft\">Distance to the human mix; small: the mix's own \
             value.</p><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Figure</th><th scope=\"col\">Human mix</th>";
    song.systems.iter().for_each(|system| {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(&system.name));
    });
    *out += "</tr></thead><tbody>\n";
    each_family(out, song.systems.len() + 1, |out, metric| {
        let figures: Vec<Option<&Figure>> =
            song.systems.iter().map(|system| value(system, metric.key)).collect();
        let Some(first) = figures.iter().flatten().next() else { return };
        let decimals = metric.decimals;
        let lowest =
            figures.iter().flatten().filter_map(|figure| figure.distance).fold(f64::INFINITY, f64::min);
        let human = first.reference.map_or(String::new(), |value| format!("{value:.decimals$}"));
        let _ = write!(out, "<tr><th scope=\"row\">{}</th><td>{human}</td>", titled(metric));
        for figure in figures {
            let Some(distance) = figure.and_then(|figure| figure.distance) else {
                *out += "<td>–</td>";
                continue;
            };
            let class = if distance <= lowest { " class=\"best\"" } else { "" };
            let own = figure
                .and_then(|figure| figure.mix)
                .map_or(String::new(), |value| format!("<small>{value:.decimals$}</small>"));
            let _ = write!(out, "<td{class}>{distance:.decimals$}{own}</td>");
        }
        *out += "</tr>\n";
    });
    *out += "</tbody></table></div></details>\n";
}
