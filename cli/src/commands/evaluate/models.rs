//! The mixes of models: of the one that is judged, of the same with its masks held still, and of others beside it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tributary_audio_io::error::in_full;
use tributary_dsp::{Cause, CorrectionSource, StereoBuffer};
use tributary_engine::{MaskHold, Pipeline, mix_song};

use crate::evaluation::RATE_HZ;
use crate::evaluation::balance::Stems;
use crate::evaluation::song::Mixer;
use crate::model::ModelChoice;
use crate::normalized::Normalized;
use crate::progress;
use crate::report;

/// Name of the model's mix in reports.
pub const MODEL_NAME: &str = "default model";
/// Name of its mix with masks that do not move: what is left is a fixed filter, and the difference is what the network hears.
pub const HELD_NAME: &str = "masks held";

/// The mixes to make, by name; the model's own comes first. Models that cannot be run here are left out with a note.
///
/// # Errors
/// A further model that cannot be opened: it was asked for.
pub fn mixers<'a>(
    choice: Option<&'a ModelChoice>,
    wanted: &[String],
    others: &[(String, PathBuf)],
) -> Result<Vec<(String, Box<Mixer<'a>>)>> {
    let wants = |name: &str| wanted.iter().any(|wanted| wanted == name);
    let mut mixers: Vec<(String, Box<Mixer<'a>>)> = Vec::new();
    let has_masks = choice.filter(|_| wants("model") || wants("held")).and_then(masks_of);
    if let (Some(choice), Some(has_masks)) = (choice, has_masks) {
        if wants("model") {
            mixers.push((MODEL_NAME.into(), Box::new(move |stems| mix(choice, stems, false))));
        }
        if wants("held") && has_masks {
            mixers.push((HELD_NAME.into(), Box::new(move |stems| mix(choice, stems, true))));
        }
    }
    for (name, folder) in others {
        let other = ModelChoice::open(Some(&folder.to_string_lossy()))?;
        mixers.push((name.clone(), Box::new(move |stems| mix(&other, stems, false))));
    }
    Ok(mixers)
}

/// Whether the model has masks that can be held; a note and nothing when it cannot be run here.
fn masks_of(choice: &ModelChoice) -> Option<bool> {
    match choice.load() {
        Ok(mut loaded) => Some(loaded.model.hold_masks(MaskHold::Watch)),
        Err(error) => {
            report::note(&format!("no mix of the default model: {}", in_full(&error)));
            None
        }
    }
}

/// What `tributary mix` makes of the stems, with masks that move or, found in a first pass, their means.
fn mix(choice: &ModelChoice, stems: Stems<'_>, held: bool) -> Result<StereoBuffer> {
    let (recipe, targets, rate_hz) = (choice.recipe(), choice.targets(), f64::from(choice.sample_rate_hz()));
    if choice.sample_rate_hz() != RATE_HZ {
        bail!("the model works at {rate_hz} Hz; mix with `tributary mix` and give the result with --mix");
    }
    let copies = stems.map(|stem| stem.cloned());
    let mut normalized = Normalized::of(copies, &recipe, &targets, rate_hz, &progress::hidden())?;
    let statistics = choice.song_statistics(normalized.stems(), &mut |_| Ok(()))?;
    let source = CorrectionSource::Fixed(normalized.profile.clone());
    let limiter = choice.limiter();
    let mut pipeline = Pipeline::new(choice.load()?.model, &recipe, &targets, source, limiter, rate_hz)?;
    if normalized.are_ready(&recipe) {
        pipeline = pipeline.with_ready_stems(Box::new(move |start, stems| {
            normalized.read(start, stems).map_err(Cause::new)
        }));
    }
    pipeline.freeze_statistics(statistics)?;
    if held {
        pipeline.hold_masks(MaskHold::Watch);
        mix_song(&mut pipeline, stems, &mut |_| Ok(())).context("the masks cannot be watched")?;
        pipeline.hold_masks(MaskHold::Mean);
        pipeline.reset();
    }
    Ok(mix_song(&mut pipeline, stems, &mut |_| Ok(()))?.mix)
}
