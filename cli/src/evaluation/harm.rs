//! Do no harm: a model's mix must not be farther from the human mix than what it was given, nor than the simplest mix
//! there is, in any column of the verdict.

use super::baselines::Baseline;
use super::catalog;
use super::summary::Summary;

/// A mean distance that is larger by no more than this counts as no larger.
pub const TOLERANCE: f64 = 0.03;

/// What a model's mix is held to.
pub const HELD_TO: [Baseline; 2] = [Baseline::NormalizedSum, Baseline::EqualLoudness];

/// A column of the verdict in which one mix is farther from the human mix than another.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Farther {
    /// The figure.
    pub key: &'static str,
    /// Than which mix.
    pub than: String,
    /// Both mean distances: the mix's own and the other's.
    pub distances: [f64; 2],
}

impl Farther {
    /// For people: which column, and by how much.
    pub fn sentence(&self) -> String {
        let [own, other] = self.distances;
        let title = catalog::metric(self.key).map_or(self.key, |metric| metric.title);
        format!("{title} {own:.3} against {other:.3} ({:+.0} %)", 100.0 * (own / other - 1.0))
    }
}

/// The columns in which `system` is farther than `than` by more than [`TOLERANCE`]; none when either was not judged.
pub fn farther(summary: &Summary, system: &str, than: &str) -> Vec<Farther> {
    let index = |name: &str| summary.systems.iter().position(|other| other == name);
    let (Some(own), Some(other)) = (index(system), index(than)) else { return Vec::new() };
    catalog::headline()
        .filter_map(|metric| {
            let systems = &summary.figure(metric.key)?.systems;
            let distances = [systems[own].mean?, systems[other].mean?];
            let is_farther = distances[0] > distances[1] * (1.0 + TOLERANCE);
            is_farther.then(|| Farther { key: metric.key, than: than.to_owned(), distances })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::summary::{FigureSummary, SystemSummary};

    #[test]
    fn only_what_is_clearly_farther_counts() {
        let column = |key, means: [Option<f64>; 2]| FigureSummary {
            key,
            systems: means.map(|mean| SystemSummary { mean, ..SystemSummary::default() }).into(),
        };
        let summary = Summary {
            focus: None,
            systems: vec!["model".into(), "sum".into()],
            figures: vec![
                column("tone_db", [Some(1.02), Some(1.0)]),
                column("side_db", [Some(1.04), Some(1.0)]),
                column("panning_error", [None, Some(1.0)]),
                column("tone_low_db", [Some(9.0), Some(1.0)]),
            ],
            headline_ranks: vec![None, None],
        };
        let found = farther(&summary, "model", "sum");
        assert_eq!(found.iter().map(|one| one.key).collect::<Vec<_>>(), ["side_db"]);
        assert_eq!(found[0].sentence(), "Side 1.040 against 1.000 (+4 %)");
        assert!(
            farther(&summary, "sum", "model").is_empty() && farther(&summary, "model", "absent").is_empty()
        );
    }
}
