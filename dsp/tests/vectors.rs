//! Parity with the published code on vectors small enough to live in the repository (tests/data/dsp, whose README says
//! how each was made). `golden.rs` checks whole stems where the large vectors are at hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its vectors must stop")]

use tributary_dsp::analysis::onsets::onsets;
use tributary_dsp::effects::dynamics::DynamicsMatcher;
use tributary_dsp::effects::equalization::FilterDesigner;
use tributary_dsp::effects::panning::{Limits, PanningMatcher};
use tributary_dsp::profile::{CompressorSetting, DynamicsCorrection, PanningCorrection};
use tributary_dsp::targets::Curve;
use tributary_dsp::{HOP_FRAMES, Hop, RecipeKind, Stem, StereoBuffer, Targets, stream};

const RATE_HZ: f64 = 44_100.0;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../tests/data/dsp/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn floats(name: &str) -> Vec<f32> {
    bytes(name).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn doubles(name: &str) -> Vec<f64> {
    bytes(name).chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

fn pcm(name: &str) -> Vec<f32> {
    bytes(name)
        .chunks_exact(2)
        .map(|b| f32::from(i16::from_le_bytes(b.try_into().unwrap())) / 32_768.0)
        .collect()
}

fn largest_difference(actual: &[f32], wanted: &[f32]) -> f32 {
    assert!(actual.len() >= wanted.len());
    actual.iter().zip(wanted).fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

#[test]
fn the_compressor_equals_the_published_one_for_every_stem() {
    let vectors = floats("compressor.f32");
    let frames = vectors.len() / 5;
    // The file holds the input, then the outputs in this order, with the released ratios and a threshold of −20 dB.
    let outputs = [(Stem::Vocals, 4.0), (Stem::Bass, 5.0), (Stem::Drums, 6.0), (Stem::Other, 4.0)];
    for (index, (stem, ratio)) in outputs.into_iter().enumerate() {
        let compressor = [Some(CompressorSetting { ratio, threshold_db: -20.0 }); 2];
        let correction = DynamicsCorrection { gain_db: [0.0; 2], compressor };
        for kind in [RecipeKind::Paper, RecipeKind::Published] {
            let mut matcher = DynamicsMatcher::fixed(Some(&correction), 1.0, kind, stem, RATE_HZ);
            let mut audio = StereoBuffer::mono(vectors[..frames].to_vec());
            stream(&mut audio, 0, |hop: &mut Hop| matcher.process(hop)).unwrap();
            let wanted = &vectors[(index + 1) * frames..(index + 2) * frames];
            let error = largest_difference(&audio.left, wanted);
            assert!(error < 1e-5, "{stem}: {error}");
            assert_eq!(audio.left, audio.right);
        }
    }
}

#[test]
fn the_filter_design_equals_the_published_one() {
    let vectors = doubles("equalizer.f64");
    let (target, rest) = vectors.split_at(1025);
    let (measured, taps) = rest.split_at(1025);
    let curve: Vec<f32> = target
        .iter()
        .zip(measured)
        .map(|(target, measured)| (20.0 * (target / measured).log10()) as f32)
        .collect();
    let mut designer = FilterDesigner::new();
    let designed = designer.single_pass(&curve, 1.0);
    let error = designed.iter().zip(taps).fold(0.0, |largest: f64, (a, b)| largest.max((a - b).abs()));
    assert!(error < 1e-6, "{error}");
}

#[test]
fn onsets_equal_those_of_the_published_detector() {
    // The stem's joint peak, which the published code brings to −10 dBFS before detection.
    let scale = 10f32.powf(-0.5) / 0.917_785_64;
    let samples: Vec<f32> = pcm("onsets.i16").iter().map(|sample| sample * scale).collect();
    let wanted = [-1126, 10215, 21481, 32949, 43901, 55214, 66429, 77798, 88128, 99427];
    let found = onsets(&samples, RATE_HZ);
    assert!(found.len() >= wanted.len(), "{found:?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() <= 4, "{found} {wanted}");
    }
}

#[test]
fn spectral_panning_equals_the_published_one() {
    let groups = floats("panning_phi.f32");
    let mut bins: Vec<f64> = groups[..1024].iter().flat_map(|phi| [f64::from(*phi); 32]).collect();
    bins.push(f64::from(groups[1024]));
    let mut targets = Targets::default();
    targets.stems.vocals.phi = Curve::Bins { bins };
    let limits = Limits::of(RecipeKind::Published, Stem::Vocals, RATE_HZ);
    let right = PanningCorrection { side: 1.0, balance_db: 0.0 };
    let mut matcher = PanningMatcher::fixed(Some(&right), targets.stem(Stem::Vocals), 1.0, limits, RATE_HZ);
    let input = pcm("panning_input.i16");
    let (left, right) = input.split_at(input.len() / 2);
    let mut audio = StereoBuffer { left: left.to_vec(), right: right.to_vec() };
    stream(&mut audio, 1, |hop: &mut Hop| matcher.process(hop)).unwrap();
    let wanted = floats("panning_output.f32");
    let (left, right) = wanted.split_at(wanted.len() / 2);
    assert_eq!(left.len() % HOP_FRAMES, 0);
    let error = largest_difference(&audio.left, left).max(largest_difference(&audio.right, right));
    assert!(error < 1e-4, "{error}");
}
