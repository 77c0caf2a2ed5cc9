//! Reports for programs: everything as JSON, and one row per song, mix and figure as CSV.

use std::fmt::Write;

use serde_json::json;

use super::catalog::{CATALOG, metric};
use super::song::{Settings, SongReport};
use super::summary::Summary;

/// Version of the JSON's layout.
const FORMAT: u32 = 1;

/// Everything that was found.
pub fn json(songs: &[SongReport], summary: &Summary, settings: &Settings<'_>) -> serde_json::Value {
    json!({
        "format": FORMAT,
        "version": env!("CARGO_PKG_VERSION"),
        "options": settings.options,
        "rate_hz": super::RATE_HZ,
        "comparison_lufs": super::COMPARISON_LUFS,
        "model": settings.models.first().map(|(name, _)| name),
        "metrics": &CATALOG[..],
        "summary": summary,
        "songs": songs,
    })
}

/// A table in long form, for spreadsheets and R.
pub fn csv(songs: &[SongReport]) -> String {
    let mut out = String::from("song,system,built_in,family,metric,unit,mix,reference,distance\n");
    for song in songs {
        for system in &song.systems {
            for figure in &system.figures {
                let Some(metric) = metric(figure.key) else { continue };
                let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.6}"));
                let family = serde_json::to_value(metric.family).unwrap_or_default();
                let _ = writeln!(
                    out,
                    "{},{},{},{},{},{},{},{},{}",
                    quoted(&song.name),
                    quoted(&system.name),
                    system.built_in,
                    family.as_str().unwrap_or_default(),
                    metric.key,
                    metric.unit,
                    number(figure.mix),
                    number(figure.reference),
                    number(figure.distance)
                );
            }
        }
    }
    out
}

/// A CSV field (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_with_commas_and_quotes_survive() {
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("plain"), "plain");
    }
}
