//! What the ratings say: per attribute the systems' distributions, the tests between them, and what more listeners would find.
//!
//! The unit is the listener: a listener's ratings of one system on several songs are not independent, so they are averaged
//! before anything is tested. `Unit::Rating` tests every rating on its own, as part of the literature does.

use std::collections::BTreeMap;

use crate::statistics::{
    Interval, KruskalWallis, Wilcoxon, bootstrap_interval, detectable_difference, holm, kruskal_wallis, mean,
    quantile, wilcoxon,
};
use serde::Serialize;

use super::key::Named;
use super::results::{Answers, Page, Rejected, Results};
use super::screening::{Screened, screen};

/// What counts as one observation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A listener's mean over songs
    #[default]
    Listener,
    /// Every rating on its own
    Rating,
}

/// How results are analyzed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Settings {
    /// What counts as one observation.
    pub unit: Unit,
    /// Level of significance of each attribute's family of comparisons.
    pub level: f64,
    /// Below this a listener is left out; the test's own limit when absent.
    pub minimum_reliability: Option<f64>,
    /// Keep listeners who did not rate everything.
    pub keep_incomplete: bool,
}

const CONFIDENCE: f64 = 0.95;
const RESAMPLES: usize = 2000;
const SEED: u64 = 20_220_101;
/// Numbers of listeners whose power is estimated.
const LISTENERS: [usize; 7] = [6, 8, 10, 15, 20, 30, 50];
/// The usual power to plan a test for.
const POWER: f64 = 0.8;
/// The scale's length.
const SCALE: f64 = 100.0;
/// Characters of a remark that are shown.
const REMARK_CHARS: usize = 2000;

/// Everything a report says.
#[derive(Debug, Serialize)]
pub struct Analysis {
    /// The test's title.
    pub title: String,
    /// The test's identity.
    pub test: String,
    /// How it was analyzed.
    pub settings: Settings,
    /// The limit that applied.
    pub minimum_reliability: f64,
    /// Files that could not be used.
    pub rejected: Vec<Rejected>,
    /// Everybody, with exclusions.
    pub listeners: Vec<Screened>,
    /// Answers to the questionnaire, by question: (answer, listeners who count).
    pub questionnaire: Vec<(String, Vec<(String, usize)>)>,
    /// What listeners who count wrote.
    pub remarks: Vec<Remark>,
    /// Results by attribute.
    pub attributes: Vec<Attribute>,
    /// Every rating, for export.
    #[serde(skip)]
    pub ratings: Vec<Rating>,
}

/// One rating with its names.
#[derive(Debug, Clone)]
pub struct Rating {
    /// Who.
    pub listener: String,
    /// Whether the listener counts.
    pub included: bool,
    /// What was rated.
    pub attribute: String,
    /// Of which song.
    pub song: String,
    /// Of which system.
    pub system: String,
    /// Whether the page was shown for the second time.
    pub repeat: bool,
    /// Which page it was in this listener's order, from 1.
    pub page: usize,
    /// Which handle it was on that page, from 1.
    pub handle: usize,
    /// 0..=100.
    pub rating: f64,
    /// How long it was heard.
    pub heard_s: f64,
}

/// A listener's own words.
#[derive(Debug, Clone, Serialize)]
pub struct Remark {
    /// Who.
    pub listener: String,
    /// On which page: song and attribute; none for the last word.
    pub page: Option<[String; 2]>,
    /// What mixes A, B, … of that page were.
    pub systems: Vec<String>,
    /// The words.
    pub text: String,
}

/// Results of one attribute.
#[derive(Debug, Serialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Systems, best median first.
    pub systems: Vec<System>,
    /// Whether the systems differ at all.
    pub kruskal_wallis: Option<KruskalWallis>,
    /// All pairs of systems.
    pub pairs: Vec<Pair>,
    /// What more or fewer listeners would detect.
    pub power: Vec<Detectable>,
}

/// One system's ratings.
#[derive(Debug, Serialize)]
pub struct System {
    /// Its name.
    pub name: String,
    /// Its observations.
    pub values: Vec<f64>,
    /// Mean.
    pub mean: f64,
    /// Bootstrap interval of the mean, 95 %.
    pub interval: Option<Interval>,
    /// Quartiles: 25 %, median, 75 %.
    pub quartiles: [f64; 3],
}

/// Two systems compared.
#[derive(Debug, Serialize)]
pub struct Pair {
    /// The one with the higher median.
    pub first: String,
    /// The other.
    pub second: String,
    /// Mean difference, in points of the scale.
    pub difference: f64,
    /// The test; none when there are no differences.
    pub test: Option<Wilcoxon>,
    /// Its probability after Holm's correction over the attribute's pairs.
    pub p_holm: f64,
}

/// What so many listeners would detect.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Detectable {
    /// Listeners who count.
    pub listeners: usize,
    /// Smallest difference found with a probability of 80 %; none when no difference is.
    pub difference: Option<f64>,
}

impl Analysis {
    /// Analyzes results.
    pub fn of(results: Results, settings: Settings) -> Self {
        let minimum_reliability = settings.minimum_reliability.unwrap_or(results.key.minimum_reliability);
        let listeners = screen(&results, minimum_reliability, settings.keep_incomplete);
        let ratings = ratings(&results, &listeners);
        let names = results.key.attributes.iter().map(|attribute| attribute.name.clone());
        let attributes =
            names.map(|name| attribute(name, &ratings, &results.key.systems(), settings)).collect();
        Self {
            questionnaire: questionnaire(&results, &listeners),
            remarks: remarks(&results, &listeners),
            title: results.key.title,
            test: results.test,
            settings,
            minimum_reliability,
            rejected: results.rejected,
            listeners,
            attributes,
            ratings,
        }
    }

    /// Listeners whose ratings count.
    pub fn included(&self) -> usize {
        self.listeners.iter().filter(|listener| listener.excluded.is_none()).count()
    }
}

/// The name behind an identifier, which has been checked to be known.
fn name(list: &[Named], id: &str) -> String {
    list.iter().find(|named| named.id == id).map(|named| named.name.clone()).unwrap_or_default()
}

fn remarks(results: &Results, listeners: &[Screened]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for (answers, _) in results.listeners.iter().zip(listeners).filter(|(_, one)| one.excluded.is_none()) {
        let mut add = |page, systems, text: &str| {
            let text: String = text.trim().chars().take(REMARK_CHARS).collect();
            if !text.is_empty() {
                remarks.push(Remark { listener: answers.listener.clone(), page, systems, text });
            }
        };
        for page in &answers.pages {
            let Some(song) = results.key.songs.iter().find(|song| song.id == page.song) else { continue };
            let place = [song.name.clone(), name(&results.key.attributes, &page.attribute)];
            let systems = page.order.iter().map(|mix| name(&song.mixes, mix)).collect();
            add(Some(place), systems, &page.comment);
        }
        add(None, Vec::new(), &answers.comment);
    }
    remarks
}

fn ratings(results: &Results, listeners: &[Screened]) -> Vec<Rating> {
    let of_page = |answers: &Answers, included: bool, number: usize, page: &Page| -> Vec<Rating> {
        let Some(song) = results.key.songs.iter().find(|song| song.id == page.song) else {
            return Vec::new();
        };
        let of_mix = |(handle, mix): (usize, &String)| {
            Some(Rating {
                listener: answers.listener.clone(),
                included,
                attribute: name(&results.key.attributes, &page.attribute),
                song: song.name.clone(),
                system: name(&song.mixes, mix),
                repeat: page.repeat,
                page: number + 1,
                handle: handle + 1,
                rating: *page.ratings.get(mix)?,
                heard_s: page.heard_s.get(mix).copied().unwrap_or(0.0),
            })
        };
        page.order.iter().enumerate().filter_map(of_mix).collect()
    };
    let mut all = Vec::new();
    for (answers, screened) in results.listeners.iter().zip(listeners) {
        for (number, page) in answers.pages.iter().enumerate() {
            all.extend(of_page(answers, screened.excluded.is_none(), number, page));
        }
    }
    all
}

/// Counts of answers among listeners who count; free text and numbers are counted as they stand.
fn questionnaire(results: &Results, listeners: &[Screened]) -> Vec<(String, Vec<(String, usize)>)> {
    let counted = |question: &Named| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (answers, _) in results.listeners.iter().zip(listeners).filter(|(_, one)| one.excluded.is_none())
        {
            let answer = match answers.questionnaire.get(&question.id) {
                Some(serde_json::Value::String(text)) if !text.is_empty() => text.chars().take(200).collect(),
                Some(serde_json::Value::Number(number)) => number.to_string(),
                _ => "no answer".to_owned(),
            };
            *counts.entry(answer).or_default() += 1;
        }
        (question.name.clone(), counts.into_iter().collect())
    };
    results.key.questions.iter().map(counted).collect()
}

/// Observations of one system by what pairs them with another's: the listener, or listener and song.
type Observations = BTreeMap<(String, String), f64>;

fn observations(ratings: &[Rating], attribute: &str, system: &str, unit: Unit) -> Observations {
    let mut values: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    let wanted = |rating: &&Rating| {
        rating.included && !rating.repeat && rating.attribute == attribute && rating.system == system
    };
    for rating in ratings.iter().filter(wanted) {
        let song = if unit == Unit::Rating { rating.song.clone() } else { String::new() };
        values.entry((rating.listener.clone(), song)).or_default().push(rating.rating);
    }
    values.into_iter().map(|(place, values)| (place, mean(&values))).collect()
}

fn attribute(name: String, ratings: &[Rating], systems: &[String], settings: Settings) -> Attribute {
    let of = |unit| -> Vec<(String, Observations)> {
        systems.iter().map(|system| (system.clone(), observations(ratings, &name, system, unit))).collect()
    };
    let mut observed = of(settings.unit);
    observed.retain(|(_, values)| !values.is_empty());
    let median = |values: &Observations| quantile(&values.values().copied().collect::<Vec<_>>(), 0.5);
    observed.sort_by(|a, b| median(&b.1).total_cmp(&median(&a.1)));
    let groups: Vec<Vec<f64>> =
        observed.iter().map(|(_, values)| values.values().copied().collect()).collect();
    let pairs = pairs(&observed);
    Attribute {
        kruskal_wallis: kruskal_wallis(&groups),
        systems: observed.iter().zip(groups).map(|((name, _), values)| system(name, values)).collect(),
        power: power(&of(Unit::Listener), settings.level),
        pairs,
        name,
    }
}

fn system(name: &str, values: Vec<f64>) -> System {
    System {
        name: name.into(),
        mean: mean(&values),
        interval: bootstrap_interval(&values, mean, CONFIDENCE, RESAMPLES, SEED),
        quartiles: [0.25, 0.5, 0.75].map(|fraction| quantile(&values, fraction)),
        values,
    }
}

/// Differences of two systems where both were rated.
fn differences(first: &Observations, second: &Observations) -> Vec<f64> {
    first.iter().filter_map(|(place, value)| Some(value - second.get(place)?)).collect()
}

fn pairs(observed: &[(String, Observations)]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (index, (first, of_first)) in observed.iter().enumerate() {
        for (second, of_second) in &observed[index + 1..] {
            let differences = differences(of_first, of_second);
            let test = wilcoxon(&differences);
            let difference = mean(&differences);
            pairs.push(Pair { first: first.clone(), second: second.clone(), difference, test, p_holm: 1.0 });
        }
    }
    let probabilities: Vec<f64> = pairs.iter().map(|pair| pair.test.map_or(1.0, |test| test.p)).collect();
    pairs.iter_mut().zip(holm(&probabilities)).for_each(|(pair, p)| pair.p_holm = p);
    pairs
}

/// Simulated with the scatter of the observed differences, at the level that Holm's first step asks for.
fn power(observed: &[(String, Observations)], level: f64) -> Vec<Detectable> {
    let mut residuals = Vec::new();
    let mut count = 0;
    for (index, (_, first)) in observed.iter().enumerate() {
        for (_, second) in &observed[index + 1..] {
            let differences = differences(first, second);
            let center = mean(&differences);
            residuals.extend(differences.iter().map(|difference| difference - center));
            count += 1;
        }
    }
    // Two listeners give no idea of the scatter.
    if count == 0 || residuals.len() < 3 * count {
        return Vec::new();
    }
    let first_step = level / count as f64;
    let detectable = |listeners| Detectable {
        listeners,
        difference: detectable_difference(&residuals, listeners, first_step, POWER, SCALE, SEED),
    };
    LISTENERS.into_iter().map(detectable).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::listening::results::tests::{key, result};
    use crate::statistics::Random;

    pub const SETTINGS: Settings =
        Settings { unit: Unit::Listener, level: 0.05, minimum_reliability: None, keep_incomplete: false };

    /// Twelve listeners who find "good" 15 points better than "fair" and "fair" 25 better than "bad" in clarity, and all
    /// alike in excitement, give or take a few points.
    pub fn results() -> Results {
        let listener = |number: usize| {
            let rate = |song: usize, attribute: usize, mix: usize, repeat: bool| {
                let seed = (((number * 8 + song) * 8 + attribute) * 8 + mix) * 2 + usize::from(repeat);
                let noise = 12.0 * (Random::new(seed as u64).unit() - 0.5);
                let level = if attribute == 0 { [75.0, 60.0, 35.0][mix] } else { 50.0 };
                level + noise
            };
            serde_json::from_value(result(&format!("{number:04x}"), rate)).expect("valid")
        };
        Results {
            test: "abc123".into(),
            key: key(),
            listeners: (0..12).map(listener).collect(),
            rejected: vec![Rejected { file: "x<y>.json".into(), reason: "is not a result".into() }],
        }
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else() {
        let settings = Settings { minimum_reliability: Some(-5.0), ..SETTINGS };
        let analysis = Analysis::of(results(), settings);
        assert_eq!((analysis.included(), analysis.ratings.len()), (12, 12 * 5 * 3));
        let clarity = &analysis.attributes[0];
        let order: Vec<&str> = clarity.systems.iter().map(|system| system.name.as_str()).collect();
        assert_eq!(order, ["good", "fair", "bad"]);
        assert!(clarity.kruskal_wallis.expect("differs").p < 1e-5);
        for (pair, expected) in clarity.pairs.iter().zip([15.0, 40.0, 25.0]) {
            assert!((pair.difference - expected).abs() < 3.0, "{pair:?}");
            // Twelve pairs of one sign: 2 / 2¹², times three comparisons for Holm's first step.
            assert!(pair.p_holm <= 3.0 * 2.0 / 4096.0 + 1e-12, "{pair:?}");
        }
        let interval = clarity.systems[0].interval.expect("values");
        assert!(interval.low < 75.0 && 75.0 < interval.high && interval.high - interval.low < 6.0);
        let excitement = &analysis.attributes[1];
        assert!(excitement.kruskal_wallis.expect("ranks").p > 0.05);
        assert!(excitement.pairs.iter().all(|pair| pair.p_holm > 0.05));
    }

    #[test]
    fn more_listeners_detect_less() {
        let analysis = Analysis::of(results(), Settings { minimum_reliability: Some(-5.0), ..SETTINGS });
        let power = &analysis.attributes[0].power;
        // 2 / 2⁶ = 0.031 cannot pass 0.05 / 3.
        assert_eq!((power[0].listeners, power[0].difference), (6, None));
        let differences: Vec<f64> = power[1..].iter().map(|one| one.difference.expect("found")).collect();
        assert!(differences.windows(2).all(|pair| pair[1] <= pair[0] + 0.5), "{differences:?}");
        assert!(differences[0] < 15.0 && differences[5] > 0.5, "{differences:?}");
    }

    #[test]
    fn excluded_listeners_do_not_count() {
        let mut results = results();
        results.listeners[3].pages[0].ratings.clear();
        let analysis = Analysis::of(results, Settings { minimum_reliability: Some(-5.0), ..SETTINGS });
        assert_eq!(analysis.included(), 11);
        assert_eq!(analysis.attributes[0].systems[0].values.len(), 11);
        let by_rating = Settings { unit: Unit::Rating, minimum_reliability: Some(-5.0), ..SETTINGS };
        let analysis = Analysis::of(tests::results(), by_rating);
        assert_eq!(analysis.attributes[0].systems[0].values.len(), 24);
    }
}
