//! Learned profiles through the whole engine: the live output equals the offline chain of the same audio, glides to it
//! without a click, and whatever goes wrong ends in a sentence, without a file or a thread left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tributary_dsp::{
    CHANNELS, CorrectionSource, Recipe, SongProfile, Stem, StereoBuffer, Targets, normalize_stem,
    profile_song,
};
use tributary_engine::resample::convert;
use tributary_engine::test_support::SlowModel;
use tributary_engine::{
    AudioSide, CaptureLimits, Engine, EngineConfig, EngineHandle, LearnedSong, LearningPhase, LearningStatus,
    ModelSource, Pipeline, Settings, SumModel,
};

use crate::alloc::allocations;
use crate::common::{Noise, TemporaryFolder, difference, part, run_pipeline};
use crate::realtime::{CALM_GEOMETRY, OFFLINE, largest_step, play, render, wait_until_ready};

const RATE_HZ: f64 = 44_100.0;

/// Four stems of decaying notes, different on every channel, that begin and end with the song.
pub fn song(frames: usize) -> [Vec<f32>; CHANNELS] {
    std::array::from_fn(|channel| {
        let mut noise = Noise(900 + channel as u64);
        let (mut level, mut pitch) = (0.0_f32, 0.1_f32);
        let note = |n: usize| {
            if n % 11_000 == 500 + 100 * (channel / 2) {
                level = 0.2 + 0.2 * noise.sample();
                pitch = 0.05 + 0.04 * noise.sample();
            }
            level *= 0.999_8;
            level * ((n as f32 * pitch).sin() + 0.2 * noise.sample())
        };
        (0..frames).map(note).collect()
    })
}

pub fn stem_of(stems: &[Vec<f32>; CHANNELS], stem: Stem) -> StereoBuffer {
    let index = 2 * stem.index();
    StereoBuffer { left: stems[index].clone(), right: stems[index + 1].clone() }
}

/// Every effect at full amount.
fn engine(recipe: &Recipe, host_rate_hz: f64, max_block: usize) -> (AudioSide, EngineHandle) {
    let model = ModelSource::Custom {
        geometry: CALM_GEOMETRY,
        recipe: recipe.clone(),
        targets: Box::default(),
        limiter: None,
        load: Box::new(|_| Ok(Box::new(SumModel::new(CALM_GEOMETRY)))),
    };
    let corrections = CorrectionSource::Adaptive;
    Engine::start(EngineConfig { model, corrections, host_rate_hz, max_block })
}

pub fn limits(folder: &TemporaryFolder) -> CaptureLimits {
    CaptureLimits { folder: folder.0.clone(), longest_s: 60.0, reserve_bytes: 0 }
}

pub fn wait_for(handle: &EngineHandle, wanted: impl Fn(&LearningStatus) -> bool) -> LearningStatus {
    let started = Instant::now();
    loop {
        let status = handle.learning().status();
        if wanted(&status) {
            return status;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{status:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Plays the stems once while the engine listens, and waits for the profile.
pub fn learn(audio: &mut AudioSide, handle: &EngineHandle, stems: &[Vec<f32>; CHANNELS]) -> LearnedSong {
    static LEARNED: AtomicU64 = AtomicU64::new(0);
    let folder = TemporaryFolder::new(&format!("learn-{}", LEARNED.fetch_add(1, Relaxed)));
    handle.learning().start_within(limits(&folder));
    render(audio, stems, &OFFLINE, || 1000);
    handle.learning().finish();
    let status = wait_for(handle, |status| status.phase == LearningPhase::Learned);
    assert_eq!(status.message, None);
    LearnedSong::clone(&status.song.unwrap())
}

/// The sum of the stems, each normalized as a whole file: the offline chain.
fn offline(stems: &[Vec<f32>; CHANNELS], recipe: &Recipe) -> [Vec<f32>; 2] {
    let mut sum = [vec![0.0; stems[0].len()], vec![0.0; stems[0].len()]];
    for stem in Stem::ALL {
        let (normalized, _) =
            normalize_stem(stem, &stem_of(stems, stem), recipe, &Targets::default(), RATE_HZ).unwrap();
        for (sum, side) in sum.iter_mut().zip([normalized.left, normalized.right]) {
            sum.iter_mut().zip(side).for_each(|(sum, sample)| *sum += sample);
        }
    }
    sum
}

/// Largest difference of a live output and the wanted one, latency aligned.
fn distance(live: &[Vec<f32>; 2], wanted: &[Vec<f32>; 2], latency: usize) -> f32 {
    let frames = wanted[0].len().min(live[0].len() - latency);
    let side = |side: usize| difference(&live[side][latency..latency + frames], &wanted[side][..frames]);
    side(0).max(side(1))
}

/// Samples of a file, left and right.
fn read_wav(path: &std::path::Path) -> [Vec<f32>; 2] {
    let mut file = hound::WavReader::open(path).unwrap();
    assert_eq!((file.spec().channels, file.spec().sample_rate), (2, 44_100));
    let samples: Vec<f32> = file.samples().collect::<Result<_, _>>().unwrap();
    [0, 1].map(|side| samples[side..].iter().step_by(2).copied().collect())
}

/// Whole files are normalized by `normalize_stem` wherever that is done: these are what `tributary normalize` writes of the song.
#[test]
fn the_normalized_stems_are_written_with_the_analysis_if_asked() {
    let stems = song(4 * 44_100);
    let root = TemporaryFolder::new("export");
    let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 2048);
    let wanted = root.0.join("stems");
    for (asked, folder) in [(true, "Song of 0 min 04 s"), (false, ""), (true, "Song of 0 min 04 s (2)")] {
        handle.learning().export_to(asked.then(|| wanted.clone()));
        learn(&mut audio, &handle, &stems);
        audio.reset();
        let said = handle.learning().status().exported;
        assert!(!handle.learning().exports(), "for one song");
        if !asked {
            assert_eq!(said, None);
            continue;
        }
        let folder = wanted.join(folder);
        assert_eq!(said, Some(format!("The normalized stems are in {}.", folder.display())));
        for stem in Stem::ALL {
            let written = read_wav(&folder.join(stem.name()).with_extension("wav"));
            let whole = normalize_stem(
                stem,
                &stem_of(&stems, stem),
                &Recipe::default(),
                &Targets::default(),
                RATE_HZ,
            );
            let (whole, _) = whole.unwrap();
            assert!(written == [whole.left, whole.right], "{stem}");
        }
    }
    assert_eq!(std::fs::read_dir(&wanted).unwrap().count(), 2, "and nothing beside them");
    // Where a file is in the way it is said, and the song is learned all the same.
    let file = root.0.join("file");
    std::fs::write(&file, "").unwrap();
    handle.learning().export_to(Some(file));
    learn(&mut audio, &handle, &stems);
    let said = handle.learning().status().exported.unwrap();
    assert!(said.contains("cannot be written"), "{said}");
}

#[test]
fn a_learned_profile_equals_the_offline_chain_for_any_partition_and_after_restoring() {
    let stems = song(6 * 44_100);
    let mut recipe = Recipe::published();
    recipe.reverb.enabled = true;
    for recipe in [Recipe::default(), recipe] {
        let wanted = offline(&stems, &recipe);
        let (mut audio, handle) = engine(&recipe, RATE_HZ, 2048);
        let learned = learn(&mut audio, &handle, &stems);
        assert!((learned.length_s - 6.0).abs() < 1e-9, "captured to the frame: {}", learned.length_s);
        audio.reset();
        let again = render(&mut audio, &stems, &OFFLINE, || 512);
        let latency = audio.latency_frames();
        let worst = distance(&again, &wanted, latency);
        eprintln!("{:?}, learned and started anew: {worst:e}", recipe.kind);
        assert!(worst <= 1e-4, "{worst}");

        let saved = serde_json::to_string(&learned).unwrap();
        for (seed, most) in [(1, 100), (2, 5000)] {
            let restored: LearnedSong = serde_json::from_str(&saved).unwrap();
            let (mut audio, handle) = engine(&recipe, RATE_HZ, 2048);
            handle.learning().restore(restored).unwrap();
            assert_eq!(handle.learning().status().phase, LearningPhase::Learned);
            let mut noise = Noise(seed);
            let out = render(&mut audio, &stems, &OFFLINE, || 1 + noise.below(most));
            let worst = distance(&out, &wanted, latency);
            eprintln!("{:?}, restored, blocks up to {most}: {worst:e}", recipe.kind);
            assert!(worst <= 1e-4, "{worst}");
        }
    }
}

/// At another host rate the captured stems are the resampled ones: the profile is that of the resampled files, as the
/// command line measures them, and the output that of the pipeline with this profile.
#[test]
fn at_48_khz_the_profile_is_that_of_the_resampled_song() {
    let mut stems = song(6 * 48_000);
    // The song ends before listening does, so that the converter has put out its last sound.
    stems.iter_mut().for_each(|channel| channel[6 * 48_000 - 4_800..].fill(0.0));
    let recipe = Recipe::default();
    let files = Stem::ALL.map(|stem| convert(&stem_of(&stems, stem), 48_000.0, RATE_HZ).unwrap());
    let profile: SongProfile =
        profile_song(files.each_ref().map(Some), &recipe, &Targets::default(), RATE_HZ, &mut |_| {}).unwrap();
    let model = Box::new(SumModel::new(CALM_GEOMETRY));
    let source = CorrectionSource::Fixed(profile);
    let mut pipeline = Pipeline::new(model, &recipe, &Targets::default(), source, None, 48_000.0).unwrap();
    let (wanted, _) = run_pipeline(&mut pipeline, &stems, &[4096]);

    let (mut audio, handle) = engine(&recipe, 48_000.0, 512);
    learn(&mut audio, &handle, &stems);
    audio.reset();
    let mut noise = Noise(5);
    let out = render(&mut audio, &stems, &OFFLINE, || 1 + noise.below(700));
    let worst = distance(&out, &wanted, audio.latency_frames());
    eprintln!("48 kHz: {worst:e}");
    assert!(worst <= 1e-4, "{worst}");
}

#[test]
fn the_output_glides_to_the_learned_profile_and_back_without_a_click() {
    let stems = song(10 * 44_100);
    let recipe = Recipe::default();
    let (mut audio, handle) = engine(&recipe, RATE_HZ, 512);
    let learned = learn(&mut audio, &handle, &stems);
    // The same song goes on and on; the stream is not started anew.
    let latency = audio.latency_frames();
    let twice: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| stems[channel].repeat(3));
    let model = Box::new(SumModel::new(CALM_GEOMETRY));
    let source = CorrectionSource::Fixed(learned.profile);
    let mut pipeline = Pipeline::new(model, &recipe, &Targets::default(), source, None, RATE_HZ).unwrap();
    let (wanted, _) = run_pipeline(&mut pipeline, &twice, &[4096]);
    let going_on: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| stems[channel].repeat(2));
    let out = render(&mut audio, &going_on, &OFFLINE, || 512);
    let glide = latency + 8 * 44_100 + 2 * 1024;
    let tail = |side: usize| {
        let live = &out[side][glide..];
        difference(live, &wanted[side][stems[0].len() - latency + glide..][..live.len()])
    };
    eprintln!("after the glide: {:e}", tail(0).max(tail(1)));
    assert!(tail(0).max(tail(1)) <= 1e-4);
    let early = difference(&out[0][latency..latency + 44_100], &wanted[0][stems[0].len()..][..44_100]);
    assert!(early > 0.01, "there is something to glide from: {early}");
    assert!(largest_step(&out[0]) <= 1.5 * largest_step(&wanted[0]), "a click");

    handle.learning().forget();
    assert_eq!(handle.learning().status().phase, LearningPhase::Adaptive);
    audio.reset();
    let adaptive = render(&mut audio, &stems, &OFFLINE, || 512);
    let (mut fresh, _fresh) = engine(&recipe, RATE_HZ, 512);
    assert!(adaptive == render(&mut fresh, &stems, &OFFLINE, || 512), "forgotten is as never learned");
}

#[test]
fn a_jump_begins_another_stretch_and_the_longest_counts() {
    let stems = song(8 * 44_100);
    let folder = TemporaryFolder::new("jump");
    let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 512);
    handle.learning().start_within(limits(&folder));
    // Something is played, then the song from its start, then its start again.
    for (from, to) in [(50_000, 90_000), (0, stems[0].len()), (0, 100_000)] {
        let piece: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| stems[channel][from..to].to_vec());
        audio.reset();
        render(&mut audio, &piece, &OFFLINE, || 512);
        // What the worker has not taken when the stream is given up, it drops; on a busy machine that is a lot.
        wait_for(&handle, |status| status.captured_s * RATE_HZ > (to - from - 4_096) as f64);
    }
    let status = wait_for(&handle, |status| status.kept_s > 7.9);
    assert_eq!(status.phase, LearningPhase::Listening);
    assert_eq!(status.heard, [true; 4]);
    handle.learning().finish();
    let learned = wait_for(&handle, |status| status.phase == LearningPhase::Learned).song.unwrap();
    let frames = (learned.length_s * RATE_HZ).round() as usize;
    assert!((stems[0].len() - 4_096..=stems[0].len()).contains(&frames), "{frames}");
    let heard: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| stems[channel][..frames].to_vec());
    let files = Stem::ALL.map(|stem| stem_of(&heard, stem));
    let (recipe, targets) = (Recipe::default(), Targets::default());
    let wanted = profile_song(files.each_ref().map(Some), &recipe, &targets, RATE_HZ, &mut |_| {}).unwrap();
    assert_eq!(learned.profile, wanted);
}

#[test]
fn silence_teaches_nothing_and_stems_that_stay_silent_get_no_profile() {
    let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 512);
    let folder = TemporaryFolder::new("silent");
    let mut stems = song(5 * 44_100);
    let silent: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; 50_000]);
    handle.learning().start_within(limits(&folder));
    render(&mut audio, &silent, &OFFLINE, || 512);
    handle.learning().finish();
    let status = wait_for(&handle, |status| status.phase == LearningPhase::Adaptive);
    assert!(status.message.as_ref().unwrap().contains("nothing to learn from"), "{status:?}");

    for channel in [2, 3] {
        stems[channel].fill(0.0);
    }
    let learned = learn(&mut audio, &handle, &stems);
    let present: Vec<bool> = learned.profile.0.iter().map(Option::is_some).collect();
    assert_eq!(present, [true, false, true, true]);
}

#[test]
fn without_room_or_folder_adapting_goes_on_and_the_reason_is_said() {
    let stems = song(60_000);
    let (mut fresh, _fresh) = engine(&Recipe::default(), RATE_HZ, 512);
    let wanted = render(&mut fresh, &stems, &OFFLINE, || 512);
    let absent = CaptureLimits { folder: "/nowhere/at/all".into(), ..CaptureLimits::default() };
    let full = CaptureLimits { reserve_bytes: u64::MAX, ..CaptureLimits::default() };
    for (limits, sentence) in [(absent, "/nowhere/at/all cannot be written"), (full, "too little room")] {
        let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 512);
        handle.learning().start_within(limits);
        assert!(wanted == render(&mut audio, &stems, &OFFLINE, || 512));
        let status = wait_for(&handle, |status| status.message.is_some());
        assert_eq!(status.phase, LearningPhase::Adaptive);
        assert!(status.message.unwrap().contains(sentence));
    }
    let missing = ModelSource::Missing { reason: "No model.".into() };
    let corrections = CorrectionSource::Adaptive;
    let config = EngineConfig { model: missing, corrections, host_rate_hz: RATE_HZ, max_block: 512 };
    let (_audio, handle) = Engine::start(config);
    handle.learning().start();
    assert!(handle.learning().status().message.unwrap().contains("no model"));
}

#[test]
fn the_limit_ends_listening_by_itself() {
    let folder = TemporaryFolder::new("limit");
    let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 512);
    handle.learning().start_within(CaptureLimits { longest_s: 3.0, ..limits(&folder) });
    render(&mut audio, &song(5 * 44_100), &OFFLINE, || 512);
    let learned = wait_for(&handle, |status| status.phase == LearningPhase::Learned).song.unwrap();
    assert!((3.0..3.2).contains(&learned.length_s), "{}", learned.length_s);
}

/// Open files in a folder, with a name or without.
fn open_files(folder: &TemporaryFolder) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    links
        .filter_map(|link| std::fs::read_link(link.path()).ok())
        .filter(|path| path.starts_with(&folder.0))
        .count()
}

#[test]
fn cancelling_and_dropping_leave_nothing_behind() {
    let stems = song(6 * 44_100);
    for (name, analyzing, dropped) in
        [("cancel", false, false), ("cancel2", true, false), ("drop", false, true), ("drop2", true, true)]
    {
        let folder = TemporaryFolder::new(name);
        let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 512);
        handle.learning().start_within(limits(&folder));
        render(&mut audio, &stems, &OFFLINE, || 512);
        wait_for(&handle, |status| status.captured_s > 1.0);
        if cfg!(target_os = "linux") {
            assert!(open_files(&folder) > 0, "the capture is on the disk");
        }
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0, "but has no name");
        if analyzing {
            handle.learning().finish();
            wait_for(&handle, |status| status.phase == LearningPhase::Analyzing);
        }
        let learning = Arc::clone(handle.learning());
        let started = Instant::now();
        if dropped {
            drop(handle);
            assert_eq!(open_files(&folder), 0, "{name}");
        } else {
            learning.cancel();
            while open_files(&folder) > 0 {
                assert!(started.elapsed() < Duration::from_secs(10), "{name}");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{name}: {:?}", started.elapsed());
        assert_eq!(learning.status(), LearningStatus::default(), "{name}");
        learning.start();
        assert!(
            !dropped || learning.status().phase == LearningPhase::Adaptive,
            "a dropped engine does not learn"
        );
        drop(audio);
    }
}

#[test]
fn what_was_learned_for_another_normalization_is_refused() {
    let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 512);
    let learned = learn(&mut audio, &handle, &song(3 * 44_100));
    let (_other, other) = engine(&Recipe::default().with_amounts([1.0, 1.0, 1.0, 0.5]), RATE_HZ, 512);
    assert!(other.learning().restore(learned.clone()).unwrap_err().contains("normalizes otherwise"));
    assert_eq!(other.learning().status().phase, LearningPhase::Adaptive);
    let mut damaged = learned;
    damaged.profile.0[0].as_mut().unwrap().loudness.as_mut().unwrap().gain_db = f64::INFINITY;
    assert!(handle.learning().restore(damaged).unwrap_err().contains("cannot be used"));
    assert_eq!(
        handle.learning().status().phase,
        LearningPhase::Adaptive,
        "what was in force is given up too"
    );
}

#[test]
fn the_audio_side_allocates_nothing_while_it_is_listened_to() {
    let folder = TemporaryFolder::new("allocations");
    let (mut audio, handle) = engine(&Recipe::default(), RATE_HZ, 256);
    wait_until_ready(&handle);
    handle.learning().start_within(limits(&folder));
    let stems = song(1_024);
    let mut main = [vec![0.0; 256], vec![0.0; 256]];
    let mut counted = 0;
    for round in 0..600 {
        let [left, right] = &mut main;
        counted += allocations(|| {
            if round == 300 {
                audio.reset();
            }
            audio.process([left, right], part(&stems, 600..856), &Settings::default());
        });
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(counted, 0);
    // Positive control: it was captured meanwhile, before the reset and after it.
    let status = wait_for(&handle, |status| status.captured_s > 0.5 && status.kept_s > 0.5);
    assert_eq!(status.phase, LearningPhase::Listening);
}

#[test]
fn no_hop_is_late_because_of_an_analysis() {
    let slowness = Arc::new(AtomicU64::new(0));
    let model = ModelSource::Custom {
        geometry: CALM_GEOMETRY,
        recipe: Recipe::default(),
        targets: Box::default(),
        limiter: None,
        load: Box::new(move |_| Ok(Box::new(SlowModel::new(CALM_GEOMETRY, slowness)))),
    };
    let corrections = CorrectionSource::Adaptive;
    let (mut audio, handle) =
        Engine::start(EngineConfig { model, corrections, host_rate_hz: RATE_HZ, max_block: 2048 });
    wait_until_ready(&handle);
    let folder = TemporaryFolder::new("late");
    handle.learning().start_within(limits(&folder));
    let stems = song(25 * 44_100);
    render(&mut audio, &stems, &OFFLINE, || 2048);
    audio.reset();
    handle.learning().finish();
    let before = handle.report().underruns;
    let mut analyzed_blocks = 0;
    let piece: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| stems[channel][..4 * 44_100].to_vec());
    play(&mut audio, &piece, 2048, |_| {
        analyzed_blocks += usize::from(handle.learning().status().phase == LearningPhase::Analyzing);
    });
    assert!(analyzed_blocks > 5, "the song was analyzed within {analyzed_blocks} blocks: nothing was tested");
    assert_eq!(handle.report().underruns - before, 0);
}
