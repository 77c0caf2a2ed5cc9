//! What the songs prove together: per figure and system the mean distance with its interval, its rank, and whether it
//! differs from the system in question.

use serde::Serialize;

use super::catalog::{CATALOG, Metric};
use super::song::SongReport;
use crate::statistics::{bootstrap_interval, holm, mean, ranks, wilcoxon};

/// Resamplings of the bootstrap, its coverage and its seed: the same report from the same songs.
const RESAMPLES: usize = 10_000;
const CONFIDENCE: f64 = 0.95;
const SEED: u64 = 20_221;

/// All songs together.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The system the tests are about.
    pub focus: Option<String>,
    /// Names of all systems, in the order of reports.
    pub systems: Vec<String>,
    /// One entry a figure that any system has, in catalog order.
    pub figures: Vec<FigureSummary>,
    /// Rank of each system over the headline figures, averaged over figures and songs; aligned with `systems`.
    pub headline_ranks: Vec<Option<f64>>,
}

/// One figure over all songs.
#[derive(Debug, Clone, Serialize)]
pub struct FigureSummary {
    /// Which.
    pub key: &'static str,
    /// Aligned with [`Summary::systems`].
    pub systems: Vec<SystemSummary>,
}

/// One system in one figure.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SystemSummary {
    /// Songs that have the figure.
    pub songs: usize,
    /// Mean distance.
    pub mean: Option<f64>,
    /// Ends of its 95 % bootstrap interval; none with fewer than three songs.
    pub interval: Option<[f64; 2]>,
    /// Mean rank among the systems, 1 for the nearest to the human mix.
    pub rank: Option<f64>,
    /// Against the system in question.
    pub test: Option<Test>,
}

/// Wilcoxon's signed-rank test of this system's distances minus those of the system in question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Test {
    /// Songs in which both differ.
    pub pairs: usize,
    /// Two-sided probability.
    pub p: f64,
    /// The same after Holm's correction over all systems within this figure.
    pub p_holm: f64,
    /// Matched-pairs rank-biserial correlation: 1 when the system in question is nearer in every song.
    pub effect: f64,
}

impl Summary {
    /// Puts songs together; `focus` is the system the tests are about, if any song has it.
    pub fn of(songs: &[SongReport], focus: Option<&str>) -> Self {
        let mut systems: Vec<String> = Vec::new();
        for system in songs.iter().flat_map(|song| &song.systems) {
            if !systems.contains(&system.name) {
                systems.push(system.name.clone());
            }
        }
        let focus = focus.and_then(|focus| systems.iter().position(|name| name == focus));
        let tables: Vec<(&Metric, Distances)> =
            CATALOG_LIST.iter().map(|metric| (metric, distances(songs, &systems, metric.key))).collect();
        let figures = tables
            .iter()
            .filter(|(_, table)| table.iter().flatten().any(Option::is_some))
            .map(|(metric, table)| FigureSummary { key: metric.key, systems: summarize(table, focus) })
            .collect::<Vec<_>>();
        let headline: Vec<&FigureSummary> = figures
            .iter()
            .filter(|figure| super::catalog::headline().any(|metric| metric.key == figure.key))
            .collect();
        let headline_ranks = (0..systems.len())
            .map(|system| {
                let ranks: Vec<f64> =
                    headline.iter().filter_map(|figure| figure.systems[system].rank).collect();
                (!ranks.is_empty()).then(|| mean(&ranks))
            })
            .collect();
        Self { focus: focus.map(|focus| systems[focus].clone()), systems, figures, headline_ranks }
    }

    /// One figure.
    pub fn figure(&self, key: &str) -> Option<&FigureSummary> {
        self.figures.iter().find(|figure| figure.key == key)
    }
}

static CATALOG_LIST: &[Metric] = &CATALOG;

/// Distances by system, then song.
type Distances = Vec<Vec<Option<f64>>>;

fn distances(songs: &[SongReport], systems: &[String], key: &str) -> Distances {
    let of = |song: &SongReport, name: &str| {
        song.systems.iter().find(|system| system.name == *name)?.distance(key)
    };
    systems.iter().map(|name| songs.iter().map(|song| of(song, name)).collect()).collect()
}

fn summarize(table: &Distances, focus: Option<usize>) -> Vec<SystemSummary> {
    let ranks = mean_ranks(table);
    let mut summaries: Vec<SystemSummary> = table
        .iter()
        .zip(ranks)
        .map(|(row, rank)| {
            let values: Vec<f64> = row.iter().flatten().copied().collect();
            let interval = (values.len() > 2)
                .then(|| bootstrap_interval(&values, mean, CONFIDENCE, RESAMPLES, SEED))
                .flatten();
            SystemSummary {
                songs: values.len(),
                mean: (!values.is_empty()).then(|| mean(&values)),
                interval: interval.map(|interval| [interval.low, interval.high]),
                rank,
                test: None,
            }
        })
        .collect();
    if let Some(focus) = focus {
        let tests = tests(table, focus);
        summaries.iter_mut().zip(tests).for_each(|(summary, test)| summary.test = test);
    }
    summaries
}

/// Ranks among the systems that have the figure, song by song, averaged over songs.
fn mean_ranks(table: &Distances) -> Vec<Option<f64>> {
    let songs = table.first().map_or(0, Vec::len);
    let mut collected: Vec<Vec<f64>> = vec![Vec::new(); table.len()];
    for song in 0..songs {
        let present: Vec<(usize, f64)> =
            table.iter().enumerate().filter_map(|(system, row)| Some((system, row[song]?))).collect();
        let ranked = ranks(&present.iter().map(|&(_, distance)| distance).collect::<Vec<_>>());
        present.iter().zip(ranked).for_each(|(&(system, _), rank)| collected[system].push(rank));
    }
    collected.iter().map(|ranks| (!ranks.is_empty()).then(|| mean(ranks))).collect()
}

/// Every other system against the one in question, corrected together.
fn tests(table: &Distances, focus: usize) -> Vec<Option<Test>> {
    let raw: Vec<_> = table
        .iter()
        .enumerate()
        .map(|(system, row)| {
            if system == focus {
                return None;
            }
            let pairs = row.iter().zip(&table[focus]);
            wilcoxon(&pairs.filter_map(|(other, own)| Some((*other)? - (*own)?)).collect::<Vec<_>>())
        })
        .collect();
    let corrected = holm(&raw.iter().flatten().map(|test| test.p).collect::<Vec<_>>());
    let mut corrected = corrected.into_iter();
    raw.into_iter()
        .map(|test| {
            let test = test?;
            Some(Test { pairs: test.pairs, p: test.p, p_holm: corrected.next()?, effect: test.rank_biserial })
        })
        .collect()
}
