//! The report of a listening test: one HTML file without a program, readable by whoever takes the decision.
//!
//! First what was found, in sentences; then the pictures and the tests by attribute; then everybody who was asked, with
//! exclusions; last the rules, so that the file can be judged without its author.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

use super::analysis::{Analysis, Attribute, Pair, Unit};
use super::picture;
use super::screening::Screened;
use crate::markup::escape;

const STYLE: &str = include_str!("report.css");
/// Different answers that are listed; free text of many listeners would fill pages.
const ANSWERS_SHOWN: usize = 12;

/// The whole report.
pub fn html(analysis: &Analysis) -> String {
    let style_hash = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let title = escape(&analysis.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'sha256-{style_hash}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – listening test</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    summary(&mut out, analysis);
    for attribute in &analysis.attributes {
        attribute_section(&mut out, attribute, analysis);
    }
    listeners(&mut out, analysis);
    questionnaire(&mut out, analysis);
    remarks(&mut out, analysis);
    rules(&mut out, analysis);
    out + "</main>\n</body>\n</html>\n"
}

fn summary(out: &mut String, analysis: &Analysis) {
    let excluded = analysis.listeners.len() - analysis.included();
    let _ = writeln!(
        out,
        "<p class=\"soft\">{} listeners count, {excluded} excluded, {} files not used. Test {}.</p>",
        analysis.included(),
        analysis.rejected.len(),
        escape(&analysis.test)
    );
    *out += "<section>\n<h2>What was found</h2>\n<ul>\n";
    for attribute in &analysis.attributes {
        let _ = writeln!(
            out,
            "<li><strong>{}</strong>: {}</li>",
            escape(&attribute.name),
            finding(attribute, analysis)
        );
    }
    *out += "</ul>\n</section>\n";
}

/// One attribute's outcome as a sentence.
fn finding(attribute: &Attribute, analysis: &Analysis) -> String {
    let level = analysis.settings.level;
    let wins = |pair: &&Pair| pair.p_holm <= level && pair.test.is_some();
    let found: Vec<String> = attribute.pairs.iter().filter(wins).map(difference).collect();
    match (attribute.pairs.is_empty(), found.is_empty()) {
        (true, _) => "nothing to compare.".into(),
        (false, true) => format!(
            "no difference is significant at {level} with {} listeners. That is not evidence of no difference.",
            analysis.included()
        ),
        (false, false) => format!("<ul><li>{}</li></ul>", found.join("</li><li>")),
    }
}

fn difference(pair: &Pair) -> String {
    // Medians order the pair; the signed ranks decide the direction.
    let turned = pair.test.is_some_and(|test| test.rank_biserial < 0.0);
    let (first, second) = if turned { (&pair.second, &pair.first) } else { (&pair.first, &pair.second) };
    let points = if turned { -pair.difference } else { pair.difference };
    format!(
        "{} is rated above {} by {points:.1} points (p {})",
        escape(first),
        escape(second),
        probability(pair.p_holm)
    )
}

fn attribute_section(out: &mut String, attribute: &Attribute, analysis: &Analysis) {
    let _ = writeln!(out, "<section>\n<h2>{}</h2>", escape(&attribute.name));
    if attribute.systems.is_empty() {
        *out += "<p>No ratings count.</p>\n</section>\n";
        return;
    }
    *out += &picture::distributions(attribute);
    *out += "<p class=\"soft\">Shape: density of the observations. Bar: quartiles and median. Dots: observations. Diamond: mean \
             with its 95 % interval.</p>\n";
    systems_table(out, attribute);
    if let Some(test) = attribute.kruskal_wallis {
        let _ = writeln!(
            out,
            "<p>Kruskal–Wallis: H({}) = {:.2}, p {}, ε² = {:.2}.</p>",
            test.degrees_of_freedom,
            test.h,
            probability(test.p),
            test.epsilon_squared
        );
    }
    pairs_table(out, attribute, analysis.settings.level);
    power(out, attribute, analysis);
    *out += "</section>\n";
}

fn systems_table(out: &mut String, attribute: &Attribute) {
    *out += "<div class=\"scroll\"><table>\n<tr><th>system</th><th>n</th><th>median</th><th>quartiles</th><th>mean</th>\
             <th>95 % interval</th></tr>\n";
    for system in &attribute.systems {
        let interval = system
            .interval
            .map_or_else(|| "–".into(), |interval| format!("{:.1} – {:.1}", interval.low, interval.high));
        let [low, median, high] = system.quartiles;
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{median:.1}</td><td>{low:.1} – {high:.1}</td><td>{:.1}</td><td>{interval}</td></tr>",
            escape(&system.name),
            system.values.len(),
            system.mean
        );
    }
    *out += "</table></div>\n";
}

fn pairs_table(out: &mut String, attribute: &Attribute, level: f64) {
    if attribute.pairs.is_empty() {
        return;
    }
    *out += "<h3>Pairs (Wilcoxon signed-rank, Holm)</h3>\n<div class=\"scroll\"><table>\n<tr><th>pair</th><th>difference</th>\
             <th>pairs</th><th>rank-biserial</th><th>p</th><th>p (Holm)</th></tr>\n";
    for pair in &attribute.pairs {
        let (count, effect, p) = pair.test.map_or(("0".into(), "–".into(), "–".into()), |test| {
            (test.pairs.to_string(), format!("{:+.2}", test.rank_biserial), probability(test.p))
        });
        let class = if pair.test.is_some() && pair.p_holm <= level { " class=\"yes\"" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td>{} – {}</td><td>{:+.1}</td><td>{count}</td><td>{effect}</td><td>{p}</td><td{class}>{}</td></tr>",
            escape(&pair.first),
            escape(&pair.second),
            pair.difference,
            probability(pair.p_holm)
        );
    }
    *out += "</table></div>\n";
}

fn power(out: &mut String, attribute: &Attribute, analysis: &Analysis) {
    if attribute.power.is_empty() {
        return;
    }
    *out += "<h3>Power</h3>\n";
    let sentences: Vec<String> = attribute
        .power
        .iter()
        .map(|one| match one.difference {
            Some(difference) => format!("with {} listeners {difference:.0} points", one.listeners),
            None => format!("with {} listeners none, however large", one.listeners),
        })
        .collect();
    let _ = writeln!(
        out,
        "<p>If ratings scatter as they do here, a test would detect in four cases of five a difference between two systems of: \
         {}.</p>",
        sentences.join("; ")
    );
    *out += &picture::power(&attribute.power, analysis.included());
}

fn listeners(out: &mut String, analysis: &Analysis) {
    *out += "<section>\n<h2>Listeners</h2>\n<div class=\"scroll\"><table>\n<tr><th>listener</th><th>pages</th><th>minutes</th>\
             <th>reliability</th><th>difference</th><th>ρ</th><th>sides</th><th>tones</th><th class=\"left\">excluded</th></tr>\n";
    analysis.listeners.iter().for_each(|one| listener(out, one));
    *out += "</table></div>\n";
    if !analysis.rejected.is_empty() {
        *out += "<h3>Files not used</h3>\n<ul>\n";
        for file in &analysis.rejected {
            let _ = writeln!(out, "<li>{} {}</li>", escape(&file.file), escape(&file.reason));
        }
        *out += "</ul>\n";
    }
    *out += "</section>\n";
}

fn listener(out: &mut String, one: &Screened) {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
    let reliability = one.reliability;
    let share =
        |right: usize, of: usize| one.check.map_or_else(|| "–".into(), |c| format!("{}/{}", c[right], c[of]));
    let _ = writeln!(
        out,
        "<tr{}><td>{}</td><td>{}</td><td>{:.0}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"left\">{}</td></tr>",
        if one.excluded.is_some() { " class=\"out\"" } else { "" },
        escape(&one.listener),
        one.pages,
        one.minutes,
        number(reliability.map(|reliability| reliability.index)),
        number(reliability.map(|reliability| reliability.difference)),
        number(reliability.and_then(|reliability| reliability.spearman)),
        share(0, 1),
        share(2, 3),
        escape(one.excluded.as_deref().unwrap_or(""))
    );
}

fn questionnaire(out: &mut String, analysis: &Analysis) {
    if analysis.questionnaire.is_empty() {
        return;
    }
    *out += "<section>\n<h2>Who listened</h2>\n";
    for (question, answers) in &analysis.questionnaire {
        let mut parts: Vec<String> = answers
            .iter()
            .take(ANSWERS_SHOWN)
            .map(|(answer, count)| format!("{} ({count})", escape(answer)))
            .collect();
        if answers.len() > ANSWERS_SHOWN {
            parts.push(format!("and {} other answers", answers.len() - ANSWERS_SHOWN));
        }
        let _ = writeln!(out, "<p><strong>{}</strong>: {}</p>", escape(question), parts.join(", "));
    }
    *out += "</section>\n";
}

/// Remarks speak of mixes by letter; what the letters were that time stands beside them.
fn remarks(out: &mut String, analysis: &Analysis) {
    if analysis.remarks.is_empty() {
        return;
    }
    *out += "<section>\n<h2>Remarks</h2>\n";
    for remark in &analysis.remarks {
        let letters = (b'A'..=b'Z').map(char::from);
        let legend: Vec<String> = letters
            .zip(&remark.systems)
            .map(|(letter, system)| format!("{letter} {}", escape(system)))
            .collect();
        let place = match &remark.page {
            Some([song, attribute]) => {
                format!("{}, {} ({})", escape(song), escape(attribute), legend.join(", "))
            }
            None => "at the end".into(),
        };
        let _ = writeln!(
            out,
            "<p>{}<br><span class=\"soft\">{} · {place}</span></p>",
            escape(&remark.text),
            escape(&remark.listener)
        );
    }
    *out += "</section>\n";
}

fn rules(out: &mut String, analysis: &Analysis) {
    let settings = &analysis.settings;
    let unit = match settings.unit {
        Unit::Listener => "a listener's mean over songs",
        Unit::Rating => {
            "every rating on its own (ratings of one listener are not independent: probabilities are too small)"
        }
    };
    let incomplete = if settings.keep_incomplete { "were kept" } else { "are excluded" };
    let _ = writeln!(
        out,
        "<section>\n<h2>Rules</h2>\n<ul>\n<li>Observation: {unit}. Only the first rating of a repeated page counts.</li>\n\
         <li>Listeners who did not rate every page {incomplete}. Listeners with a reliability below {:.2} are excluded: \
         1 − (mean difference between first and second rating) / (that difference if second ratings were dealt by chance).</li>\n\
         <li>Significance: {} for each attribute, Holm's correction over its pairs. Two-sided Wilcoxon signed-rank tests, exact \
         up to 50 pairs.</li>\n<li>Intervals of means: percentile bootstrap, 2000 resamples. Power: simulated with the observed \
         scatter, Holm's first step, 80 %.</li>\n<li>Kruskal–Wallis takes its groups as independent although each listener rated \
         all systems; it is a summary, the pairs are the test.</li>\n</ul>\n</section>",
        analysis.minimum_reliability, settings.level
    );
}

/// A probability as papers print it.
fn probability(p: f64) -> String {
    if p < 0.001 { "&lt; 0.001".into() } else { format!("= {p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listening::analysis::Settings;
    use crate::listening::analysis::tests::{SETTINGS, results};

    #[test]
    fn the_report_says_what_was_found_and_escapes_names() {
        let mut results = results();
        results.key.title = "<img src=x onerror=alert(1)>".into();
        results.key.songs.iter_mut().for_each(|song| song.mixes[0].name = "</svg><b>".into());
        let report = html(&Analysis::of(results, Settings { minimum_reliability: Some(-5.0), ..SETTINGS }));
        assert!(report.contains("&lt;/svg&gt;&lt;b&gt; is rated above bad by"), "{report}");
        assert!(report.contains("x&lt;y&gt;.json is not a result"));
        assert!(!report.contains("<img") && !report.contains("</svg><b>") && !report.contains("NaN"));
        assert_eq!(report.matches("<svg").count(), 4, "distributions and power of two attributes");
        assert!(report.contains("with 6 listeners none"));
        assert!(report.contains("That is not evidence of no difference"));
    }

    #[test]
    fn a_report_without_a_listener_who_counts_says_so() {
        let report = html(&Analysis::of(results(), Settings { minimum_reliability: Some(1.0), ..SETTINGS }));
        assert!(report.contains("0 listeners count, 12 excluded") && report.contains("No ratings count"));
        assert!(report.contains("unreliable: ") && !report.contains("NaN"));
    }
}
