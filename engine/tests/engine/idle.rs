//! Rest: after enough silence a pipeline passes silence on without work, and nobody can hear that it did.

use tributary_dsp::{CHANNELS, CorrectionSource, Recipe, Targets};
use tributary_engine::ContractLimiter;
use tributary_engine::test_support::SMALL_GEOMETRY;
use tributary_engine::{Pipeline, SumModel};

use crate::common::{difference, noise_stems, part, pull};
use crate::realtime::largest_step;

/// A second of noise, and a pause in which every stage of the normalizer comes to rest.
const SONG_S: f64 = 1.0;
const PAUSE_S: f64 = 40.0;

/// Every stage at full strength, and a limiter low enough to work.
fn full_pipeline(rate_hz: f64) -> Pipeline {
    let model = Box::new(SumModel::new(SMALL_GEOMETRY));
    let limiter = Some(ContractLimiter { ceiling_dbtp: -12.0 });
    let source = CorrectionSource::Adaptive;
    Pipeline::new(model, &Recipe::default(), &Targets::default(), source, limiter, rate_hz)
        .unwrap()
        .with_meters()
}

/// Song, pause, song. `murmur` is what the pause holds.
fn stems(rate_hz: f64, murmur: f32) -> [Vec<f32>; CHANNELS] {
    let (song, pause) = ((SONG_S * rate_hz) as usize, (PAUSE_S * rate_hz) as usize);
    let (first, second) = (noise_stems(song, 51), noise_stems(song, 52));
    std::array::from_fn(|channel| [&first[channel][..], &vec![murmur; pause], &second[channel]].concat())
}

/// The mix, and whether the pipeline rested when the second song began.
fn run(rate_hz: f64, stems: &[Vec<f32>; CHANNELS], pieces: &[usize]) -> ([Vec<f32>; 2], bool) {
    let mut pipeline = full_pipeline(rate_hz);
    let (frames, second) = (stems[0].len(), ((SONG_S + PAUSE_S) * rate_hz) as usize);
    let (mut at, mut rested) = (0, false);
    for piece in pieces.iter().cycle() {
        let to = frames.min(at + piece);
        pipeline.push(part(stems, at..to)).unwrap();
        if to < second {
            rested = pipeline.is_resting();
        }
        at = to;
        if at == frames {
            break;
        }
    }
    assert!(!pipeline.is_resting(), "sound wakes it");
    pipeline.finish().unwrap();
    (pull(frames, |out| pipeline.pull_mix(out)), rested)
}

#[test]
fn a_rest_is_not_heard_and_does_not_depend_on_blocks() {
    for rate_hz in [44_100.0, 48_000.0] {
        let resting = stems(rate_hz, 0.0);
        let (mix, rested) = run(rate_hz, &resting, &[1024]);
        assert!(rested);
        for pieces in [&[480_usize][..], &[64, 1, 4_095, 700]] {
            assert!(run(rate_hz, &resting, pieces).0 == mix, "{rate_hz} Hz, pieces of {pieces:?}");
        }
        // A murmur below every gate, which keeps each stage awake.
        let (awake, rested) = run(rate_hz, &stems(rate_hz, 1e-19), &[1024]);
        assert!(!rested);
        for side in 0..2 {
            let worst = difference(&mix[side], &awake[side]);
            assert!(worst < 1e-7, "{rate_hz} Hz: {worst} from a stream that was never at rest");
            // The control: the second song is there, and begins as steeply as it would have anyway.
            let wakes = ((SONG_S + PAUSE_S) * rate_hz) as usize - 100;
            assert!(mix[side][wakes..].iter().any(|x| x.abs() > 0.05));
            assert!(largest_step(&mix[side][wakes..]) <= largest_step(&awake[side][wakes..]) + 1e-7);
        }
    }
}
