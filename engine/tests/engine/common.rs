//! Signals and comparisons shared by the engine's tests.

use tributary_dsp::{CHANNELS, CorrectionSource, Targets};
pub use tributary_engine::test_support::Noise;
use tributary_engine::test_support::neutral_recipe;
use tributary_engine::{MixModel, Pipeline};

/// A folder of the repository.
pub fn repository(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A folder that disappears with the value.
pub struct TemporaryFolder(pub std::path::PathBuf);

impl TemporaryFolder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tributary-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A copy of all files of a folder.
    pub fn copy_of(name: &str, from: &std::path::Path) -> Self {
        let folder = Self::new(name);
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.0.join(path.file_name().unwrap())).unwrap();
        }
        folder
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Eight channels of noise, each with a level of its own.
pub fn noise_stems(frames: usize, seed: u64) -> [Vec<f32>; CHANNELS] {
    std::array::from_fn(|channel| {
        let mut noise = Noise(seed * 100 + channel as u64);
        (0..frames).map(|_| 0.02 * (channel + 1) as f32 * noise.sample()).collect()
    })
}

/// Borrows a range of eight channels.
pub fn part(stems: &[Vec<f32>; CHANNELS], range: std::ops::Range<usize>) -> [&[f32]; CHANNELS] {
    std::array::from_fn(|channel| &stems[channel][range.clone()])
}

/// The plain sum of the stems.
pub fn plain_sum(stems: &[Vec<f32>; CHANNELS]) -> [Vec<f32>; 2] {
    let side = |side: usize| -> Vec<f32> {
        (0..stems[0].len()).map(|n| (0..4).map(|stem| stems[2 * stem + side][n]).sum()).collect()
    };
    [side(0), side(1)]
}

/// A pipeline whose normalizer only delays.
pub fn neutral_pipeline(model: Box<dyn MixModel>, host_rate_hz: f64) -> Pipeline {
    let source = CorrectionSource::Adaptive;
    Pipeline::new(model, &neutral_recipe(), &Targets::default(), source, None, host_rate_hz).unwrap()
}

/// Pushes everything in pieces of the given lengths (repeated), finishes, returns mix and sum.
pub fn run_pipeline(
    pipeline: &mut Pipeline,
    stems: &[Vec<f32>; CHANNELS],
    pieces: &[usize],
) -> ([Vec<f32>; 2], [Vec<f32>; 2]) {
    let frames = stems[0].len();
    let mut at = 0;
    for piece in pieces.iter().cycle() {
        if at == frames {
            break;
        }
        let to = frames.min(at + piece);
        pipeline.push(part(stems, at..to)).unwrap();
        at = to;
    }
    pipeline.finish().unwrap();
    (pull(frames, |out| pipeline.pull_mix(out)), pull(frames, |out| pipeline.pull_sum(out)))
}

/// Pulls exactly `frames` frames and asserts that there are no more.
pub fn pull(frames: usize, mut pull: impl FnMut(&mut [&mut [f32]; 2]) -> usize) -> [Vec<f32>; 2] {
    let (mut left, mut right) = (vec![0.0; frames + 10], vec![0.0; frames + 10]);
    let count = pull(&mut [&mut left, &mut right]);
    assert_eq!(count, frames);
    left.truncate(frames);
    right.truncate(frames);
    [left, right]
}

/// Largest difference of two signals of equal length.
pub fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
