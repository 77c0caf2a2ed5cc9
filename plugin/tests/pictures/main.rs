//! The editor in every state there is, held to pictures that were looked at. No display, no graphics card: `canvas.rs` draws.
//!
//! Where a picture differs, the new one is written beside the build (`target/pictures`), to be looked at; with
//! `TRIBUTARY_PICTURES=renew` it takes the place of the old one.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod canvas;
mod file;
mod states;

use canvas::Picture;
use std::path::{Path, PathBuf};

/// Two pictures are the same when no more pixels than this differ by more than [`LEVELS`] in a channel: rounding differs
/// between processors, a letter has more pixels.
const PIXELS: usize = 24;
const LEVELS: u8 = 20;

/// How many pixels differ; `None` when the sizes do.
fn differing(kept: &Picture, picture: &Picture) -> Option<usize> {
    if kept.width != picture.width || kept.rgb.len() != picture.rgb.len() {
        return None;
    }
    // A pixel is as it was if it is near the one that is kept, or became that when it was kept with few colors.
    let near = file::with_colors_of(picture, kept);
    let far =
        |one: &[u8], other: &[u8]| one.iter().zip(other).any(|(one, other)| one.abs_diff(*other) > LEVELS);
    let pixels = kept.rgb.chunks_exact(3).zip(picture.rgb.chunks_exact(3)).zip(near.rgb.chunks_exact(3));
    Some(pixels.filter(|((kept, now), near)| far(kept, now) && far(kept, near)).count())
}

#[test]
fn every_state_looks_as_it_did_when_it_was_looked_at() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../pictures");
    let renew = std::env::var_os("TRIBUTARY_PICTURES").is_some_and(|wish| wish == "renew");
    let mut wrong = Vec::new();
    for state in states::all() {
        let picture = state.picture();
        let name = format!("{}.png", state.name);
        let difference = file::read(&kept.join(&name)).and_then(|kept| differing(&kept, &picture));
        if difference.is_some_and(|pixels| pixels <= PIXELS) {
            continue;
        }
        if renew {
            file::write(&kept.join(&name), &picture);
        } else {
            file::write(&made.join(&name), &picture);
            let pixels = difference.map_or("all".to_owned(), |pixels| pixels.to_string());
            wrong.push(format!("{name}: {pixels} pixels"));
        }
    }
    assert!(wrong.is_empty(), "not as in {}: {wrong:#?}; see {}", kept.display(), made.display());
}

/// The comparison itself can fail: a word more, a size more.
#[test]
fn a_difference_is_seen() {
    let states = states::all();
    let picture = states[0].picture();
    assert_eq!(differing(&picture, &picture), Some(0));
    let mut other = picture.clone();
    other.rgb[30_000..30_000 + 3 * (PIXELS + 1)]
        .iter_mut()
        .for_each(|value| *value = value.wrapping_add(100));
    assert!(differing(&picture, &other).is_some_and(|pixels| pixels > PIXELS));
    other.width += 1;
    assert_eq!(differing(&picture, &other), None);
    let [one, two] = [&states[0], &states[1]].map(|state| state.picture());
    assert!(differing(&one, &two).is_none_or(|pixels| pixels > PIXELS), "the first two states look alike");
}

#[test]
fn no_picture_is_left_over() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let mut names: Vec<String> = states::all().iter().map(|state| format!("{}.png", state.name)).collect();
    assert!(names.len() >= 24, "states are hard to come by in a host: at least 24 are looked at");
    names.sort();
    let mut files: Vec<String> = std::fs::read_dir(&kept)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".png"))
        .collect();
    files.sort();
    assert_eq!(files, names);
}

/// `cargo test --release -p tributary --test pictures -- --ignored --nocapture`
#[test]
#[ignore = "measures, and the machine may be busy"]
fn what_a_frame_costs() {
    for state in states::all() {
        println!("{:18} {:6.2} ms", state.name, 1e3 * state.frame_time().as_secs_f64());
    }
}
