//! Mixes four stems that lie in memory, here four notes, with the plain sum in the place of a network: what
//! `tributary mix` does with files, and what the plug-in does on its worker thread.
//!
//! `cargo run --release -p tributary-engine --example mix_song`

use std::error::Error;

use tributary_dsp::{CorrectionSource, Recipe, RecipeKind, StereoBuffer, Targets, profile_song};
use tributary_engine::{ContractLimiter, Pipeline, SumModel, WindowGeometry, mix_song};

const RATE_HZ: f64 = 44_100.0;

fn main() -> Result<(), Box<dyn Error>> {
    let note = |hz: f64| {
        let sample = |n: usize| (0.1 * (std::f64::consts::TAU * hz * n as f64 / RATE_HZ).sin()) as f32;
        StereoBuffer::mono((0..10 * RATE_HZ as usize).map(sample).collect())
    };
    let stems = [note(440.0), note(55.0), note(220.0), note(330.0)];
    let stems = stems.each_ref().map(Some);

    // First the song is measured as a whole, then it is streamed through what was decided.
    let recipe = Recipe { kind: RecipeKind::Tributary, ..Recipe::default() };
    let targets = Targets::default();
    let profile = profile_song(stems, &recipe, &targets, RATE_HZ, &mut |_| {})?;
    let model = Box::new(SumModel::new(WindowGeometry::DEFAULT));
    let limiter = Some(ContractLimiter { ceiling_dbtp: -1.0 });
    let source = CorrectionSource::Fixed(profile);
    let mut pipeline = Pipeline::new(model, &recipe, &targets, source, limiter, RATE_HZ)?;
    let made = mix_song(&mut pipeline, stems, &mut |_| Ok(()))?;

    println!("{} frames, peak {:.2}", made.mix.frames(), made.mix.peak());
    for part in &pipeline.latency().parts {
        println!("  live it would be late by {} frames of {}", part.frames, part.name);
    }
    Ok(())
}
