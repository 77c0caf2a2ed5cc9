//! Stretches and their limits: what is kept, what is cut, what happens when the disk gives up.

use tributary_dsp::StemStore;

use super::*;

/// A chunk whose planes hold their number plus `value`.
fn chunk(value: f32, frames: usize) -> Vec<f32> {
    let sample =
        |at: usize| if at % CHUNK_FRAMES < frames { value + (at / CHUNK_FRAMES) as f32 } else { 0.0 };
    (0..CHUNK_SAMPLES).map(sample).collect()
}

fn silence() -> Vec<f32> {
    vec![0.0; CHUNK_SAMPLES]
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tributary-capture-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

fn limits(name: &str) -> CaptureLimits {
    CaptureLimits { folder: folder(name), longest_s: 60.0, reserve_bytes: 0 }
}

fn left(take: &mut Take, stem: Stem) -> Vec<f32> {
    let stem = take.stem(stem);
    let (mut left, mut right) = (vec![0.0; stem.frames()], vec![0.0; stem.frames()]);
    stem.read(0, &mut left, &mut right).expect("a readable file");
    assert!(left.iter().zip(&right).all(|(left, right)| *left == 0.0 || right - left == 1.0));
    left
}

#[test]
fn a_stretch_comes_back_and_its_stems_can_be_overwritten_apart() {
    let mut capture = Capture::start(limits("back"), 44_100.0).expect("a file");
    for value in [10.0, 20.0] {
        assert_eq!(capture.append(&chunk(value, CHUNK_FRAMES), CHUNK_FRAMES), Ok(true));
    }
    capture.append(&chunk(30.0, 100), 100).expect("room");
    let mut take = capture.finish().expect("a stretch");
    assert_eq!(take.frames(), 2 * CHUNK_FRAMES + 100);
    assert_eq!(take.heard(), [true; 4]);
    let bass = left(&mut take, Stem::Bass);
    assert_eq!([bass[0], bass[CHUNK_FRAMES], bass[2 * CHUNK_FRAMES + 99]], [12.0, 22.0, 32.0]);
    let drums = take.stem(Stem::Drums);
    let (ones, twos) = (vec![1.0; 5_000], vec![2.0; 5_000]);
    drums.write(1_000, &ones, &twos).expect("room");
    let drums = left(&mut take, Stem::Drums);
    assert_eq!([drums[999], drums[1_000], drums[5_999], drums[6_000]], [14.0, 1.0, 1.0, 24.0]);
    assert!(left(&mut take, Stem::Bass) == bass, "the others stay as they are");
    assert_eq!(std::fs::read_dir(folder("back")).expect("a folder").count(), 0, "the file has no name");
}

#[test]
fn long_silence_is_cut_at_the_ends_and_kept_within() {
    let mut capture = Capture::start(limits("silence"), 44_100.0).expect("a file");
    let kept = SILENT_FRAMES_KEPT;
    (0..100).for_each(|_| drop(capture.append(&silence(), CHUNK_FRAMES)));
    capture.append(&chunk(1.0, CHUNK_FRAMES), CHUNK_FRAMES).expect("room");
    (0..50).for_each(|_| drop(capture.append(&silence(), CHUNK_FRAMES)));
    capture.append(&chunk(2.0, CHUNK_FRAMES), CHUNK_FRAMES).expect("room");
    (0..99).for_each(|_| drop(capture.append(&silence(), CHUNK_FRAMES)));
    let mut take = capture.finish().expect("a stretch");
    let vocals = left(&mut take, Stem::Vocals);
    assert_eq!(vocals.len(), 2 * kept + 52 * CHUNK_FRAMES);
    assert_eq!([vocals[kept - 1], vocals[kept], vocals[kept + 51 * CHUNK_FRAMES]], [0.0, 1.0, 2.0]);
    assert_eq!(vocals[vocals.len() - 1], 0.0);
}

/// A host whose transport stands may send silence for an hour: that is no part of a song, and must not fill the disk.
#[test]
fn sound_after_a_very_long_silence_begins_another_stretch() {
    let mut capture = Capture::start(limits("pause"), 44_100.0).expect("a file");
    let sound = |capture: &mut Capture, value: f32, chunks: usize| {
        (0..chunks).for_each(|_| drop(capture.append(&chunk(value, CHUNK_FRAMES), CHUNK_FRAMES)));
    };
    sound(&mut capture, 1.0, 7);
    let hour_chunks = (3600.0 * 44_100.0 / CHUNK_FRAMES as f64) as usize;
    (0..hour_chunks).for_each(|_| drop(capture.append(&silence(), CHUNK_FRAMES)));
    sound(&mut capture, 2.0, 3);
    assert_eq!(capture.current().frames(), SILENT_FRAMES_KEPT + 3 * CHUNK_FRAMES);
    assert_eq!(capture.best_frames(), 7 * CHUNK_FRAMES + SILENT_FRAMES_KEPT);
    let mut take = capture.finish().expect("a stretch");
    let vocals = left(&mut take, Stem::Vocals);
    assert_eq!(vocals.len(), 7 * CHUNK_FRAMES + SILENT_FRAMES_KEPT);
    assert_eq!((vocals[0], vocals[7 * CHUNK_FRAMES]), (1.0, 0.0));
}

#[test]
fn short_silence_at_the_end_is_kept_to_the_frame() {
    let mut capture = Capture::start(limits("end"), 44_100.0).expect("a file");
    capture.append(&chunk(1.0, CHUNK_FRAMES), CHUNK_FRAMES).expect("room");
    capture.append(&silence(), CHUNK_FRAMES).expect("room");
    capture.append(&silence(), 77).expect("room");
    let mut take = capture.finish().expect("a stretch");
    assert_eq!(left(&mut take, Stem::Other).len(), 2 * CHUNK_FRAMES + 77);
}

#[test]
fn the_longest_stretch_between_restarts_counts() {
    let mut capture = Capture::start(limits("longest"), 44_100.0).expect("a file");
    for (value, chunks) in [(1.0, 2), (10.0, 5), (20.0, 3), (0.0, 0)] {
        (0..chunks).for_each(|_| drop(capture.append(&chunk(value, CHUNK_FRAMES), CHUNK_FRAMES)));
        capture.restart().expect("room");
    }
    assert_eq!(capture.best_frames(), 5 * CHUNK_FRAMES);
    let mut take = capture.finish().expect("a stretch");
    assert_eq!(left(&mut take, Stem::Vocals), vec![10.0; 5 * CHUNK_FRAMES]);
}

#[test]
fn the_limit_ends_the_capture() {
    let limits = CaptureLimits { longest_s: 0.2, ..limits("limit") };
    let mut capture = Capture::start(limits, 44_100.0).expect("a file");
    let more: Vec<bool> =
        (0..3).map(|_| capture.append(&chunk(1.0, CHUNK_FRAMES), CHUNK_FRAMES).expect("room")).collect();
    assert_eq!(more, [true, true, false]);
}

#[test]
fn quiet_stems_are_not_heard() {
    let mut capture = Capture::start(limits("quiet"), 44_100.0).expect("a file");
    let mut planes = silence();
    planes[5] = 0.003;
    planes[2 * CHUNK_FRAMES] = -0.004;
    capture.append(&planes, CHUNK_FRAMES).expect("room");
    assert_eq!(capture.current().heard(), [false, true, false, false]);
}

#[test]
fn no_room_and_no_folder_end_in_a_sentence() {
    let sentence = |limits| Capture::start(limits, 44_100.0).err().expect("refused").to_string();
    let full = sentence(CaptureLimits { reserve_bytes: u64::MAX, ..limits("full") });
    assert!(full.contains("too little room"), "{full}");
    let absent = sentence(CaptureLimits { folder: "/nowhere/at/all".into(), ..limits("absent") });
    assert!(absent.contains("/nowhere/at/all cannot be written"), "{absent}");
}

#[test]
#[cfg(unix)] // Elsewhere a folder with open files cannot be removed.
fn the_end_of_a_stretch_needs_no_further_files() {
    let limits = limits("end");
    let mut capture = Capture::start(limits.clone(), 44_100.0).expect("a file");
    capture.append(&chunk(1.0, CHUNK_FRAMES), CHUNK_FRAMES).expect("room");
    std::fs::remove_dir_all(limits.folder).expect("no file there has a name");
    assert_eq!(capture.finish().expect("a stretch").frames(), CHUNK_FRAMES);
}

#[test]
fn a_full_disk_is_told_from_a_broken_one() {
    let told = |kind: ErrorKind| describe(kind.into(), Path::new("/tmp")).to_string();
    assert!(told(ErrorKind::StorageFull).contains("too little room"));
    assert!(told(ErrorKind::QuotaExceeded).contains("too little room"));
    assert!(told(ErrorKind::BrokenPipe).contains("cannot be used: broken pipe"));
}
