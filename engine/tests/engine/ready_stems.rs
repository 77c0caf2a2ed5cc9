//! Stems that were normalized as whole files take the place of the normalizer's work, and nobody hears a difference.

use tributary_dsp::{
    CHANNELS, CorrectionSource, Recipe, SongProfile, Stem, StereoBuffer, Targets, normalize_with_tail,
};
use tributary_engine::pipeline::ReadyStems;
use tributary_engine::test_support::SMALL_GEOMETRY;
use tributary_engine::{EngineError, Pipeline, SumModel};

use crate::common::{noise_stems, run_pipeline};

const RATE_HZ: f64 = 44_100.0;
/// More than the small window sees behind a song's end.
const TAIL_FRAMES: usize = 40_000;

fn recipe() -> Recipe {
    Recipe::default().with_amounts([1.0, 1.0, 0.3, 1.0]).with_width(1.0)
}

fn pipeline(source: CorrectionSource) -> Pipeline {
    let model = Box::new(SumModel::new(SMALL_GEOMETRY));
    Pipeline::new(model, &recipe(), &Targets::default(), source, None, RATE_HZ).unwrap()
}

/// The corrections of a song, and its stems normalized by them, each with what lies behind its end.
fn normalized(stems: &[Vec<f32>; CHANNELS]) -> (SongProfile, [StereoBuffer; Stem::COUNT]) {
    let mut song = SongProfile::default();
    let ready = Stem::ALL.map(|stem| {
        let [left, right] = [0, 1].map(|side| stems[stem.index() * 2 + side].clone());
        let mut audio = StereoBuffer { left, right };
        let (recipe, targets) = (recipe(), Targets::default());
        let (profile, tail) =
            normalize_with_tail(stem, &mut audio, TAIL_FRAMES, &recipe, &targets, RATE_HZ, &mut |_| {})
                .unwrap();
        song.0[stem.index()] = profile;
        audio.left.extend(tail.left);
        audio.right.extend(tail.right);
        audio
    });
    (song, ready)
}

fn reader(ready: [StereoBuffer; Stem::COUNT]) -> Box<ReadyStems> {
    Box::new(move |start, channels| {
        for (index, channel) in channels.into_iter().enumerate() {
            let stem = &ready[index / 2];
            let side = if index % 2 == 0 { &stem.left } else { &stem.right };
            channel.copy_from_slice(&side[start as usize..start as usize + channel.len()]);
        }
        Ok(())
    })
}

#[test]
fn a_song_sounds_the_same_to_the_bit_also_at_its_end() {
    for frames in [60_000, 61_003] {
        let stems = noise_stems(frames, 4);
        let (profile, ready) = normalized(&stems);
        let source = CorrectionSource::Fixed(profile);
        let wanted = run_pipeline(&mut pipeline(source.clone()), &stems, &[4_096]);
        let mut with_ready = pipeline(source).with_ready_stems(reader(ready));
        for pieces in [&[4_096][..], &[1_000, 7]] {
            let found = run_pipeline(&mut with_ready, &stems, pieces);
            assert!(found == wanted, "{frames} frames in pieces of {pieces:?}");
            with_ready.reset();
        }
    }
}

#[test]
fn the_normalizer_does_nothing_beside_them_and_is_back_elsewhere_in_the_song() {
    let stems = noise_stems(30_000, 5);
    let silence: Box<ReadyStems> = Box::new(|_, channels| {
        channels.into_iter().for_each(|channel| channel.fill(0.0));
        Ok(())
    });
    let mut pipeline = pipeline(CorrectionSource::Adaptive).with_ready_stems(silence);
    let (mix, _) = run_pipeline(&mut pipeline, &stems, &[512]);
    assert!(mix.iter().flatten().all(|sample| *sample == 0.0), "what comes in is not heard");
    pipeline.start_at(8_192 * 1_024);
    let (mix, _) = run_pipeline(&mut pipeline, &stems, &[512]);
    assert!(mix.iter().flatten().any(|sample| *sample != 0.0), "they are of the song's beginning");
}

#[test]
fn what_cannot_be_read_ends_the_mix_with_the_reason() {
    let stems = noise_stems(30_000, 6);
    let mut pipeline = pipeline(CorrectionSource::Adaptive)
        .with_ready_stems(Box::new(|_, _| Err("the disk is gone".into())));
    let channels = stems.each_ref().map(Vec::as_slice);
    let error = pipeline.push(channels).unwrap_err();
    assert!(
        matches!(&error, EngineError::Stopped { reason } if reason.to_string() == "the disk is gone"),
        "{error}"
    );
}
