//! A seventh effect: what it takes to add one. The effect is its own folder (here `centering.rs`), and the chain learns of it
//! in one line; latency, rest, whole files and live streams follow from the contract (`Effect`). Inside the crate that line
//! would stand in `chain.rs`, between the others.
//!
//! `cargo run --release -p tributary-dsp --example seventh_effect`

mod centering;

use std::error::Error;

use centering::{Centering, mean};
use tributary_dsp::{
    CHANNELS, CorrectionSource, Corrections, FxNormalizer, Recipe, Stem, StemsBlock, StereoBuffer, Targets,
    WholeFile,
};

const RATE_HZ: f64 = 44_100.0;
/// What of the offset may be left where it was taken away.
const LEFT: f32 = 0.01;
const SECONDS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let (recipe, targets) = (Recipe::default(), Targets::default());
    let frames = SECONDS * RATE_HZ as usize;
    let bass: Vec<f32> = (0..frames).map(|n| 0.1 + 0.3 * (n as f32 * 0.02).sin()).collect();

    let mut whole = StereoBuffer::mono(bass.clone());
    let mut effects = WholeFile::new(Stem::Bass, &recipe, &targets, RATE_HZ)?;
    effects.push(Box::new(Centering::fixed(1.0)));
    effects.normalize(&mut whole, &mut |_| {})?;
    let from_file = mean(&mut whole)?[0];
    println!("offset of the stem {:+.4}, as a whole file {from_file:+.4}", bass_mean(&bass)?);

    let mut corrections = Corrections::new(&recipe, &targets, &CorrectionSource::Adaptive, RATE_HZ)?;
    corrections.push(|_| Box::new(Centering::adaptive(1.0, RATE_HZ)));
    let mut normalizer = FxNormalizer::with_corrections(corrections, &recipe, &targets, RATE_HZ)?;
    let mut channels = vec![vec![0f32; frames]; CHANNELS];
    channels[Stem::Bass.index() * 2] = bass.clone();
    channels[Stem::Bass.index() * 2 + 1] = bass;
    let mut views = channels.iter_mut();
    let views = std::array::from_fn(|_| views.next().map(Vec::as_mut_slice).unwrap_or_default());
    normalizer.process(&mut StemsBlock { channels: views });
    let second_half = &channels[Stem::Bass.index() * 2][frames / 2..];
    let live = bass_mean(second_half)?;
    println!("live, second half {live:+.4}");
    if from_file.abs() > LEFT || live.abs() > LEFT {
        return Err("the effect left an offset".into());
    }
    Ok(())
}

fn bass_mean(samples: &[f32]) -> Result<f32, Box<dyn Error>> {
    Ok(mean(&mut StereoBuffer::mono(samples.to_vec()))?[0])
}

#[test]
fn an_effect_from_outside_acts_live_and_on_files() {
    main().expect("what the example says of itself");
}
