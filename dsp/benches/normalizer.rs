//! Cost of Fx-normalization as a share of real time on one core. Prints one flat JSON object; run with
//! `cargo bench -p tributary-dsp`.
//!
//! `normalizer_rtf_file_stem`: a 60 s stem measured and normalized as a whole file, all effects, paper rules.
//! `normalizer_rtf_live_4_stems`: four adaptive stems, all effects, in blocks of 512 frames.

use std::sync::OnceLock;
use std::time::Instant;

use tributary_dsp::{
    CHANNELS, Effect, FxNormalizer, ProfileSource, Recipe, Stem, StemsBlock, StereoBuffer, Targets,
    normalize_stem,
};

const RATE_HZ: f64 = 44_100.0;

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

/// Real-time factor, and the slowest block over the median one.
fn live_rtf(recipe: &Recipe, seconds: f64, block_frames: usize) -> (f64, f64) {
    let source: Vec<Vec<f32>> = (0..CHANNELS).map(|channel| music(seconds, channel as u32 + 1)).collect();
    let Ok(mut normalizer) =
        FxNormalizer::new(recipe, &Targets::default(), ProfileSource::Adaptive, RATE_HZ, block_frames)
    else {
        return (f64::NAN, f64::NAN);
    };
    let mut times = Vec::new();
    let start_seconds = busy_seconds();
    let mut block = vec![vec![0f32; block_frames]; CHANNELS];
    for start in (0..source[0].len() - block_frames).step_by(block_frames) {
        for (channel, source) in block.iter_mut().zip(&source) {
            channel.copy_from_slice(&source[start..start + block_frames]);
        }
        let mut channels = block.iter_mut();
        let channels = std::array::from_fn(|_| channels.next().map(Vec::as_mut_slice).unwrap_or_default());
        let begin = Instant::now();
        normalizer.process(&mut StemsBlock { channels });
        times.push(begin.elapsed().as_secs_f64());
    }
    let total = busy_seconds() - start_seconds;
    times.sort_by(f64::total_cmp);
    let ratio = times[times.len() - 1 - times.len() / 1000] / times[times.len() / 2];
    (total / seconds, ratio)
}

fn main() {
    let audio = StereoBuffer { left: music(60.0, 11), right: music(60.0, 12) };
    let file = file_rtf(&Recipe::default(), &audio);
    let (live, worst) = live_rtf(&Recipe::default(), 60.0, 11_264);
    println!("{{");
    println!("  \"normalizer_rtf_file_stem\": {file:.5},");
    for effect in Effect::ALL {
        println!(
            "  \"normalizer_rtf_file_stem_{}\": {:.5},",
            effect.name(),
            file_rtf(&Recipe::default().only(effect), &audio)
        );
    }
    println!("  \"normalizer_rtf_file_stem_published\": {:.5},", file_rtf(&Recipe::published(), &audio));
    for effect in Effect::ALL {
        let (live, _) = live_rtf(&Recipe::default().only(effect), 20.0, 11_264);
        println!("  \"normalizer_rtf_live_4_stems_{}\": {live:.5},", effect.name());
    }
    println!("  \"normalizer_live_worst_to_median_hop\": {worst:.2},");
    println!("  \"normalizer_rtf_live_4_stems\": {live:.5}");
    println!("}}");
}
