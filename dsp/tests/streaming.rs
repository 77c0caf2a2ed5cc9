//! Properties of the streaming normalizer: any partition gives the same bits, reset equals fresh, a fixed profile
//! repeats the whole-file result, amount 0 is a pure delay, bad samples do no lasting harm, and nothing allocates.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tributary_dsp::normalizer::{HOP_FRAMES, TURNS_HOPS};
use tributary_dsp::{
    CHANNELS, CorrectionSource, Corrections, FxNormalizer, Recipe, RecipeKind, SongProfile, Stem,
    StemReading, StemsBlock, StereoBuffer, Targets, normalize_stem, normalize_with_tail, profile_song,
};

const RATE_HZ: f64 = 44_100.0;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged; only a thread-local counter is added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as f32 / u32::MAX as f32
    }
}

/// Four stems of decaying notes, different on every channel, with a pause in the middle.
fn song(frames: usize) -> Vec<Vec<f32>> {
    (0..CHANNELS as u32)
        .map(|channel| {
            let mut random = Random(77 + 13 * channel);
            let (mut level, mut pitch) = (0.0, 0.1);
            let note = |n: usize| {
                if n % 11_000 == 500 {
                    level = 0.1 + 0.5 * random.next();
                    pitch = 0.01 + 0.1 * random.next();
                }
                level *= 0.999_8;
                let sounding = !(frames / 2..frames / 2 + 30_000).contains(&n);
                let sample = level * ((n as f32 * pitch).sin() + 0.2 * (random.next() - 0.5));
                if sounding { sample } else { 0.0 }
            };
            (0..frames).map(note).collect()
        })
        .collect()
}

/// Runs in place, cutting blocks as `cut` says.
fn run(normalizer: &mut FxNormalizer, channels: &mut [Vec<f32>], mut cut: impl FnMut() -> usize) {
    let frames = channels[0].len();
    let mut start = 0;
    while start < frames {
        let end = (start + cut().max(1)).min(frames);
        let mut views = channels.iter_mut();
        let views = std::array::from_fn(|_| &mut views.next().unwrap()[start..end]);
        normalizer.process(&mut StemsBlock { channels: views });
        start = end;
    }
}

fn buffer(channels: &[Vec<f32>], stem: Stem) -> StereoBuffer {
    let index = stem.index() * 2;
    StereoBuffer { left: channels[index].clone(), right: channels[index + 1].clone() }
}

fn recipes() -> [Recipe; 5] {
    let mut partial = Recipe::default().with_amounts([0.3, 0.5, 0.7, 1.0]);
    partial.reverb.enabled = true;
    let wide = Recipe::default().with_amounts([1.0, 1.0, 0.0, 1.0]).with_width(1.0);
    let mut tributary = Recipe { kind: RecipeKind::Tributary, ..wide.clone() };
    tributary.panning = tributary_dsp::recipe::EffectSetting::default();
    tributary.reverb.enabled = true;
    tributary.reverb.levels_db.drums = Some(0.0);
    [Recipe::default(), Recipe::published(), partial, wide, tributary]
}

fn profile(recipe: &Recipe, channels: &[Vec<f32>]) -> SongProfile {
    let stems = Stem::ALL.map(|stem| buffer(channels, stem));
    let references = [Some(&stems[0]), Some(&stems[1]), Some(&stems[2]), Some(&stems[3])];
    let mut last = 0.0;
    let mut progress = |share: f64| {
        assert!(share >= last && share <= 1.0);
        last = share;
    };
    let profile = profile_song(references, recipe, &Targets::default(), RATE_HZ, &mut progress).unwrap();
    assert_eq!(last, 1.0);
    profile
}

fn normalizer(recipe: &Recipe, source: CorrectionSource) -> FxNormalizer {
    FxNormalizer::new(recipe, &Targets::default(), source, RATE_HZ, 512).unwrap()
}

/// What came out of a stream `latency` frames late is, bit for bit, what whole files give.
fn assert_is_whole_file_result(recipe: &Recipe, input: &[Vec<f32>], streamed: &[Vec<f32>], latency: usize) {
    for stem in Stem::ALL {
        let offline =
            normalize_stem(stem, &buffer(input, stem), recipe, &Targets::default(), RATE_HZ).unwrap().0;
        let index = stem.index() * 2;
        assert!(offline.left[..] == streamed[index][latency..], "{stem}, {:?}", recipe.kind);
        assert!(offline.right[..] == streamed[index + 1][latency..], "{stem}, {:?}", recipe.kind);
    }
}

#[test]
fn any_partition_gives_the_same_bits() {
    let input = song(300_000);
    for recipe in recipes() {
        for source in [CorrectionSource::Adaptive, CorrectionSource::Fixed(profile(&recipe, &input))] {
            let mut whole = input.clone();
            run(&mut normalizer(&recipe, source.clone()), &mut whole, || 300_000);
            for limit in [1.0, 700.0, 5_000.0] {
                let mut pieces = input.clone();
                let mut random = Random(5);
                run(&mut normalizer(&recipe, source.clone()), &mut pieces, || {
                    (random.next() * limit) as usize
                });
                assert!(whole == pieces, "blocks up to {limit}");
            }
        }
    }
}

#[test]
fn hops_handed_out_at_once_are_those_in_place_sooner_by_one() {
    let recipe = Recipe { kind: RecipeKind::Tributary, ..Recipe::default() };
    let input = song(60 * HOP_FRAMES);
    let mut wanted = input.clone();
    run(&mut normalizer(&recipe, CorrectionSource::Adaptive), &mut wanted, || 4_096);
    let mut chain = normalizer(&recipe, CorrectionSource::Adaptive);
    let mut found: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| Vec::with_capacity(input[0].len()));
    let mut random = Random(5);
    let mut start = 0;
    while start < input[0].len() {
        let end = (start + 1 + (3_000.0 * random.next()) as usize).min(input[0].len());
        let stems = std::array::from_fn(|channel| &input[channel][start..end]);
        let before = ALLOCATIONS.with(Cell::get);
        chain.pass(stems, |hop| {
            found.iter_mut().zip(hop).for_each(|(found, hop)| found.extend_from_slice(hop));
        });
        assert_eq!(ALLOCATIONS.with(Cell::get), before);
        start = end;
        assert_eq!(found[0].len() + chain.gathered_frames(), start, "a hop is there with its last frame");
    }
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!(found[..found.len() - HOP_FRAMES] == wanted[HOP_FRAMES..]);
    }
}

#[test]
fn a_reset_normalizer_is_a_fresh_one() {
    let input = song(200_000);
    for recipe in recipes() {
        for source in [CorrectionSource::Adaptive, CorrectionSource::Fixed(profile(&recipe, &input))] {
            let mut used = normalizer(&recipe, source.clone());
            let mut scratch = input.clone();
            run(&mut used, &mut scratch, || 1_000);
            used.reset();
            assert_eq!(used.normalize_readings(), normalizer(&recipe, source.clone()).normalize_readings());
            let (mut again, mut fresh) = (input.clone(), input.clone());
            run(&mut used, &mut again, || 333);
            run(&mut normalizer(&recipe, source), &mut fresh, || 333);
            assert!(again == fresh);
        }
    }
}

#[test]
fn a_fixed_profile_repeats_the_whole_file_result_bit_for_bit() {
    let input = song(300_000);
    for recipe in recipes() {
        let profile = profile(&recipe, &input);
        // Saved and restored, as with a session.
        let text = serde_json::to_string(&profile).unwrap();
        let profile: SongProfile = serde_json::from_str(&text).unwrap();
        let mut live = normalizer(&recipe, CorrectionSource::Fixed(profile));
        let latency = live.latency_samples();
        let mut streamed = input.clone();
        streamed.iter_mut().for_each(|channel| channel.resize(300_000 + latency, 0.0));
        run(&mut live, &mut streamed, || 441);
        assert_is_whole_file_result(&recipe, &input, &streamed, latency);
    }
}

/// The equalizer rings ahead of a stem that begins with sound, panning's window spreads that further, and width hears it.
#[test]
fn what_comes_ahead_of_a_stem_is_the_same_in_a_file() {
    let mut input = song(60_000);
    for side in &mut input {
        side.drain(..500);
    }
    for pair in input.chunks_exact_mut(2) {
        pair[1] = pair[0].iter().map(|sample| 0.9 * sample).collect();
    }
    let recipe = Recipe::default().with_amounts([1.0, 1.0, 0.3, 1.0]).with_width(1.0);
    let profile = profile(&recipe, &input);
    assert!(profile.0.iter().flatten().all(|stem| stem.width.unwrap().gains.iter().any(|gain| *gain > 0.0)));
    let mut live = normalizer(&recipe, CorrectionSource::Fixed(profile));
    let latency = live.latency_samples();
    let mut streamed = input.clone();
    streamed.iter_mut().for_each(|channel| channel.resize(channel.len() + latency, 0.0));
    run(&mut live, &mut streamed, || 441);
    assert_is_whole_file_result(&recipe, &input, &streamed, latency);
}

/// Whoever goes on with a normalized file beyond its end needs what a stream puts out there.
#[test]
fn what_comes_behind_a_stem_is_the_same_in_a_file() {
    const TAIL_FRAMES: usize = 20_000;
    let input = song(100_300);
    for recipe in recipes() {
        let mut live = normalizer(&recipe, CorrectionSource::Fixed(profile(&recipe, &input)));
        let latency = live.latency_samples();
        let mut streamed = input.clone();
        streamed.iter_mut().for_each(|channel| channel.resize(channel.len() + TAIL_FRAMES + latency, 0.0));
        run(&mut live, &mut streamed, || 997);
        let mut sounds = false;
        for stem in Stem::ALL {
            let (mut audio, targets) = (buffer(&input, stem), Targets::default());
            let (_, tail) =
                normalize_with_tail(stem, &mut audio, TAIL_FRAMES, &recipe, &targets, RATE_HZ, &mut |_| {})
                    .unwrap();
            let wanted = &streamed[stem.index() * 2][latency..];
            assert!(audio.left[..] == wanted[..audio.frames()], "{stem}, {:?}", recipe.kind);
            assert!(tail.left[..] == wanted[audio.frames()..], "{stem}, {:?}: behind the end", recipe.kind);
            sounds |= tail.left.iter().any(|sample| *sample != 0.0);
        }
        assert!(sounds, "{:?}: nothing is compared", recipe.kind);
    }
}

#[test]
fn without_amounts_the_chain_is_a_pure_delay() {
    let input = song(60_000);
    let mut off = Recipe::default();
    for effect in tributary_dsp::EffectName::ALL {
        off.effect_mut(effect).enabled = false;
    }
    for recipe in [Recipe::bypass(), off] {
        for source in
            [CorrectionSource::Adaptive, CorrectionSource::Fixed(profile(&Recipe::default(), &input))]
        {
            let mut chain = normalizer(&recipe, source);
            let latency = chain.latency_samples();
            assert!(latency <= 4_100, "{latency}");
            let mut output = input.clone();
            run(&mut chain, &mut output, || 97);
            for (output, input) in output.iter().zip(&input) {
                assert!(output[..latency].iter().all(|sample| *sample == 0.0));
                assert!(output[latency..] == input[..input.len() - latency]);
            }
        }
    }
}

#[test]
fn latency_follows_from_the_switches_and_not_from_the_amounts_and_parts_add_up() {
    for recipe in recipes() {
        let chain = normalizer(&recipe, CorrectionSource::Adaptive);
        let sum: usize = chain.latency_parts().iter().map(|part| part.1).sum();
        assert_eq!(chain.latency_samples(), sum);
        let mut at_zero = recipe.clone().with_amounts([0.0; 4]);
        at_zero.width.amount = 0.0;
        let at_zero = normalizer(&at_zero, CorrectionSource::Adaptive);
        assert_eq!(chain.latency_samples(), at_zero.latency_samples());
    }
    let hops = |recipe: &Recipe| {
        normalizer(recipe, CorrectionSource::Adaptive).latency_samples() / tributary_dsp::HOP_FRAMES
    };
    let mut recipe = Recipe::default();
    assert_eq!(hops(&recipe), 3);
    recipe.panning.enabled = false;
    assert_eq!(hops(&recipe), 2);
    recipe.kind = RecipeKind::Tributary;
    assert_eq!(hops(&recipe), 1, "its equalizer has minimum phase");
}

/// The energy of an impulse, corrected by everything at once, still arrives around the reported latency.
#[test]
fn an_impulse_arrives_at_the_latency() {
    let input = song(300_000);
    let profile = profile(&Recipe::default(), &input);
    let mut chain = normalizer(&Recipe::default(), CorrectionSource::Fixed(profile));
    let latency = chain.latency_samples();
    let mut channels = vec![vec![0f32; 20_000]; CHANNELS];
    channels.iter_mut().for_each(|channel| channel[5_000] = 0.5);
    run(&mut chain, &mut channels, || 128);
    for channel in &channels {
        let peak = (0..channel.len()).max_by(|a, b| channel[*a].abs().total_cmp(&channel[*b].abs())).unwrap();
        assert_eq!(peak, 5_000 + latency);
    }
}

#[test]
fn silence_stays_silence() {
    let source = CorrectionSource::Fixed(profile(&Recipe::default(), &song(200_000)));
    for source in [CorrectionSource::Adaptive, source] {
        let mut channels = vec![vec![0f32; 100_000]; CHANNELS];
        run(&mut normalizer(&Recipe::default(), source), &mut channels, || 1_024);
        assert!(channels.iter().flatten().all(|sample| *sample == 0.0));
    }
}

#[test]
fn bad_samples_never_come_out_and_leave_no_lasting_damage() {
    let clean = song(600_000);
    for recipe in recipes() {
        for source in [CorrectionSource::Adaptive, CorrectionSource::Fixed(profile(&recipe, &clean))] {
            let mut bad = clean.clone();
            for channel in &mut bad {
                let evil = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-42, f32::MAX, 1e10, -1e10, 1e-10];
                for n in 0..4_000 {
                    channel[20_000 + n] = evil[n % evil.len()];
                }
            }
            run(&mut normalizer(&recipe, source.clone()), &mut bad, || 2_000);
            assert!(bad.iter().flatten().all(|sample| sample.is_finite()));
            let end = &bad[0][500_000..];
            assert!(end.iter().any(|sample| sample.abs() > 1e-7), "sound comes back");
            assert!(end.iter().all(|sample| sample.abs() < 10.0), "and at a sane level");
        }
    }
}

#[test]
fn process_and_reset_allocate_nothing() {
    let input = song(300_000);
    let fixed = CorrectionSource::Fixed(profile(&Recipe::default(), &input));
    for source in [CorrectionSource::Adaptive, fixed] {
        let mut chain = normalizer(&Recipe::default(), source);
        let mut channels = input.clone();
        let before = ALLOCATIONS.with(Cell::get);
        run(&mut chain, &mut channels, || 480);
        chain.reset();
        let _ = chain.normalize_readings();
        assert_eq!(ALLOCATIONS.with(Cell::get), before);
        // Positive control: the counter sees this thread's allocations.
        drop(std::hint::black_box(vec![1u8; 100]));
        assert!(ALLOCATIONS.with(Cell::get) > before);
    }
}

#[test]
fn adaptive_corrections_settle_hold_in_pauses_and_do_not_pump() {
    let mut channels = song(1_200_000);
    let mut chain = normalizer(&Recipe::default(), CorrectionSource::Adaptive);
    run(&mut chain, &mut channels, || 4_410);
    let settled = chain.normalize_readings();
    let loudness = |reading: &StemReading| reading.loudness.unwrap().gain_db;
    let threshold = |reading: &StemReading| reading.dynamics.unwrap().threshold_db;
    let side = |reading: &StemReading| reading.panning.unwrap().side;
    assert!(settled.iter().all(|reading| reading.equalization.is_some() && loudness(reading) != 0.0));
    // Ten seconds of silence move nothing but the glide that is still under way.
    let mut silence = vec![vec![0f32; 441_000]; CHANNELS];
    run(&mut chain, &mut silence, || 4_410);
    for (before, after) in settled.iter().zip(chain.normalize_readings()) {
        assert!((loudness(before) - loudness(&after)).abs() < 1.0, "{before:?} {after:?}");
        assert!((threshold(before) - threshold(&after)).abs() < 1.0, "{before:?} {after:?}");
        assert!((side(before) - side(&after)).abs() < 0.1, "{before:?} {after:?}");
    }
}

/// Frames after which a glide at [`RATE_HZ`] is certainly over.
const GLIDE_FRAMES: usize = 44_100 * 8 + 2 * 1_024;

/// Largest difference of all channels from frame `from` on.
fn difference(a: &[Vec<f32>], b: &[Vec<f32>], from: usize) -> f32 {
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a[from..].iter().zip(&b[from..]));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_glide_ends_in_the_new_corrections_without_a_click() {
    let input = song(700_000);
    for recipe in recipes() {
        let fixed = CorrectionSource::Fixed(profile(&recipe, &input));
        for (from, to) in [(CorrectionSource::Adaptive, fixed.clone()), (fixed, CorrectionSource::Adaptive)] {
            let (mut old, mut new, mut glided) = (input.clone(), input.clone(), input.clone());
            run(&mut normalizer(&recipe, from.clone()), &mut old, || 4_096);
            run(&mut normalizer(&recipe, to.clone()), &mut new, || 4_096);
            let mut chain = normalizer(&recipe, from);
            let begun = 200_500;
            let mut head: Vec<Vec<f32>> = glided.iter().map(|channel| channel[..begun].to_vec()).collect();
            let mut tail: Vec<Vec<f32>> = glided.iter().map(|channel| channel[begun..].to_vec()).collect();
            run(&mut chain, &mut head, || 500);
            chain.glide_to(Corrections::new(&recipe, &Targets::default(), &to, RATE_HZ).unwrap());
            assert!(chain.is_gliding());
            let before = ALLOCATIONS.with(Cell::get);
            run(&mut chain, &mut tail, || 500);
            assert_eq!(ALLOCATIONS.with(Cell::get), before, "a glide neither allocates nor releases");
            assert!(!chain.is_gliding());
            for ((channel, head), tail) in glided.iter_mut().zip(&head).zip(&tail) {
                channel[..begun].copy_from_slice(head);
                channel[begun..].copy_from_slice(tail);
            }
            let unheard = begun + 6 * 44_100;
            let early = |channels: &[Vec<f32>]| -> Vec<Vec<f32>> {
                channels.iter().map(|channel| channel[..unheard].to_vec()).collect()
            };
            assert!(early(&glided) == early(&old), "nothing changes early");
            assert!(difference(&old, &new, begun + GLIDE_FRAMES) > 0.01, "there is something to glide from");
            if to == CorrectionSource::Adaptive {
                // Estimates that began with the glide are not those of the whole stream: nothing to compare with.
                assert!(difference(&glided, &old, begun + GLIDE_FRAMES) > 0.01);
                continue;
            }
            let left = difference(&glided, &new, begun + GLIDE_FRAMES);
            eprintln!("{:?}: {left:e} from the fixed profile after the glide", recipe.kind);
            assert!(left <= 1e-6, "{left}");
            // Between two neighbors the fade adds at most its slope times the distance of both outputs.
            for (channel, (old, new)) in glided.iter().zip(old.iter().zip(&new)) {
                let step = |signal: &[f32], n: usize| (signal[n] - signal[n - 1]).abs();
                let clicks = |n: &usize| step(channel, *n) > step(old, *n).max(step(new, *n)) + 1e-3;
                assert_eq!((begun..channel.len()).find(clicks), None);
            }
        }
    }
}

#[test]
fn a_restart_during_a_glide_is_a_fresh_start_with_the_new_corrections() {
    let input = song(150_000);
    let recipe = Recipe::default();
    let fixed = CorrectionSource::Fixed(profile(&recipe, &input));
    let corrections =
        |source: &CorrectionSource| Corrections::new(&recipe, &Targets::default(), source, RATE_HZ).unwrap();
    let mut wanted = input.clone();
    run(&mut normalizer(&recipe, fixed.clone()), &mut wanted, || 700);
    for queue in [
        vec![&fixed],
        vec![&CorrectionSource::Adaptive, &fixed],
        vec![&fixed, &CorrectionSource::Adaptive, &fixed],
    ] {
        let mut chain = normalizer(&recipe, CorrectionSource::Adaptive);
        run(&mut chain, &mut input.clone(), || 700);
        queue.into_iter().for_each(|source| chain.glide_to(corrections(source)));
        run(&mut chain, &mut input.clone(), || 700);
        chain.reset();
        assert!(!chain.is_gliding());
        let mut again = input.clone();
        run(&mut chain, &mut again, || 700);
        assert!(again == wanted);
    }
}

/// A song, silence, and another song.
fn with_rest(rest_frames: usize) -> Vec<Vec<f32>> {
    let mut channels = song(200_000);
    for (channel, again) in channels.iter_mut().zip(song(90_000)) {
        channel.resize(200_000 + rest_frames, 0.0);
        channel.extend(again.iter().rev());
    }
    channels
}

/// Runs a song with a rest through a chain and tells whether the chain rested at the end of it.
fn run_with_rest(chain: &mut FxNormalizer, channels: &mut [Vec<f32>], rest_frames: usize) -> bool {
    let mut rested = false;
    let mut from = 0;
    for to in [200_000 + rest_frames, channels[0].len()] {
        let mut part: Vec<Vec<f32>> = channels.iter().map(|channel| channel[from..to].to_vec()).collect();
        run(chain, &mut part, || 777);
        rested |= chain.is_resting();
        channels.iter_mut().zip(&part).for_each(|(channel, part)| channel[from..to].copy_from_slice(part));
        from = to;
    }
    rested
}

#[test]
fn a_rest_changes_no_bit_of_fixed_corrections() {
    // The whole-file passes never rest.
    let rest_frames = 45 * 44_100;
    let input = with_rest(rest_frames);
    for recipe in recipes() {
        let mut chain = normalizer(&recipe, CorrectionSource::Fixed(profile(&recipe, &input)));
        let latency = chain.latency_samples();
        let mut streamed = input.clone();
        streamed.iter_mut().for_each(|channel| channel.resize(channel.len() + latency, 0.0));
        assert!(run_with_rest(&mut chain, &mut streamed, rest_frames));
        assert_is_whole_file_result(&recipe, &input, &streamed, latency);
    }
}

#[test]
fn silence_before_a_song_changes_no_bit() {
    let input = song(300_000);
    // The published rules match panning in the first frames of a stream only, silent or not.
    for recipe in recipes().into_iter().filter(|recipe| recipe.kind != RecipeKind::Published) {
        for source in [CorrectionSource::Adaptive, CorrectionSource::Fixed(profile(&recipe, &input))] {
            let mut wanted = input.clone();
            run(&mut normalizer(&recipe, source.clone()), &mut wanted, || 1_000);
            for leading_hops in [1, 5, 60] {
                let leading_frames = leading_hops * TURNS_HOPS * HOP_FRAMES;
                let mut later = input.clone();
                for channel in &mut later {
                    channel.splice(..0, std::iter::repeat_n(0.0, leading_frames));
                }
                let mut chain = normalizer(&recipe, source.clone());
                run(&mut chain, &mut later, || 999);
                for (later, wanted) in later.iter().zip(&wanted) {
                    assert!(later[leading_frames..] == wanted[..], "{:?}, {leading_hops}", recipe.kind);
                }
            }
        }
    }
}

#[test]
fn time_stands_still_for_resting_estimates() {
    for recipe in recipes() {
        let run = |rest_hops: usize, murmur: f32| {
            // On the grid of hops and of the turns stems take, so that the second song is cut alike.
            let rest_frames = rest_hops * 1_024;
            let mut channels = with_rest(rest_frames);
            for sample in channels.iter_mut().flat_map(|channel| &mut channel[200_000..200_000 + rest_frames])
            {
                *sample += murmur;
            }
            let mut chain = normalizer(&recipe, CorrectionSource::Adaptive);
            let rested = run_with_rest(&mut chain, &mut channels, rest_frames);
            channels.iter_mut().for_each(|channel| drop(channel.drain(..200_000 + rest_frames)));
            (channels, rested)
        };
        let (short, short_rested) = run(1_504, 0.0);
        let (long, long_rested) = run(3_000, 0.0);
        assert!(short_rested && long_rested);
        assert!(short == long, "the length of a rest does not matter");
        // A murmur that nobody hears keeps the chain awake.
        let (awake, rested) = run(3_000, 1e-30);
        assert!(!rested);
        let left = difference(&awake, &long, 0);
        eprintln!("{:?}: {left:e} from a chain that was never at rest", recipe.kind);
        assert!(left < 1e-7, "{left}");
    }
}
