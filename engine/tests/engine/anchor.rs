//! Where a stream begins in the song: grids lie on song frames, alignment and latency stay what they are, and silence
//! before the song is no part of it.

use std::sync::atomic::Ordering::Relaxed;

use crate::common::{difference, neutral_pipeline, noise_stems, part, pull, repository, run_pipeline};
use crate::learning::{song, stem_of};
use crate::networks::library;
use crate::realtime::OFFLINE;
use tributary_dsp::{
    CHANNELS, CorrectionSource, Recipe, Stem, StemStore, Targets, normalize_stem, profile_song,
};
use tributary_engine::test_support::{SMALL_GEOMETRY, custom_source};
use tributary_engine::{
    AudioSide, Engine, EngineConfig, EngineHandle, EnginePlayer, MixHop, MixModel, ModelBundle, ModelError,
    Pipeline, Retired, Settings, SongLearner, StemWindow, SumModel, WindowGeometry,
};

/// Rates at which a resampler's phases repeat exactly.
const EXACT_RATES_HZ: [f64; 5] = [8_000.0, 44_100.0, 48_000.0, 96_000.0, 192_000.0];
const OTHER_RATES_HZ: [f64; 2] = [44_056.0, 47_999.0];
const STARTS: [i64; 7] = [1, 159, 5_000, 44_100, 1_234_567_890_123, -1, -5_000];

/// The sum, louder towards the end of every hop: what it makes shows where its hops lie.
struct Sloping(SumModel);

impl MixModel for Sloping {
    fn geometry(&self) -> WindowGeometry {
        self.0.geometry()
    }
    fn reset(&mut self) {}
    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }
    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.0.run(window, mix)?;
        for side in [&mut *mix.left, &mut *mix.right] {
            let slope = (0..).map(|n| 1.0 + n as f32 / 1_000.0);
            side.iter_mut().zip(slope).for_each(|(x, gain)| *x *= gain);
        }
        Ok(())
    }
}

fn sloping() -> Box<dyn MixModel> {
    Box::new(Sloping(SumModel::new(SMALL_GEOMETRY)))
}

/// All effects, with running estimates.
fn adaptive_pipeline(rate_hz: f64) -> Pipeline {
    let recipe = Recipe::default().with_width(1.0);
    Pipeline::new(sloping(), &recipe, &Targets::default(), CorrectionSource::Adaptive, None, rate_hz).unwrap()
}

/// The mix and the sum of a stream that begins at `song_frame`.
fn run_at(
    pipeline: &mut Pipeline,
    song_frame: i64,
    stems: &[Vec<f32>; CHANNELS],
) -> ([Vec<f32>; 2], [Vec<f32>; 2]) {
    pipeline.start_at(song_frame);
    run_pipeline(pipeline, stems, &[333])
}

#[test]
fn a_stream_from_anywhere_is_cut_as_the_song_is() {
    for (rates_hz, allowed) in [(&EXACT_RATES_HZ[..], 0.0), (&OTHER_RATES_HZ, 2e-3)] {
        for &rate_hz in rates_hz {
            let mut pipeline = neutral_pipeline(sloping(), rate_hz);
            let seconds = |seconds: f64| (seconds * rate_hz) as usize;
            let song = noise_stems(seconds(0.8), 7);
            let (whole, whole_sum) = run_at(&mut pipeline, 0, &song);
            for from in [1, 77, seconds(0.1), seconds(0.1) + 160, seconds(0.23)] {
                let rest = std::array::from_fn(|channel| song[channel][from..].to_vec());
                let (mix, sum) = run_at(&mut pipeline, from as i64, &rest);
                // What the resamplers' filters see of the frames before.
                let seen = seconds(0.05);
                for side in 0..2 {
                    let apart = difference(&mix[side][seen..], &whole[side][from + seen..]);
                    assert!(apart <= allowed, "{rate_hz} Hz, from {from}: {apart}");
                    assert!(difference(&sum[side][seen..], &whole_sum[side][from + seen..]) <= allowed);
                    // The control: without the anchor the slopes lie elsewhere.
                    let (elsewhere, _) = run_at(&mut pipeline, 0, &rest);
                    if from > 1 {
                        assert!(difference(&elsewhere[side][seen..], &whole[side][from + seen..]) > 5e-3);
                    }
                }
            }
        }
    }
}

#[test]
fn an_impulse_stays_on_its_frame_wherever_the_stream_begins() {
    for rate_hz in EXACT_RATES_HZ.into_iter().chain(OTHER_RATES_HZ) {
        let mut pipeline = neutral_pipeline(Box::new(SumModel::new(SMALL_GEOMETRY)), rate_hz);
        let frames = (0.2 * rate_hz) as usize;
        for start in STARTS {
            for at in [0, frames / 3, frames - 1] {
                let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
                stems[3][at] = 1.0;
                let (mix, sum) = run_at(&mut pipeline, start, &stems);
                for signal in [&mix[1], &sum[1]] {
                    let peak = signal.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
                    assert_eq!(peak, at, "{rate_hz} Hz, from {start}");
                }
            }
        }
    }
}

#[test]
fn the_latency_is_enough_wherever_the_stream_begins() {
    for rate_hz in EXACT_RATES_HZ.into_iter().chain(OTHER_RATES_HZ) {
        let mut pipeline = neutral_pipeline(Box::new(SumModel::new(SMALL_GEOMETRY)), rate_hz);
        let stated = pipeline.latency().total_frames() as i64;
        for start in STARTS {
            pipeline.start_at(start);
            let (mut made, mut worst) = (0_i64, i64::MIN);
            let mut out = [[0.0; 4096], [0.0; 4096]];
            for pushed in 1..=(2048.0 * rate_hz / 44_100.0) as i64 + stated {
                pipeline.push([&[0.1]; CHANNELS]).unwrap();
                let [left, right] = &mut out;
                made += pipeline.pull_mix(&mut [left, right]) as i64;
                worst = worst.max(pushed - made);
            }
            assert!(worst <= stated, "{rate_hz} Hz, from {start}: needs {worst}, states {stated}");
        }
    }
}

#[test]
fn silence_before_the_song_changes_no_bit() {
    for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
        let mut pipeline = adaptive_pipeline(rate_hz);
        let song = noise_stems((4.0 * rate_hz) as usize, 9);
        let (wanted, _) = run_at(&mut pipeline, 0, &song);
        for silent_frames in [1, 5_000, 44_100, 200_000] {
            let later = song.each_ref().map(|channel| [&vec![0.0; silent_frames], &channel[..]].concat());
            let (mix, _) = run_at(&mut pipeline, -(silent_frames as i64), &later);
            for side in 0..2 {
                let apart = difference(&mix[side][silent_frames..], &wanted[side]);
                assert!(apart == 0.0, "{rate_hz} Hz, {silent_frames} frames: {apart}");
            }
        }
    }
}

#[test]
fn a_skipped_first_hop_is_missing_to_the_frame() {
    for (rate_hz, start) in [(44_100.0, 300), (48_000.0, 300), (96_000.0, -300)] {
        let mut pipeline = neutral_pipeline(Box::new(SumModel::new(SMALL_GEOMETRY)), rate_hz);
        let frames = (0.3 * rate_hz) as usize;
        let stems = noise_stems(frames, 11);
        let (wanted, _) = run_at(&mut pipeline, start, &stems);
        pipeline.start_at(start);
        pipeline.ingest(part(&stems, 0..frames));
        let first_hop_end = pipeline.next_hop_end_frame() as usize;
        assert!(first_hop_end < (512.0 * rate_hz / 44_100.0) as usize, "the first hop is a part of one");
        pipeline.skip_hop();
        pipeline.finish().unwrap();
        let mix = pull(frames, |out| pipeline.pull_mix(out));
        let reach = if rate_hz == 44_100.0 { 0 } else { (300.0 * rate_hz / 44_100.0) as usize };
        assert!(mix[0][..first_hop_end].iter().all(|x| x.is_nan()));
        let there = first_hop_end + reach + 1;
        assert!(difference(&mix[0][there..], &wanted[0][there..]) < 1e-6, "{rate_hz} Hz");
    }
}

const RATE_HZ: f64 = 48_000.0;

fn sloping_engine() -> (AudioSide, EngineHandle) {
    let model = custom_source(SMALL_GEOMETRY, sloping);
    let corrections = CorrectionSource::Adaptive;
    Engine::start(EngineConfig { model, corrections, host_rate_hz: RATE_HZ, max_block: 1_000 })
}

/// Plays frames of a song in blocks of 700. `song_frame` is what the host says of the first one.
fn play(audio: &mut AudioSide, stems: &[Vec<f32>; CHANNELS], song_frame: Option<i64>) -> Vec<f32> {
    let frames = stems[0].len();
    let mut out = vec![0.0; frames];
    let mut other = vec![0.0; frames];
    for at in (0..frames).step_by(700) {
        let to = frames.min(at + 700);
        let settings = Settings { song_frame: song_frame.map(|frame| frame + at as i64), ..OFFLINE };
        audio.process([&mut out[at..to], &mut other[at..to]], part(stems, at..to), &settings);
    }
    out
}

fn silence(frames: usize) -> [Vec<f32>; CHANNELS] {
    std::array::from_fn(|_| vec![0.0; frames])
}

/// What a stream from `song_frame` makes of these stems and silence after them, silent for one latency.
fn wanted(stems: &[Vec<f32>; CHANNELS], song_frame: i64, latency: usize) -> Vec<f32> {
    let (mix, _) = run_at(&mut neutral_pipeline(sloping(), RATE_HZ), song_frame, stems);
    [vec![0.0; latency], mix[0].to_vec()].concat()[..stems[0].len()].to_vec()
}

#[test]
fn a_bounce_from_anywhere_is_anchored_to_the_song() {
    let song = noise_stems(40_000, 21);
    for (said, meant) in [(Some(12_345), 12_345), (Some(-5_000), -5_000), (Some(0), 0), (None, 0)] {
        let (mut audio, _handle) = sloping_engine();
        let latency = audio.latency_frames();
        for round in 0..2 {
            assert!(play(&mut audio, &song, said) == wanted(&song, meant, latency), "{said:?}, {round}");
            audio.reset();
        }
    }
}

#[test]
fn play_after_stop_begins_where_the_host_says() {
    let (mut audio, handle) = sloping_engine();
    let latency = audio.latency_frames();
    let song = noise_stems(30_000, 22);
    // The host has the transport stand still in silence, as long as it likes, and then plays from anywhere, without a word.
    for (stop_frames, from) in [(0, 7_000), (latency, 9_100), (5 * latency + 17, 200_001), (latency, 0)] {
        play(&mut audio, &silence(stop_frames + latency), None);
        let out = play(&mut audio, &song, Some(from));
        assert!(out == wanted(&song, from, latency), "from {from} after {stop_frames} frames of silence");
    }
    assert_eq!(handle.report().underruns, 0);
    // Pre-roll, from before the song.
    play(&mut audio, &silence(latency), None);
    let led_in = silence(3_000);
    let both = std::array::from_fn(|channel| [&led_in[channel][..], &song[channel]].concat());
    assert!(play(&mut audio, &both, Some(-3_000)) == wanted(&both, -3_000, latency));
}

#[test]
fn a_host_that_rounds_positions_has_not_jumped() {
    let (mut audio, handle) = sloping_engine();
    let latency = audio.latency_frames();
    let quiet = silence(latency + 2_000);
    for block in 0..40_i64 {
        play(&mut audio, &std::array::from_fn(|c| quiet[c][..700].to_vec()), Some(700 * block + block % 3));
    }
    assert_eq!(handle.telemetry().restarts.load(Relaxed), 0);
    play(&mut audio, &quiet, Some(1_000_000));
    assert_eq!(handle.telemetry().restarts.load(Relaxed), 1, "this is a jump");
}

#[test]
fn a_loop_in_the_middle_of_sound_goes_on_without_a_gap() {
    let (mut audio, _handle) = sloping_engine();
    let latency = audio.latency_frames();
    let song = noise_stems(48_000, 23);
    let (from, to) = (10_000, 33_333);
    let looped: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| {
        let [head, body] = [0..to, from..to].map(|range| &song[channel][range]);
        [head, body, body].concat()
    });
    let mut out = play(&mut audio, &std::array::from_fn(|c| looped[c][..to].to_vec()), Some(0));
    for _ in 0..2 {
        let body = std::array::from_fn(|c| song[c][from..to].to_vec());
        out.extend(play(&mut audio, &body, Some(from as i64)));
    }
    assert!(out == wanted(&looped, 0, latency), "what the host plays is one stream on one grid");
}

#[test]
fn another_engine_on_the_deck_has_the_same_anchor() {
    let (side, _first) = sloping_engine();
    let (mut player, mut control) = EnginePlayer::new(side, RATE_HZ, 1_000);
    let latency = player.latency_frames();
    let song = noise_stems(12 * 48_000, 24);
    let wanted = wanted(&song, 77_777, latency);
    let mut second = None;
    let mut out = vec![0.0; song[0].len()];
    let mut other = out.clone();
    for at in (0..out.len()).step_by(960) {
        let settings = Settings { song_frame: Some(77_777 + at as i64), ..OFFLINE };
        if at == 960 * 40 {
            let (side, handle) = sloping_engine();
            assert!(control.offer(side).is_ok());
            second = Some(handle);
        }
        let range = at..at + 960;
        player.process([&mut out[range.clone()], &mut other[range.clone()]], part(&song, range), &settings);
    }
    assert!(matches!(control.collect(), Some(Retired::Replaced(_))));
    assert!(second.is_some());
    let apart = difference(&out, &wanted);
    assert!(apart < 1e-6, "{apart}: both cut the song alike, so nobody hears the change");
}

fn rms(signal: &[f32]) -> f64 {
    (signal.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / signal.len() as f64).sqrt()
}

/// How far below `wanted` the difference to it lies, in dB; 300 when there is none.
fn distance_db(mix: &[f32], wanted: &[f32]) -> f64 {
    let apart: Vec<f32> = mix.iter().zip(wanted).map(|(a, b)| a - b).collect();
    -20.0 * (rms(&apart).max(1e-15) / rms(wanted)).log10()
}

/// What compressors and recurrent nets remember of the frames before a start is gone after so many half seconds.
const MEMORY_HALF_SECONDS: usize = 4;

/// With a learned profile and learned averages a bounce of the shipped network from anywhere is that of the whole song.
#[test]
fn a_learned_mix_is_the_same_from_any_start() {
    if library("a_learned_mix_is_the_same_from_any_start").is_none() {
        return;
    }
    let bundle = ModelBundle::open(repository("assets/models/default")).unwrap();
    let (recipe, targets) = (bundle.recipe(), bundle.targets());
    let learned_from = song(4 * 44_100);
    let stems = Stem::ALL.map(|stem| stem_of(&learned_from, stem));
    let profile = profile_song(stems.each_ref().map(Some), recipe, targets, 44_100.0, &mut |_| {}).unwrap();
    let mut normalized = Stem::ALL
        .map(|stem| normalize_stem(stem, &stems[stem.index()], recipe, targets, 44_100.0).unwrap().0);
    let stores = normalized.each_mut().map(|stem| Some(stem as &mut dyn StemStore));
    let statistics = bundle.song_statistics(None, stores, false, &mut |_| Ok(())).unwrap();
    for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
        let model = bundle.find_library_and_load(None).unwrap().model;
        let limiter = bundle.contract().limiter;
        let source = CorrectionSource::Fixed(profile.clone());
        let mut pipeline = Pipeline::new(model, recipe, targets, source, limiter, rate_hz).unwrap();
        pipeline.freeze_statistics(statistics.clone()).unwrap();
        let song = song((6.0 * rate_hz) as usize);
        let (whole, whole_sum) = run_at(&mut pipeline, 0, &song);
        let half_second = (0.5 * rate_hz) as usize;
        for from in [5_000, (1.3 * rate_hz) as usize] {
            let rest: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| song[channel][from..].to_vec());
            let (mix, sum) = run_at(&mut pipeline, from as i64, &rest);
            let figures = |ours: &[f32], whole: &[f32]| -> Vec<f64> {
                let halves = ours.chunks_exact(half_second).zip(whole[from..].chunks_exact(half_second));
                halves.map(|(ours, whole)| distance_db(ours, whole).round()).collect()
            };
            let (mix, sum) = (figures(&mix[0], &whole[0]), figures(&sum[0], &whole_sum[0]));
            eprintln!("{rate_hz} Hz, from {from}, dB by half seconds: mix {mix:?}, normalized stems {sum:?}");
            let settled = mix[MEMORY_HALF_SECONDS..].iter().copied().fold(f64::INFINITY, f64::min);
            assert!(settled >= 60.0, "{rate_hz} Hz, from {from}: {settled} dB");
        }
    }
}

/// The shipped network with running estimates and averages: silence before the song changes nothing.
#[test]
fn silence_before_an_adaptive_mix_changes_nothing() {
    if library("silence_before_an_adaptive_mix_changes_nothing").is_none() {
        return;
    }
    let bundle = ModelBundle::open(repository("assets/models/default")).unwrap();
    for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
        let model = bundle.find_library_and_load(None).unwrap().model;
        let (recipe, targets) = (bundle.recipe(), bundle.targets());
        let limiter = bundle.contract().limiter;
        let source = CorrectionSource::Adaptive;
        let mut pipeline = Pipeline::new(model, recipe, targets, source, limiter, rate_hz).unwrap();
        let song = song((3.0 * rate_hz) as usize);
        let (wanted, _) = run_at(&mut pipeline, 0, &song);
        for silent_frames in [5_000, 44_100] {
            let later = song.each_ref().map(|channel| [&vec![0.0; silent_frames], &channel[..]].concat());
            let (mix, _) = run_at(&mut pipeline, -(silent_frames as i64), &later);
            let apart = distance_db(&mix[0][silent_frames..], &wanted[0]);
            // Without an anchor, as in a host that says no position.
            let (mix, _) = run_at(&mut pipeline, 0, &later);
            let elsewhere = distance_db(&mix[0][silent_frames..], &wanted[0]);
            eprintln!(
                "{rate_hz} Hz, {silent_frames} frames: {apart:.1} dB; {elsewhere:.1} dB without the anchor"
            );
            assert!(apart > 60.0, "{rate_hz} Hz, {silent_frames} frames: {apart} dB");
        }
    }
}
