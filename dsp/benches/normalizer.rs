//! Cost of Fx-normalization as a share of real time on one core. Prints one flat JSON object; run with
//! `cargo bench -p tributary-dsp`.
//!
//! `normalizer_rtf_file_stem`: a 60 s stem at 44.1 kHz measured and normalized as a whole file, paper rules, no reverb.
//! `normalizer_rtf_live_4_stems`: four adaptive stems at 48 kHz, all effects and the reverb on two of them, hop by hop.
//! `normalizer_live_worst_to_median_hop`: the slowest of its hops over the median one, each the fastest of three runs.
//! `explain_to_normalizer`: what watching a mix costs, as the plug-in's worker does it, over all effects by the default model's
//! rules.
//! `normalizer_file_stem_to_transforms`: the first as a multiple of a baseline in the same run: the time that 2048-point
//! real transforms of the same stem take, once forward and once back, half overlapping. A slow or busy machine moves both.

use std::sync::OnceLock;
use std::time::Instant;

use realfft::num_complex::Complex32;
use tributary_dsp::explain::{Observer, Watch};
use tributary_dsp::stft::RealTransform;
use tributary_dsp::{
    CHANNELS, CorrectionSource, EffectName, FxNormalizer, HOP_FRAMES, Recipe, RecipeKind, Stem, StemsBlock,
    StereoBuffer, Targets, normalize_stem,
};

const RATE_HZ: f64 = 44_100.0;
const LIVE_RATE_HZ: f64 = 48_000.0;

/// Seconds this thread has spent on a core, so that a busy machine does not spoil the ratio; wall time where the system
/// does not tell.
fn busy_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds * 1e-9)
}

/// Decaying notes with a little noise: onsets, peaks and a spectrum.
fn music(seconds: f64, seed: u32) -> Vec<f32> {
    let frames = (RATE_HZ * seconds) as usize;
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    let mut level = 0.0;
    let mut pitch = 0.05;
    let mut samples = Vec::with_capacity(frames);
    for n in 0..frames {
        if n % 15_000 == 0 {
            level = 0.3 + 0.4 * noise().abs();
            pitch = 0.01 + 0.06 * noise().abs();
        }
        level *= 0.999_9;
        samples.push(level * ((n as f32 * pitch).sin() * 0.7 + 0.3 * noise()));
    }
    samples
}

fn file_rtf(recipe: &Recipe, audio: &StereoBuffer) -> f64 {
    let targets = Targets::default();
    let best = (0..3).map(|_| {
        let start = busy_seconds();
        let result = normalize_stem(Stem::Vocals, audio, recipe, &targets, RATE_HZ);
        assert!(result.is_ok());
        busy_seconds() - start
    });
    best.fold(f64::MAX, f64::min) / (audio.frames() as f64 / RATE_HZ)
}

/// Runs of the live chain; each hop counts with its fastest one, so that other programs do not.
const LIVE_RUNS: usize = 3;

/// Real-time factor, and the slowest hop over the median one.
fn live_rtf(recipe: &Recipe, seconds: f64) -> (f64, f64) {
    let source: Vec<Vec<f32>> = (0..CHANNELS).map(|channel| music(seconds, channel as u32 + 1)).collect();
    let built =
        FxNormalizer::new(recipe, &Targets::default(), CorrectionSource::Adaptive, LIVE_RATE_HZ, HOP_FRAMES);
    let Ok(mut normalizer) = built else { return (f64::NAN, f64::NAN) };
    let mut fastest = vec![f64::MAX; source[0].len() / HOP_FRAMES];
    let mut total = f64::MAX;
    let mut block = vec![vec![0f32; HOP_FRAMES]; CHANNELS];
    for _ in 0..LIVE_RUNS {
        normalizer.reset();
        let start_seconds = busy_seconds();
        for (hop, fastest) in fastest.iter_mut().enumerate() {
            for (channel, source) in block.iter_mut().zip(&source) {
                channel.copy_from_slice(&source[hop * HOP_FRAMES..(hop + 1) * HOP_FRAMES]);
            }
            let mut channels = block.iter_mut();
            let channels =
                std::array::from_fn(|_| channels.next().map(Vec::as_mut_slice).unwrap_or_default());
            let begin = Instant::now();
            normalizer.process(&mut StemsBlock { channels });
            *fastest = fastest.min(begin.elapsed().as_secs_f64());
        }
        total = total.min(busy_seconds() - start_seconds);
    }
    let heard_seconds = (fastest.len() * HOP_FRAMES) as f64 / LIVE_RATE_HZ;
    fastest.sort_by(f64::total_cmp);
    (total / heard_seconds, fastest[fastest.len() - 1] / fastest[fastest.len() / 2])
}

/// Real-time factor of estimating what a mix did: a window in three, and an estimate every other second.
fn explain_rtf(seconds: usize) -> f64 {
    let source: Vec<Vec<f32>> =
        (0..CHANNELS).map(|channel| music(seconds as f64, channel as u32 + 1)).collect();
    let mut observer = Observer::new(Watch { sample_rate_hz: RATE_HZ, density: 1.0 / 3.0, memory_s: 30.0 });
    let runs = (0..3).map(|_| {
        let start = busy_seconds();
        for piece in 0..seconds / 2 {
            let range = piece * 2 * RATE_HZ as usize..(piece + 1) * 2 * RATE_HZ as usize;
            let stems = std::array::from_fn(|channel| &source[channel][range.clone()]);
            observer.push(stems, [stems[0], stems[1]]);
            std::hint::black_box(observer.explain());
        }
        busy_seconds() - start
    });
    runs.fold(f64::MAX, f64::min) / seconds as f64
}

/// Real-time factor of transforming a stereo stem forward and back.
fn transforms_rtf(audio: &StereoBuffer) -> f64 {
    let mut transform = RealTransform::new(2 * HOP_FRAMES);
    let (mut time, mut bins) = (vec![0f32; 2 * HOP_FRAMES], vec![Complex32::default(); HOP_FRAMES + 1]);
    let runs = (0..3).map(|_| {
        let start = busy_seconds();
        for side in audio.sides() {
            for hop in side.windows(2 * HOP_FRAMES).step_by(HOP_FRAMES) {
                time.copy_from_slice(hop);
                transform.forward(&mut time, &mut bins);
                transform.inverse(&mut bins, &mut time);
                std::hint::black_box(&mut time);
            }
        }
        busy_seconds() - start
    });
    runs.fold(f64::MAX, f64::min) / (audio.frames() as f64 / RATE_HZ)
}

/// One effect in full, width too, which the default recipe leaves off.
fn alone(effect: EffectName) -> Recipe {
    let mut recipe = Recipe::default().only(effect);
    recipe.effect_mut(effect).enabled = true;
    recipe
}

fn main() {
    let audio = StereoBuffer { left: music(60.0, 11), right: music(60.0, 12) };
    let file = file_rtf(&Recipe::default(), &audio);
    let published = file_rtf(&Recipe::published(), &audio);
    let mut live_recipe = Recipe::default();
    live_recipe.reverb.enabled = true;
    let (live, worst) = live_rtf(&live_recipe, 60.0);
    let (without_reverb, _) = live_rtf(&Recipe::default(), 20.0);
    let paper = live_recipe.clone().with_width(1.0);
    let tributary = Recipe { kind: RecipeKind::Tributary, ..paper.clone() };
    let [paper, tributary] = [paper, tributary].map(|recipe| live_rtf(&recipe, 20.0).0);
    let transforms = transforms_rtf(&audio);
    let explain = explain_rtf(60);
    println!("{{");
    println!("  \"normalizer_rtf_file_stem\": {file:.5},");
    for effect in EffectName::ALL {
        let only = file_rtf(&alone(effect), &audio);
        println!("  \"normalizer_rtf_file_stem_{}\": {only:.5},", effect.name());
    }
    println!("  \"normalizer_rtf_file_stem_published\": {published:.5},");
    println!("  \"normalizer_rtf_transforms_baseline\": {transforms:.5},");
    println!("  \"normalizer_file_stem_to_transforms\": {:.2},", file / transforms);
    println!("  \"normalizer_live_to_transforms\": {:.2},", live / transforms);
    for effect in EffectName::ALL {
        let (only, _) = live_rtf(&alone(effect), 20.0);
        println!("  \"normalizer_rtf_live_4_stems_{}\": {only:.5},", effect.name());
    }
    println!("  \"normalizer_rtf_live_4_stems_without_reverb\": {without_reverb:.5},");
    println!("  \"normalizer_rtf_live_4_stems_everything_paper\": {paper:.5},");
    println!("  \"normalizer_rtf_live_4_stems_everything_tributary\": {tributary:.5},");
    println!("  \"normalizer_tributary_to_paper\": {:.2},", tributary / paper);
    println!("  \"explain_rtf_live\": {explain:.5},");
    println!("  \"explain_to_normalizer\": {:.2},", explain / tributary);
    println!("  \"normalizer_live_worst_to_median_hop\": {worst:.2},");
    println!("  \"normalizer_rtf_live_4_stems\": {live:.5}");
    println!("}}");
}
