//! What the rules of kind `tributary` make of dry takes and of stems that somebody has processed, live and from file: a room
//! for what was recorded in mono and is dry, and for nothing else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use tributary_dsp::{
    CHANNELS, CorrectionSource, FxNormalizer, Recipe, RecipeKind, Stem, StemReading, StemsBlock,
    StereoBuffer, Targets, profile_song,
};

const RATE_HZ: f64 = 44_100.0;
/// Ten seconds: within these everything is decided.
const FRAMES: usize = 441_000;

type Song = [StereoBuffer; Stem::COUNT];

fn recipe() -> Recipe {
    let mut recipe = Recipe { kind: RecipeKind::Tributary, ..Recipe::default() }.with_width(1.0);
    recipe.dynamics.enabled = false;
    recipe.reverb.enabled = true;
    recipe
}

/// Sung syllables: tones of a dozen partials that begin softly and stop within 20 ms.
fn syllables() -> Vec<f32> {
    let mut frames = vec![0f32; FRAMES];
    for (number, syllable) in frames.chunks_mut(15_000).enumerate() {
        let hz = 190.0 + 37.0 * (number * 7 % 11) as f64;
        for (n, frame) in syllable.iter_mut().enumerate() {
            let seconds = n as f64 / RATE_HZ;
            let level = (seconds / 0.02).min(1.0) * 10f64.powf(-150.0 * (seconds - 0.24).max(0.0));
            let partial = |k: usize| (std::f64::consts::TAU * hz * k as f64 * seconds).sin() / k as f64;
            *frame = (0.1 * level * (1..=12).map(partial).sum::<f64>()) as f32;
        }
    }
    frames
}

/// The same in a room of our own: four feedback combs of lengths without a common divisor (after Schroeder, JAES 10(3), 1962),
/// which take no part in what the effect uses.
fn in_a_room(dry: &[f32], level: f32) -> Vec<f32> {
    let mut wet = vec![0f32; dry.len()];
    for delay in [1_309, 1_637, 1_811, 1_931] {
        let mut comb = vec![0f32; dry.len()];
        for n in delay..dry.len() {
            comb[n] = dry[n - delay] + 0.86 * comb[n - delay];
        }
        wet.iter_mut().zip(comb).for_each(|(wet, comb)| *wet += level * comb);
    }
    dry.iter().zip(wet).map(|(dry, wet)| dry + wet).collect()
}

fn song(vocals: StereoBuffer) -> Song {
    let silence = || StereoBuffer::silence(FRAMES);
    [vocals, silence(), silence(), silence()]
}

fn from_file(song: &Song) -> f32 {
    let profile =
        profile_song(song.each_ref().map(Some), &recipe(), &Targets::default(), RATE_HZ, &mut |_| {})
            .unwrap();
    profile.stem(Stem::Vocals).unwrap().reverb.unwrap().share
}

fn live(song: &Song) -> StemReading {
    let mut normalizer =
        FxNormalizer::new(&recipe(), &Targets::default(), CorrectionSource::Adaptive, RATE_HZ, FRAMES)
            .unwrap();
    let mut output = song.clone();
    let mut views = output.iter_mut().flat_map(|stem| [&mut stem.left[..], &mut stem.right[..]]);
    normalizer.process(&mut StemsBlock {
        channels: std::array::from_fn::<_, CHANNELS, _>(|_| views.next().unwrap()),
    });
    normalizer.normalize_readings()[Stem::Vocals.index()]
}

#[test]
fn a_dry_voice_in_mono_gets_the_room_and_says_so() {
    let song = song(StereoBuffer::mono(syllables()));
    assert!(from_file(&song) > 0.9, "{}", from_file(&song));
    let reading = live(&song);
    assert!(reading.reverb.unwrap().send > 0.9, "within ten seconds: {reading:?}");
    assert!(reading.decision().contains("dry: room at"), "{}", reading.decision());
}

#[test]
fn a_wet_voice_gets_none_though_it_is_mono() {
    for level in [0.15, 0.3] {
        let song = song(StereoBuffer::mono(in_a_room(&syllables(), level)));
        assert!(from_file(&song) < 0.05, "{level}: {}", from_file(&song));
        let reading = live(&song);
        assert!(reading.reverb.is_none_or(|reverb| reverb.send < 0.05), "{level}: {reading:?}");
        assert!(reading.width.unwrap().added_side > 0.05, "mono it is");
    }
}

#[test]
fn a_voice_with_a_side_of_its_own_gets_none_though_it_is_dry() {
    let mut voice = StereoBuffer::mono(syllables());
    // A double, 13 ms later on the right.
    voice.right.rotate_right(573);
    let song = song(voice);
    assert_eq!(from_file(&song), 0.0);
    assert!(live(&song).reverb.is_none());
}

#[test]
fn bass_is_never_sent_and_what_is_sent_is_heard() {
    let mono = StereoBuffer::mono(syllables());
    let song = [mono.clone(), mono.clone(), StereoBuffer::silence(FRAMES), mono];
    let profile =
        profile_song(song.each_ref().map(Some), &recipe(), &Targets::default(), RATE_HZ, &mut |_| {})
            .unwrap();
    assert_eq!(profile.stem(Stem::Bass).unwrap().reverb, None);
    assert_eq!(profile.stem(Stem::Other).unwrap().reverb.unwrap().share, 1.0);
    let energy_of_pauses = |recipe: &Recipe| {
        let source = CorrectionSource::Fixed(profile.clone());
        let mut normalizer = FxNormalizer::new(recipe, &Targets::default(), source, RATE_HZ, FRAMES).unwrap();
        let mut output = song.clone();
        {
            let mut views = output.iter_mut().flat_map(|stem| [&mut stem.left[..], &mut stem.right[..]]);
            let channels = std::array::from_fn::<_, CHANNELS, _>(|_| views.next().unwrap());
            normalizer.process(&mut StemsBlock { channels });
        }
        let latency = normalizer.latency_samples();
        let pauses = output[0].left[latency..].chunks(15_000).filter(|chunk| chunk.len() == 15_000);
        pauses.map(|chunk| chunk[12_500..].iter().map(|x| x * x).sum::<f32>()).sum::<f32>()
    };
    let (with, mut without) = (recipe(), recipe());
    without.reverb.enabled = false;
    assert!(energy_of_pauses(&with) > 10.0 * energy_of_pauses(&without), "no reverb between the syllables");
}
