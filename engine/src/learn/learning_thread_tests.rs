//! What ends an analysis, on a stretch that is there already.

use std::path::PathBuf;

use super::super::capture::{CHUNK_FRAMES, CHUNK_SAMPLES};
use super::*;

/// Chunks of a stretch: 3 s, in which listening never looks at the free space after its start.
const CHUNKS: usize = 32;

fn limits(name: &str) -> CaptureLimits {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("tributary-learning-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    CaptureLimits { folder, longest_s: 60.0, reserve_bytes: 0 }
}

/// Four loud stems.
fn take(limits: &CaptureLimits) -> Take {
    let mut capture = Capture::start(limits.clone(), 44_100.0).expect("a file");
    for chunk in 0..CHUNKS {
        let sample = |at: usize| 0.3 * ((chunk * CHUNK_SAMPLES + at) as f32 * 0.05).sin();
        let planes: Vec<f32> = (0..CHUNK_SAMPLES).map(sample).collect();
        assert_eq!(capture.append(&planes, CHUNK_FRAMES), Ok(true));
    }
    capture.finish().expect("a stretch")
}

fn thread() -> LearningThread {
    let normalization =
        Normalization { recipe: Default::default(), targets: Default::default(), sample_rate_hz: 44_100 };
    LearningThread {
        run: Run::default(),
        state: Arc::default(),
        normalization: Arc::new(normalization),
        network: None,
        commands: crossbeam_channel::unbounded().0,
        observer: Arc::default(),
    }
}

/// Silence that was only counted is written out while a song is measured, so the disk can fill up then as well.
#[test]
fn a_disk_that_fills_up_while_a_song_is_analyzed_ends_that() {
    let limits = limits("full");
    let thread = thread();
    let refused = thread.analyze(take(&limits), &CaptureLimits { reserve_bytes: u64::MAX, ..limits.clone() });
    assert!(
        refused.as_ref().is_err_and(|reason| reason.to_string().contains("too little room")),
        "{refused:?}"
    );
    let status = lock(&thread.state).status.clone();
    assert_eq!(status.song, None, "nothing is in force by a part of the song");

    assert!(thread.analyze(take(&limits), &limits).is_ok(), "the same with room");
    let learned = lock(&thread.state).status.song.clone().expect("a profile");
    assert!(learned.profile.0.iter().all(Option::is_some));
    std::fs::remove_dir_all(limits.folder).expect("removed");
}
