//! The meters show what leaves the plug-in, in every state.

use std::time::{Duration, Instant};

use tributary_dsp::{CHANNELS, CorrectionSource};
use tributary_engine::test_support::{SMALL_GEOMETRY, custom_source};
use tributary_engine::{AudioSide, Engine, EngineConfig, EngineHandle, ModelSource, Settings, SumModel};

use crate::common::{Noise, noise_stems, part};
use crate::realtime::OFFLINE;

fn start(model: ModelSource, rate_hz: f64) -> (AudioSide, EngineHandle) {
    Engine::start(EngineConfig {
        model,
        corrections: CorrectionSource::Adaptive,
        host_rate_hz: rate_hz,
        max_block: 512,
    })
}

fn sum() -> ModelSource {
    custom_source(SMALL_GEOMETRY, || Box::new(SumModel::new(SMALL_GEOMETRY)))
}

/// Plays stems, and noise of its own on the main input, and returns what left. A failed engine does not hold the host up,
/// so this is no faster than its meter.
fn play(audio: &mut AudioSide, stems: &[Vec<f32>; CHANNELS], settings: &Settings) -> [Vec<f32>; 2] {
    let mut noise = Noise(61);
    let mut out: [Vec<f32>; 2] =
        std::array::from_fn(|_| (0..stems[0].len()).map(|_| 0.3 * noise.sample()).collect());
    for from in (0..out[0].len()).step_by(480) {
        let to = out[0].len().min(from + 480);
        let [left, right] = &mut out;
        audio.process([&mut left[from..to], &mut right[from..to]], part(stems, from..to), settings);
        if from % 9_600 == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    out
}

/// Integrated loudness, and true peak in dB.
fn measured(out: &[Vec<f32>; 2], rate_hz: f64) -> [f64; 2] {
    use ebur128::{EbuR128, Mode};
    let mut meter = EbuR128::new(2, rate_hz as u32, Mode::I | Mode::TRUE_PEAK).unwrap();
    meter.add_frames_planar_f32(&[&out[0][..], &out[1][..]]).unwrap();
    let peak = meter.true_peak(0).unwrap().max(meter.true_peak(1).unwrap());
    [meter.loudness_global().unwrap(), 20.0 * peak.log10()]
}

/// Waits until the meters show these figures.
fn assert_shown(handle: &EngineHandle, wanted: [f64; 2], what: &str) {
    let started = Instant::now();
    loop {
        let report = handle.report();
        let shown = [report.output_lufs, report.output_true_peak_db];
        if shown.iter().zip(wanted).all(|(shown, wanted)| (f64::from(*shown) - wanted).abs() < 0.1) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{what}: shown {shown:?}, left {wanted:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn whatever_leaves_is_what_the_meters_show() {
    for rate_hz in [44_100.0, 96_000.0] {
        let stems = noise_stems((3.0 * rate_hz) as usize, 60);
        let missing = || ModelSource::Missing { reason: "None is here.".into() };
        for (what, model, settings) in [
            ("mix", sum(), OFFLINE),
            ("at +24 dB", sum(), Settings { output_gain: 15.85, ..OFFLINE }),
            ("half dry", sum(), Settings { mix: 0.5, ..OFFLINE }),
            ("bypassed", sum(), Settings { bypass: true, output_gain: 15.85, ..OFFLINE }),
            ("without a model", missing(), Settings { output_gain: 2.0, ..OFFLINE }),
        ] {
            let (mut audio, handle) = start(model, rate_hz);
            let out = play(&mut audio, &stems, &settings);
            assert_shown(&handle, measured(&out, rate_hz), what);
            // After a reset they are of what follows.
            audio.reset();
            let quiet = stems.each_ref().map(|channel| channel.iter().map(|x| 0.1 * x).collect());
            let out = play(&mut audio, &quiet, &Settings { mix: 1.0, bypass: false, ..settings });
            assert_shown(&handle, measured(&out, rate_hz), &format!("{what}, after a reset"));
        }
    }
}
