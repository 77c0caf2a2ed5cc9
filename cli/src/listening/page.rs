//! Assembles the page: one HTML file that holds its program, its style, its audio, and a policy that lets nothing out.
//!
//! The program lies in `page/` as plain JavaScript in reading order; the files share one module scope and need no bundler.
//! Texts of the plan reach the page as JSON and are set as text, never as markup.

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tributary_audio_io::writer::flac;
use tributary_engine::sha256_hex;

use super::excerpt::{self, Excerpt};
use super::key::Key;
use super::plan::{Plan, QuestionKind, Song};
use crate::markup::escape;
use crate::progress;
use crate::report::{Table, level};

const STYLE: &str = include_str!("page/style.css");
const PROGRAM: [&str; 10] = [
    include_str!("page/random.js"),
    include_str!("page/dom.js"),
    include_str!("page/player.js"),
    include_str!("page/session.js"),
    include_str!("page/timeline.js"),
    include_str!("page/scale.js"),
    include_str!("page/steps.js"),
    include_str!("page/check.js"),
    include_str!("page/rating.js"),
    include_str!("page/main.js"),
];

/// A finished page and what is to be said about it.
pub struct Page {
    /// The file.
    pub html: String,
    /// Loudness and gains, one row per piece of audio.
    pub table: Table,
    /// About how long the test takes, in minutes.
    pub minutes: f64,
    /// Where the plan leaves good practice.
    pub warnings: Vec<String>,
}

/// Reads all audio of a plan and makes the page.
///
/// # Errors
/// Audio cannot be used; the sentence names the song and the mix.
pub fn build(plan: &Plan) -> Result<Page> {
    let mut table = Table::new(&["song", "mix", "LUFS", "gain dB", "dBTP after"]);
    let mut audio = Vec::new();
    let mut songs = Vec::new();
    let mut lengths_s = Vec::new();
    let mut warnings = Vec::new();
    let bar = progress::songs(plan.all_songs().count(), "audio");
    for song in plan.all_songs() {
        let excerpt = excerpt::prepare(plan, song)?;
        describe(&mut table, song, &excerpt);
        if excerpt.lowered_db > 0.0 {
            warnings.push(format!(
                "\"{}\" is {:.1} dB below the wanted loudness: a mix of it would peak too high",
                song.name, excerpt.lowered_db
            ));
        }
        lengths_s.push(excerpt.frames as f64 / f64::from(plan.sample_rate_hz));
        songs.push(song_definition(song, &excerpt, songs.len(), audio.len()));
        for piece in excerpt.pieces {
            audio.push(flac::encode(&piece.left, &piece.right, plan.sample_rate_hz));
        }
        bar.advance();
    }
    bar.finish();
    let minutes = plan.minutes(&lengths_s);
    warnings.extend(plan.warnings(&lengths_s));
    let training = if plan.training.is_some() { songs.pop() } else { None };
    let mut definition = definition(plan, songs, training, minutes)?;
    definition["id"] = json!(identity(&definition, &audio));
    Ok(Page { html: html(plan, &definition, &audio)?, table, minutes, warnings })
}

fn describe(table: &mut Table, song: &Song, excerpt: &Excerpt) {
    for piece in &excerpt.pieces {
        table.row(vec![
            song.name.clone(),
            piece.name.clone(),
            level(Some(piece.original_lufs)),
            level(Some(piece.gain_db)),
            level(Some(piece.true_peak_dbtp)),
        ]);
    }
}

/// What the page may know of a song: identifiers and which audio they play.
fn song_definition(song: &Song, excerpt: &Excerpt, index: usize, first_audio: usize) -> Value {
    let mixes = song.mixes.len();
    let mix = |m: usize| json!({ "id": format!("m{m}"), "audio": first_audio + m });
    json!({
        "id": format!("s{index}"),
        "frames": excerpt.frames,
        "mixes": (0..mixes).map(mix).collect::<Vec<_>>(),
        "reference": song.reference.as_ref().map(|_| first_audio + mixes),
    })
}

fn definition(plan: &Plan, songs: Vec<Value>, training: Option<Value>, minutes: f64) -> Result<Value> {
    let attribute = |(index, a): (usize, &super::plan::Attribute)| json!({ "id": format!("a{index}"), "name": a.name, "question": a.question, "low": a.low, "high": a.high });
    let question = |(index, q): (usize, &super::plan::Question)| {
        let kind = match q.kind {
            QuestionKind::Number => "number",
            QuestionKind::Choice => "choice",
            QuestionKind::Text => "text",
        };
        json!({ "id": format!("q{index}"), "text": q.text, "kind": kind, "choices": q.choices, "optional": q.optional })
    };
    Ok(json!({
        "title": plan.title,
        "instructions": plan.instructions,
        "minutes": minutes.ceil(),
        "sampleRate": plan.sample_rate_hz,
        "repeats": plan.repeats,
        "postUrl": plan.post_url,
        "attributes": plan.attributes.iter().enumerate().map(attribute).collect::<Vec<_>>(),
        "questions": plan.questions.iter().enumerate().map(question).collect::<Vec<_>>(),
        "training": training,
        "songs": songs,
        "key": Key::of(plan).encoded()?,
    }))
}

/// Tells one test from every other: a hash of all it asks and of all it plays.
fn identity(definition: &Value, audio: &[Vec<u8>]) -> String {
    let mut all = Sha256::new();
    all.update(definition.to_string());
    audio.iter().for_each(|bytes| all.update(Sha256::digest(bytes)));
    sha256_hex(&all.finalize())[..32].into()
}

fn html(plan: &Plan, definition: &Value, audio: &[Vec<u8>]) -> Result<String> {
    let program = PROGRAM.join("\n");
    let connect = plan.post_url.as_deref().map_or("'none'", origin);
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src {connect}; base-uri 'none'; \
         form-action 'none'",
        hash_source(&program),
        hash_source(STYLE)
    );
    // A closing tag inside JSON would end the script element.
    let data = serde_json::to_string(definition).context("cannot write JSON")?.replace('<', "\\u003c");
    let mut page =
        String::with_capacity(audio.iter().map(|bytes| bytes.len() / 3 * 4 + 100).sum::<usize>() + 200_000);
    page += &format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main id=\"main\" tabindex=\"-1\"><noscript>This test needs JavaScript. It runs inside this file only.</noscript></main>\n\
         <script type=\"application/json\" id=\"test\">{data}</script>\n",
        escape(&plan.title),
    );
    for (index, bytes) in audio.iter().enumerate() {
        page += &format!(
            "<script type=\"text/plain\" id=\"audio-{index}\">{}</script>\n",
            BASE64_STANDARD.encode(bytes)
        );
    }
    page += &format!("<script type=\"module\">{program}</script>\n</body>\n</html>\n");
    Ok(page)
}

/// How a policy names an inline script or style: by its hash.
fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?']).map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_origin_and_not_the_path() {
        assert_eq!(origin("https://a.example:8443/results?x=1"), "https://a.example:8443");
        assert_eq!(origin("https://a.example"), "https://a.example");
    }

    #[test]
    fn the_program_can_stand_in_a_script_element() {
        for text in PROGRAM.iter().chain([&STYLE]) {
            assert!(!text.contains("</script") && !text.contains("<!--") && !text.contains("</style"));
        }
    }
}
