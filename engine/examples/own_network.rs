//! A network of another kind, in the place of CRAFx2: here a rule that makes room under the vocals while they sing. What it
//! takes is [`MixModel`]: window lengths, and a hop of mix for a window of stems. It is mixed with as every other model is.
//!
//! `cargo run --release -p tributary-engine --example own_network`

use std::error::Error;

use tributary_dsp::{CHANNELS, CorrectionSource, Recipe, StereoBuffer, Targets};
use tributary_engine::{
    MixHop, MixModel, ModelError, Pipeline, SongLearner, StemWindow, SumModel, WindowGeometry, mix_song,
};

const RATE_HZ: usize = 44_100;
/// How far back the vocals are listened to, in frames: 93 ms. The window has to hold as many before the hop.
const REACH_FRAMES: usize = 4096;
/// Vocals of this level, as an amplitude, halve everything else.
const HALVING_LEVEL: f32 = 0.2;

struct MakesRoom {
    geometry: WindowGeometry,
}

impl MixModel for MakesRoom {
    fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    /// All that it knows stands in the window, so there is nothing to forget.
    fn reset(&mut self) {}

    /// It averages nothing over a song.
    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        let first = self.geometry.context_frames;
        let power = |frame: usize| window.channel(0)[frame].powi(2) + window.channel(1)[frame].powi(2);
        let mut heard: f32 = (first - REACH_FRAMES..first).map(power).sum();
        for frame in 0..self.geometry.mix_frames() {
            heard += power(first + frame) - power(first + frame - REACH_FRAMES);
            let level = (heard.max(0.0) / REACH_FRAMES as f32).sqrt();
            let room = HALVING_LEVEL / (HALVING_LEVEL + level);
            let sample = |channel: usize| window.channel(channel)[first + frame];
            let others = |side: usize| (2 + side..CHANNELS).step_by(2).map(sample).sum::<f32>();
            mix.left[frame] = sample(0) + room * others(0);
            mix.right[frame] = sample(1) + room * others(1);
        }
        Ok(())
    }
}

/// Mixes stems that are left as they are; returns the left side.
fn mixed(model: Box<dyn MixModel>, stems: [Option<&StereoBuffer>; 4]) -> Result<Vec<f32>, Box<dyn Error>> {
    let source = CorrectionSource::Adaptive;
    let mut pipeline =
        Pipeline::new(model, &Recipe::bypass(), &Targets::default(), source, None, RATE_HZ as f64)?;
    Ok(mix_song(&mut pipeline, stems, &mut |_| Ok(()))?.mix.left)
}

fn main() -> Result<(), Box<dyn Error>> {
    // Four seconds: the vocals sing in the second half, so softly that only what they do to the others counts.
    let note = |amplitude: f32, hz: f32, from_s: usize| {
        let sample = |n: usize| {
            let sounds = if n < from_s * RATE_HZ { 0.0 } else { amplitude };
            sounds * (std::f32::consts::TAU * hz * n as f32 / RATE_HZ as f32).sin()
        };
        StereoBuffer::mono((0..4 * RATE_HZ).map(sample).collect())
    };
    let (vocals, drums) = (note(0.2, 440.0, 2), note(0.2, 110.0, 0));
    let stems = [Some(&vocals), None, Some(&drums), None];
    let geometry = WindowGeometry { context_frames: REACH_FRAMES, ..WindowGeometry::DEFAULT };

    let ours = mixed(Box::new(MakesRoom { geometry }), stems)?;
    let plain = mixed(Box::new(SumModel::new(geometry)), stems)?;
    let room = |second: usize| {
        let frames = second * RATE_HZ + RATE_HZ / 4..second * RATE_HZ + RATE_HZ * 3 / 4;
        let taken = frames.clone().map(|n| (plain[n] - ours[n]).powi(2)).sum::<f32>();
        (taken / drums.left[frames].iter().map(|x| x * x).sum::<f32>()).sqrt()
    };
    println!(
        "taken from the drums: {:.0} % before the vocals, {:.0} % under them",
        100.0 * room(1),
        100.0 * room(3)
    );
    if room(1) > 1e-3 || room(3) < 0.3 {
        return Err("no room was made where the vocals sing, or some where they do not".into());
    }
    Ok(())
}

#[test]
fn room_is_made_where_the_vocals_sing_and_nowhere_else() {
    main().expect("what the example says of itself");
}
