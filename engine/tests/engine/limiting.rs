//! The limiter inside the pipeline: it moves nothing, survives gaps, is stated in the latency, and holds its ceiling at
//! the host's rate.

use crate::common::{Noise, noise_stems, part, pull, run_pipeline};
use tributary_dsp::{CHANNELS, CorrectionSource, Targets};
use tributary_engine::ContractLimiter;
use tributary_engine::test_support::{SMALL_GEOMETRY, neutral_recipe};
use tributary_engine::{Pipeline, SumModel};

const CEILING_DBTP: f64 = -1.0;

fn pipeline(limits: bool, rate_hz: f64) -> Pipeline {
    let model = Box::new(SumModel::new(SMALL_GEOMETRY));
    let limiter = limits.then_some(ContractLimiter { ceiling_dbtp: CEILING_DBTP });
    let source = CorrectionSource::Adaptive;
    Pipeline::new(model, &neutral_recipe(), &Targets::default(), source, limiter, rate_hz).unwrap()
}

/// The mix when the hops with these numbers are skipped.
fn mix_with_gaps(pipeline: &mut Pipeline, stems: &[Vec<f32>; CHANNELS], skipped: &[usize]) -> Vec<u32> {
    let frames = stems[0].len();
    let mut hop = 0;
    for from in (0..frames).step_by(100) {
        pipeline.ingest(part(stems, from..frames.min(from + 100)));
        while pipeline.hop_is_due() {
            if skipped.contains(&hop) {
                pipeline.skip_hop();
            } else {
                pipeline.run_hop().unwrap();
            }
            hop += 1;
        }
    }
    pipeline.finish().unwrap();
    // Bits, because frames of a gap are NaN.
    pull(frames, |out| pipeline.pull_mix(out))[0].iter().map(|x| x.to_bits()).collect()
}

#[test]
fn a_limiter_with_nothing_to_do_changes_no_bit_whatever_is_skipped() {
    let stems = noise_stems(20_000, 41);
    for rate_hz in [44_100.0, 48_000.0] {
        for skipped in [&[][..], &[0], &[5], &[5, 6, 7], &[4, 6, 9]] {
            let with = mix_with_gaps(&mut pipeline(true, rate_hz), &stems, skipped);
            let without = mix_with_gaps(&mut pipeline(false, rate_hz), &stems, skipped);
            assert!(with == without, "{rate_hz} Hz, skipped {skipped:?}");
        }
    }
}

#[test]
fn the_stated_latency_holds_the_limiter() {
    for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
        let mut limited = pipeline(true, rate_hz);
        let stated = limited.latency().total_frames();
        let part = limited.latency().parts.iter().find(|part| part.name == "limiter").unwrap().frames;
        assert!((2.0..3.0).contains(&(1000.0 * part as f64 / rate_hz)), "{part} frames at {rate_hz} Hz");
        let (mut made, mut out) = (0, [[0.0; 4096], [0.0; 4096]]);
        for pushed in 1..=3 * stated {
            limited.push([&[0.1]; CHANNELS]).unwrap();
            let [left, right] = &mut out;
            made += limited.pull_mix(&mut [left, right]);
            assert!(pushed - made <= stated, "{rate_hz} Hz: frame {made} is not there after {pushed}");
        }
    }
}

/// Low notes and drum-like bursts of noise at +9 dB, as music has its peaks.
fn bursts(rate_hz: f64) -> [Vec<f32>; CHANNELS] {
    std::array::from_fn(|channel| {
        let note_hz = 55.0 * (channel / 2 + 1) as f64;
        let mut noise = Noise(channel as u64 / 2);
        let mut recent = [0.0; 4];
        let mut sample = |i: usize| {
            let t = i as f64 / rate_hz;
            let burst = (-(t % 0.25) * 30.0).exp();
            // As music, it falls towards the end of the band, where every interpolation is at its worst.
            recent[i % 4] = f64::from(noise.sample());
            let note = (std::f64::consts::TAU * note_hz * t).sin() + 0.3 * recent.iter().sum::<f64>();
            (0.7 * burst * note) as f32
        };
        (0..rate_hz as usize).map(&mut sample).collect()
    })
}

/// The highest peak between samples, as seen at four times the rate and more.
fn peak_db(sides: &[Vec<f32>; 2], rate_hz: f64) -> f64 {
    // The meter interpolates four times up to 96 kHz, twice up to 192 kHz, and not at all beyond.
    let mut meter = ebur128::EbuR128::new(2, rate_hz as u32, ebur128::Mode::TRUE_PEAK).unwrap();
    meter.add_frames_planar_f32(&[&sides[0][..], &sides[1][..]]).unwrap();
    20.0 * meter.true_peak(0).unwrap().max(meter.true_peak(1).unwrap()).log10()
}

#[test]
fn the_ceiling_holds_at_the_rate_of_the_host() {
    for rate_hz in [22_050.0, 44_100.0, 48_000.0, 88_200.0, 96_000.0, 192_000.0] {
        let (mix, sum) = run_pipeline(&mut pipeline(true, rate_hz), &bursts(rate_hz), &[512]);
        assert!(peak_db(&sum, rate_hz) > 3.0, "there must be something to limit");
        let limited = peak_db(&mix, rate_hz);
        eprintln!("{rate_hz} Hz: {limited:.2} dBTP");
        assert!(
            (CEILING_DBTP - 0.4..CEILING_DBTP + 0.05).contains(&limited),
            "{limited} dBTP at {rate_hz} Hz"
        );
    }
}
