//! The synchronous pipeline: alignment, partition independence, reset, rest, skipped hops, bad samples, latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::common::{difference, neutral_pipeline, noise_stems, part, plain_sum, pull, run_pipeline};
use tributary_dsp::{CHANNELS, CorrectionSource, Recipe, Targets};
use tributary_engine::pipeline::{HopOutcome, is_missing};
use tributary_engine::test_support::SMALL_GEOMETRY;
use tributary_engine::{
    MixHop, MixModel, ModelError, Pipeline, SongLearner, Statistics, StemWindow, SumModel, WindowGeometry,
};

const RATES_HZ: [f64; 9] =
    [8_000.0, 32_000.0, 44_056.0, 44_100.0, 47_999.0, 48_000.0, 88_200.0, 96_000.0, 192_000.0];

fn sum_pipeline(rate_hz: f64) -> Pipeline {
    neutral_pipeline(Box::new(SumModel::new(SMALL_GEOMETRY)), rate_hz)
}

/// Everything at full strength: the partition test must not be spared any stage.
fn full_pipeline(rate_hz: f64) -> Pipeline {
    let model = Box::new(SumModel::new(SMALL_GEOMETRY));
    let source = CorrectionSource::Adaptive;
    Pipeline::new(model, &Recipe::default(), &Targets::default(), source, None, rate_hz).unwrap()
}

#[test]
fn sum_model_nulls_against_the_plain_sum_at_the_model_rate() {
    let stems = noise_stems(20_000, 1);
    let (mix, sum) = run_pipeline(&mut sum_pipeline(44_100.0), &stems, &[333]);
    let wanted = plain_sum(&stems);
    for side in 0..2 {
        assert!(difference(&mix[side], &wanted[side]) < 1e-6);
        assert!(difference(&sum[side], &wanted[side]) < 1e-6);
    }
}

#[test]
fn an_impulse_comes_out_on_its_own_frame_at_every_rate() {
    for rate_hz in RATES_HZ {
        let frames = (0.2 * rate_hz) as usize;
        for at in [0, 1, frames / 3, frames - 1] {
            let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
            stems[3][at] = 1.0;
            let (mix, sum) = run_pipeline(&mut sum_pipeline(rate_hz), &stems, &[512]);
            for signal in [&mix[1], &sum[1]] {
                let peak = signal.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
                assert_eq!(peak, at, "{rate_hz} Hz");
                if at == frames / 3 {
                    let center = centroid(&signal[at - 40..at + 41]) - 40.0;
                    assert!(center.abs() < 0.02, "{rate_hz} Hz: off by {center} frames");
                }
            }
            assert!(mix[0].iter().all(|x| *x == 0.0), "the other side stays silent");
        }
    }
}

/// Where the energy lies, in frames.
fn centroid(signal: &[f32]) -> f64 {
    let energy = |x: &f32| f64::from(*x).powi(2);
    let total: f64 = signal.iter().map(energy).sum();
    signal.iter().enumerate().map(|(i, x)| i as f64 * energy(x)).sum::<f64>() / total
}

#[test]
fn pieces_do_not_matter() {
    for rate_hz in [44_100.0, 48_000.0] {
        let stems = noise_stems(30_000, 2);
        let whole = run_pipeline(&mut full_pipeline(rate_hz), &stems, &[30_000]);
        for pieces in [&[1_usize][..], &[64], &[7, 4096, 1, 513], &[8192]] {
            let other = run_pipeline(&mut full_pipeline(rate_hz), &stems, pieces);
            assert!(whole == other, "{rate_hz} Hz, pieces of {pieces:?}");
        }
    }
}

#[test]
fn reset_is_fresh() {
    let stems = noise_stems(12_000, 3);
    let mut pipeline = full_pipeline(48_000.0);
    let fresh = run_pipeline(&mut pipeline, &stems, &[700]);
    pipeline.reset();
    assert!(fresh == run_pipeline(&mut pipeline, &stems, &[700]), "after a finished stream");
    pipeline.reset();
    pipeline.push(part(&noise_stems(5_000, 4), 0..5_000)).unwrap();
    pipeline.reset();
    assert!(fresh == run_pipeline(&mut pipeline, &stems, &[700]), "in the middle of a stream");
}

#[test]
fn latency_is_enough_and_tight() {
    for rate_hz in RATES_HZ {
        let mut pipeline = sum_pipeline(rate_hz);
        let stated = pipeline.latency().total_frames() as i64;
        let (mut made, mut worst) = (0_i64, i64::MIN);
        let mut out = [[0.0; 4096], [0.0; 4096]];
        for pushed in 1..=(4096.0 * rate_hz / 44_100.0) as i64 + stated {
            pipeline.push([&[0.1]; CHANNELS]).unwrap();
            let [left, right] = &mut out;
            made += pipeline.pull_mix(&mut [left, right]) as i64;
            // y[made] needs more than x[0 ..= pushed − 1].
            worst = worst.max(pushed - made);
        }
        assert!(worst <= stated, "{rate_hz} Hz: needs {worst}, states {stated}");
        // The resamplers' chunks rarely end where a hop does: up to a chunk on either side is not always used.
        let tolerance = 16 + if rate_hz == 44_100.0 { 0 } else { 64 + (64.0 * rate_hz / 44_100.0) as i64 };
        assert!(worst > stated - tolerance, "{rate_hz} Hz: needs {worst}, states {stated}");
    }
}

/// Alternates between two constants from run to run.
struct Disagreeing(bool);

impl MixModel for Disagreeing {
    fn geometry(&self) -> WindowGeometry {
        SMALL_GEOMETRY
    }
    fn reset(&mut self) {}
    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }
    fn run(&mut self, _: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.0 = !self.0;
        mix.left.fill(if self.0 { 1.0 } else { 0.0 });
        mix.right.fill(0.25);
        Ok(())
    }
}

#[test]
fn hops_are_joined_by_a_straight_crossfade() {
    let stems = noise_stems(4096, 5);
    let (mix, _) =
        run_pipeline(&mut neutral_pipeline(Box::new(Disagreeing(false)), 44_100.0), &stems, &[4096]);
    assert!(difference(&mix[1], &vec![0.25; 4096]) < 1e-6, "what agrees stays as it is");
    let (hop, fade) = (SMALL_GEOMETRY.hop_frames, SMALL_GEOMETRY.crossfade_frames);
    for (n, &sample) in mix[0].iter().enumerate() {
        let (run, into) = (n / hop, n % hop);
        let (new, old) = if run % 2 == 0 { (1.0, 0.0) } else { (0.0, 1.0) };
        let weight = if run == 0 || into >= fade { 1.0 } else { (into + 1) as f32 / (fade as f32 + 1.0) };
        assert!((sample - (old + weight * (new - old))).abs() < 1e-6, "frame {n}");
    }
}

#[test]
fn skipped_hops_are_marked_and_nothing_shifts() {
    for rate_hz in [44_100.0, 48_000.0] {
        let stems = noise_stems(16_384, 6);
        let (wanted, _) = run_pipeline(&mut sum_pipeline(rate_hz), &stems, &[1024]);
        let mut pipeline = sum_pipeline(rate_hz);
        let mut hop = 0;
        for block in 0..16 {
            pipeline.ingest(part(&stems, block * 1024..(block + 1) * 1024));
            while pipeline.hop_is_due() {
                if (5..8).contains(&hop) {
                    pipeline.skip_hop();
                } else {
                    assert_eq!(pipeline.run_hop().unwrap(), HopOutcome::Mixed);
                }
                hop += 1;
            }
        }
        pipeline.finish().unwrap();
        let mix = pull(16_384, |out| pipeline.pull_mix(out));
        let per_model = rate_hz / 44_100.0;
        let gap = 5.0 * 512.0 * per_model..8.0 * 512.0 * per_model;
        // Half the resampler's filter, at the higher rate.
        let reach = 150.0;
        let mut missing = 0;
        for n in 0..16_384 {
            if is_missing(mix[0][n]) {
                missing += 1;
                assert!(n as f64 > gap.start - reach && (n as f64) < gap.end + reach, "frame {n}");
            } else {
                assert!(!gap.contains(&(n as f64)), "frame {n} was never made");
                assert!((mix[0][n] - wanted[0][n]).abs() < 1e-6, "frame {n}");
            }
        }
        assert!(missing >= (gap.end - gap.start) as usize);
    }
}

/// Counts its runs.
struct Counting(SumModel, std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl MixModel for Counting {
    fn geometry(&self) -> WindowGeometry {
        self.0.geometry()
    }
    fn reset(&mut self) {}
    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }
    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.run(window, mix)
    }
}

#[test]
fn silence_rests_the_model_and_sound_wakes_it() {
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let model = Box::new(Counting(SumModel::new(SMALL_GEOMETRY), runs.clone()));
    let mut pipeline = neutral_pipeline(model, 44_100.0);
    let mut stems = noise_stems(100_000, 7);
    for channel in &mut stems {
        channel[10_000..90_000].fill(0.0);
    }
    let (mix, _) = run_pipeline(&mut pipeline, &stems, &[777]);
    let wanted = plain_sum(&stems);
    assert!(difference(&mix[0], &wanted[0]) < 1e-6, "nothing is lost on the way into and out of rest");
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
    assert!((20..60).contains(&runs), "{runs} runs for 20,000 frames of sound in 196 hops");
}

/// What a learner was asked to do, in order.
type Asked = std::sync::Arc<std::sync::Mutex<Vec<&'static str>>>;

/// The sum, with averages of its own.
struct Averaging(SumModel, Asked);

impl Averaging {
    fn note(&self, what: &'static str) {
        self.1.lock().unwrap().push(what);
    }
}

impl MixModel for Averaging {
    fn geometry(&self) -> WindowGeometry {
        self.0.geometry()
    }
    fn reset(&mut self) {
        self.note("reset");
    }
    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        Some(self)
    }
    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.0.run(window, mix)
    }
}

impl SongLearner for Averaging {
    fn rest(&mut self) {
        self.note("rest");
    }
    fn listen(&mut self, _: &StemWindow) -> Result<(), ModelError> {
        Ok(())
    }
    fn learned(&self) -> Option<Statistics> {
        None
    }
    fn freeze(&mut self, statistics: Option<Statistics>) -> Result<(), ModelError> {
        self.note(if statistics.is_some() { "hold" } else { "follow" });
        Ok(())
    }
}

#[test]
fn only_a_model_that_learns_holds_statistics_and_a_rest_keeps_its_averages() {
    let mut plain = neutral_pipeline(Box::new(SumModel::new(SMALL_GEOMETRY)), 44_100.0);
    assert_eq!(plain.freeze_statistics(None), Ok(()));
    assert_eq!(plain.freeze_statistics(Some(Statistics::default())), Err(ModelError::Statistics));

    let asked = Asked::default();
    let model = Box::new(Averaging(SumModel::new(SMALL_GEOMETRY), asked.clone()));
    let mut pipeline = neutral_pipeline(model, 44_100.0);
    let mut stems = noise_stems(60_000, 9);
    for channel in &mut stems {
        channel[10_000..50_000].fill(0.0);
    }
    run_pipeline(&mut pipeline, &stems, &[1_000]);
    pipeline.freeze_statistics(Some(Statistics::default())).unwrap();
    pipeline.freeze_statistics(None).unwrap();
    assert_eq!(*asked.lock().unwrap(), ["rest", "hold", "follow"], "silence is a rest, and no reset");
}

#[test]
fn what_is_not_a_number_does_no_harm() {
    let clean = noise_stems(16_384, 8);
    let mut dirty = clean.clone();
    for (i, bad) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e-42].into_iter().enumerate() {
        for n in 0..200 {
            dirty[i][3000 + n] = bad;
        }
    }
    let (mix, sum) = run_pipeline(&mut sum_pipeline(48_000.0), &dirty, &[640]);
    assert!(mix.iter().chain(&sum).flatten().all(|x| x.is_finite()));
    let (wanted, _) = run_pipeline(&mut sum_pipeline(48_000.0), &clean, &[640]);
    assert!(mix[0][3400..] == wanted[0][3400..], "it recovers as soon as the burst is over");
}

/// Writes NaN in its third run.
struct Broken(SumModel, usize);

impl MixModel for Broken {
    fn geometry(&self) -> WindowGeometry {
        self.0.geometry()
    }
    fn reset(&mut self) {}
    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }
    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.1 += 1;
        self.0.run(window, mix)?;
        if self.1 == 3 {
            mix.left[17] = f32::NAN;
        }
        Ok(())
    }
}

#[test]
fn a_model_that_writes_nan_loses_that_hop_only() {
    let stems = noise_stems(8192, 9);
    let mut pipeline = neutral_pipeline(Box::new(Broken(SumModel::new(SMALL_GEOMETRY), 0)), 44_100.0);
    let (mix, _) = run_pipeline(&mut pipeline, &stems, &[512]);
    let wanted = plain_sum(&stems);
    for n in 0..8192 {
        if (1024..1536).contains(&n) {
            assert!(is_missing(mix[0][n]), "frame {n}");
        } else {
            assert!((mix[0][n] - wanted[0][n]).abs() < 1e-6, "frame {n}");
        }
    }
}

#[test]
fn contradictory_windows_and_rates_are_refused() {
    let short = WindowGeometry { lookahead_frames: 64, ..SMALL_GEOMETRY };
    let build = |geometry, rate_hz| {
        let model = Box::new(SumModel::new(geometry));
        Pipeline::new(
            model,
            &Recipe::bypass(),
            &Targets::default(),
            CorrectionSource::Adaptive,
            None,
            rate_hz,
        )
    };
    let message = build(short, 44_100.0).err().unwrap().to_string();
    assert!(message.contains("lookahead_frames is 64"), "{message}");
    for rate_hz in [0.0, f64::NAN, 1e9] {
        assert!(build(SMALL_GEOMETRY, rate_hz).is_err());
    }
}

/// The sum, by a model that wants to look ahead and counts the hops at which it could.
struct Looking {
    inner: SumModel,
    seen: Arc<AtomicUsize>,
}

impl MixModel for Looking {
    fn geometry(&self) -> WindowGeometry {
        self.inner.geometry()
    }

    fn reset(&mut self) {}

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn look_ahead(&mut self) -> bool {
        true
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.seen.fetch_add(usize::from(window.shows(1)), Relaxed);
        self.inner.run(window, mix)
    }
}

#[test]
fn on_two_cores_every_hop_shows_the_next_and_the_mix_is_the_same() {
    let stems = noise_stems(60_000, 8);
    let (wanted, _) = run_pipeline(&mut sum_pipeline(48_000.0), &stems, &[700]);
    for pieces in [&[4096][..], &[1, 3000, 17]] {
        let seen = Arc::new(AtomicUsize::new(0));
        let model = Looking { inner: SumModel::new(SMALL_GEOMETRY), seen: Arc::clone(&seen) };
        let mut pipeline = neutral_pipeline(Box::new(model), 48_000.0).on_two_cores();
        let (found, _) = run_pipeline(&mut pipeline, &stems, pieces);
        assert_eq!(found, wanted);
        assert!(seen.load(Relaxed) * SMALL_GEOMETRY.hop_frames >= 55_000, "{seen:?}");
    }
}
