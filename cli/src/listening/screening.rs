//! Which listeners count, by rules stated before anybody listened: everything rated, and rated alike when asked twice.

use crate::statistics::{mean, spearman};
use serde::Serialize;

use super::key::Key;
use super::results::{Answers, Page, Results};

/// What is known of one listener.
#[derive(Debug, Clone, Serialize)]
pub struct Screened {
    /// The listener's number.
    pub listener: String,
    /// Pages with every mix rated, repeats included.
    pub pages: usize,
    /// How alike hidden repeats were rated; none without a complete repeat.
    pub reliability: Option<Reliability>,
    /// Time on all pages.
    pub minutes: f64,
    /// What the sound check found: sides right and asked, soft tones found and asked.
    pub check: Option<[u32; 4]>,
    /// Why the listener is left out; none when the ratings count.
    pub excluded: Option<String>,
}

/// How a listener's second ratings agree with the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// Mean absolute difference between first and second rating, in points of the scale.
    pub difference: f64,
    /// The mean absolute difference if the second ratings were dealt to the mixes by chance.
    pub by_chance: f64,
    /// 1 − difference / by chance: 1 alike, 0 no better than chance.
    pub index: f64,
    /// Rank correlation of first and second ratings, where there are three or more.
    pub spearman: Option<f64>,
}

/// Applies the rules to everybody.
pub fn screen(results: &Results, minimum_reliability: f64, keep_incomplete: bool) -> Vec<Screened> {
    let screened = |answers: &Answers| {
        let pages = answers.pages.iter().filter(|page| page.is_complete()).count();
        let reliability = reliability(&answers.pages);
        Screened {
            listener: answers.listener.clone(),
            pages,
            reliability,
            minutes: answers.pages.iter().map(|page| page.seconds).sum::<f64>() / 60.0,
            check: answers
                .check
                .map(|check| [check.sides_right, check.sides, check.tones_right, check.tones]),
            excluded: exclusion(&results.key, pages, reliability, minimum_reliability, keep_incomplete),
        }
    };
    results.listeners.iter().map(screened).collect()
}

fn exclusion(
    key: &Key,
    pages: usize,
    reliability: Option<Reliability>,
    minimum: f64,
    keep_incomplete: bool,
) -> Option<String> {
    let expected = key.pages() + key.repeats;
    if pages < expected && !keep_incomplete {
        return Some(format!("incomplete: {pages} of {expected} pages are rated"));
    }
    match reliability {
        Some(reliability) if reliability.index < minimum => {
            Some(format!("unreliable: {:.2} is below {minimum:.2}", reliability.index))
        }
        _ => None,
    }
}

/// Over all pages that were rated twice in full.
fn reliability(pages: &[Page]) -> Option<Reliability> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut by_chance = Vec::new();
    for repeat in pages.iter().filter(|page| page.repeat && page.is_complete()) {
        let is_first =
            |page: &&Page| !page.repeat && page.song == repeat.song && page.attribute == repeat.attribute;
        let Some(original) = pages.iter().find(is_first).filter(|page| page.is_complete()) else { continue };
        for mix in &repeat.order {
            first.push(original.ratings[mix]);
            second.push(repeat.ratings[mix]);
            by_chance.extend(
                repeat.order.iter().map(|other| (original.ratings[mix] - repeat.ratings[other]).abs()),
            );
        }
    }
    if first.is_empty() {
        return None;
    }
    let difference = mean(&first.iter().zip(&second).map(|(a, b)| (a - b).abs()).collect::<Vec<f64>>());
    let by_chance = mean(&by_chance);
    // Who rates everything alike is perfectly consistent and says nothing: no better than chance.
    let index = if by_chance > 0.0 { 1.0 - difference / by_chance } else { 0.0 };
    Some(Reliability { difference, by_chance, index, spearman: spearman(&first, &second) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listening::results::tests::{key, result};

    fn screened(rate: impl Fn(usize, usize, usize, bool) -> f64) -> Screened {
        let answers: Answers = serde_json::from_value(result("aa", rate)).expect("valid");
        let results =
            Results { test: "abc123".into(), key: key(), listeners: vec![answers], rejected: vec![] };
        screen(&results, 0.25, false).remove(0)
    }

    #[test]
    fn agreement_is_one_chance_is_zero_and_contradiction_is_less() {
        let index = |second: [f64; 3]| {
            let screened =
                screened(|_, _, mix, repeat| if repeat { second[mix] } else { [20.0, 50.0, 80.0][mix] });
            (screened.reliability.expect("repeated").index, screened.excluded)
        };
        assert_eq!(index([20.0, 50.0, 80.0]), (1.0, None));
        // Dealt by chance: |20−x| … over all pairs is (0+30+60+30+0+30+60+30+0)/9 = 26⅔; reversed: (60+0+60)/3 = 40.
        let (reversed, excluded) = index([80.0, 50.0, 20.0]);
        assert!((reversed + 0.5).abs() < 1e-12 && excluded.expect("out").contains("unreliable: -0.50"));
        assert_eq!(screened(|_, _, _, _| 50.0).reliability.expect("repeated").index, 0.0);
    }

    #[test]
    fn who_did_not_finish_is_left_out() {
        let mut answers = result("aa", |_, _, mix, _| 30.0 * mix as f64);
        answers["pages"][3]["ratings"].as_object_mut().expect("a map").remove("m1");
        let answers: Answers = serde_json::from_value(answers).expect("valid");
        let results =
            Results { test: "abc123".into(), key: key(), listeners: vec![answers], rejected: vec![] };
        let reason = screen(&results, 0.25, false).remove(0).excluded.expect("out");
        assert_eq!(reason, "incomplete: 4 of 5 pages are rated");
        assert_eq!(screen(&results, 0.25, true).remove(0).excluded, None);
    }
}
