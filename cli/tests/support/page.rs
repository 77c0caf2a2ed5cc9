//! A page of `tributary listen build` taken apart, and listeners made up for it.
#![allow(dead_code)] // Every test binary uses its own part.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tributary_audio_io::reader;
use tributary_dsp::StereoBuffer;

/// The file and the definition inside it.
pub struct Page {
    pub html: String,
    pub definition: Value,
}

impl Page {
    pub fn read(path: &Path) -> Self {
        let html = fs::read_to_string(path).expect("the page is there");
        let data = html.split("id=\"test\">").nth(1).and_then(|rest| rest.split("</script>").next());
        let definition = serde_json::from_str(data.expect("a definition")).expect("JSON");
        Self { html, definition }
    }

    /// One piece of audio as the project's own reader decodes it.
    pub fn audio(&self, index: usize, scratch: &Path) -> StereoBuffer {
        let coded = self.html.split(&format!("id=\"audio-{index}\">")).nth(1).expect("audio");
        let path = scratch.join(format!("audio-{index}.flac"));
        fs::write(&path, from_base64(coded.split('<').next().expect("its end"))).expect("written");
        reader::read(&path).expect("FLAC").audio
    }

    /// Integrated loudness in LUFS and true peak in dBTP of a piece of audio.
    pub fn loudness(&self, index: usize, scratch: &Path) -> (f64, f64) {
        let audio = self.audio(index, scratch);
        let mut meter =
            ebur128::EbuR128::new(2, 44_100, ebur128::Mode::I | ebur128::Mode::TRUE_PEAK).expect("a meter");
        meter.add_frames_planar_f32(&[&audio.left, &audio.right]).expect("measured");
        let peak = meter.true_peak(0).expect("measured").max(meter.true_peak(1).expect("measured"));
        (meter.loudness_global().expect("measured"), 20.0 * peak.log10())
    }
}

/// The answers of a made-up listener to the example in `assets/demo`, whose mixes are, in this order, drums loud, plain sum,
/// vocals loud and vocals soft: fond of the plain sum, disturbed by loud drums, and steady within a few points.
pub fn simulated(page: &Page, listener: usize) -> Value {
    let test = &page.definition;
    let mut pages = Vec::new();
    for (attribute, repeat) in [(0, false), (1, false), (2, false), (1, true)] {
        let liking =
            [[28.0, 70.0, 56.0, 52.0], [30.0, 62.0, 74.0, 38.0], [58.0, 64.0, 60.0, 50.0]][attribute];
        let rating = |mix: usize| -> f64 {
            let chance = |salt: usize| {
                let mixed = ((listener * 31 + attribute) * 31 + mix) * 31 + salt;
                (mixed as f64 * 12.9898).sin().abs() * 43_758.545 % 1.0 - 0.5
            };
            let taste = 26.0 * (chance(1) + chance(2)) + 20.0 * ((listener as f64 * 7.7).sin());
            (liking[mix] + taste + if repeat { 9.0 * chance(3) } else { 0.0 }).clamp(0.0, 100.0)
        };
        let ratings: BTreeMap<String, f64> = (0..4).map(|mix| (format!("m{mix}"), rating(mix))).collect();
        pages.push(json!({
            "song": "s0", "attribute": format!("a{attribute}"), "repeat": repeat, "order": ["m3", "m0", "m2", "m1"],
            "ratings": ratings, "heard_s": {}, "seconds": 70.0 + 9.0 * listener as f64, "comment": "",
        }));
    }
    let answers = json!({ "q0": (listener * 5 % 13).to_string(), "q1": (listener * 7 % 20).to_string(),
        "q2": if listener.is_multiple_of(3) { "Loudspeakers" } else { "Headphones" }, "q3": "No" });
    json!({
        "format": "tributary-listen", "version": 1, "test": { "id": test["id"], "key": test["key"] },
        "listener": listener.to_string(), "questionnaire": answers, "comment": "", "pages": pages,
        "check": { "sides_right": 2, "sides": 2, "tones_right": if listener.is_multiple_of(3) { 1 } else { 3 }, "tones": 3 },
    })
}

/// How a policy writes a hash.
pub fn sha256_base64(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |index: usize| digest.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    let letter = |place: usize| (0..6).fold(0, |value, n| value << 1 | bit(6 * place + n));
    let text: String = (0..43).map(|place| char::from(letters[usize::from(letter(place))])).collect();
    text + "="
}

/// Bytes of padded base64.
pub fn from_base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let decode = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, c| bits << 6 | u32::from(digit(*c)));
        (bits << (6 * (4 - chunk.len()))).to_be_bytes()[1..chunk.len()].to_vec()
    };
    text.trim_end_matches('=').as_bytes().chunks(4).flat_map(decode).collect()
}
