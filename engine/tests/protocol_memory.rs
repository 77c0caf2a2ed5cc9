//! The stream protocol under the memory model: `protocol.rs` itself, compiled here with loom's atomics in the place of the
//! standard library's, between two threads that make their looks in the order that `protocol.rs` states. Loom runs every
//! interleaving and every value that a relaxed or acquiring load may return, up to a few preemptions. The walk in
//! `engine/protocol.rs` covers longer stories of a model; this one covers the real words and their orderings.
//!
//! The rings are stand-ins: what they promise – a fill that is seen brings the frames – is the promise of `rtrb`.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(dead_code, reason = "not every word of the protocol is needed here")]

#[path = "../src/live/protocol.rs"]
mod protocol;

/// What `protocol.rs` finds as `super::atomics` here.
mod atomics {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
}

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use protocol::{NO_STREAM, Shared};

/// Preemptions of a thread that are tried; more find nothing that three do not (CHESS, Musuvathi and Qadeer 2007).
const PREEMPTIONS: usize = 3;
/// Frames that fit into a ring here.
const ROOM: usize = 4;

/// A ring that is never full: frames, and how many there are.
#[derive(Default)]
struct Ring {
    frames: [AtomicU64; ROOM],
    written: AtomicU64,
}

impl Ring {
    fn push(&self, at: u64, frame: u64) {
        self.frames[at as usize].store(frame, Ordering::Relaxed);
        self.written.store(at + 1, Ordering::Release);
    }

    fn fill(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    fn frame(&self, at: u64) -> u64 {
        self.frames[at as usize].load(Ordering::Relaxed)
    }
}

#[derive(Default)]
struct World {
    shared: Shared,
    input: Ring,
    output: Ring,
}

/// Which two looks are taken in the wrong order, to show that it would be noticed.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    Worker,
    Audio,
}

/// The place in the song of a stream, so that a stream with another one's place is noticed.
fn song_frame(stream: u64) -> i64 {
    100 + stream as i64
}

/// Rounds of the worker: it answers each stream with frames that say which stream and place they were made for.
fn work(world: &World, mistake: Mistake) {
    let (mut stream, mut place, mut taken, mut written, mut made) = (NO_STREAM, 0, 0, 0, 0);
    for _ in 0..2 {
        let early = world.shared.requested_stream();
        let fill = world.input.fill();
        let requested = if mistake == Mistake::Worker { early } else { world.shared.requested_stream() };
        if requested != stream {
            stream = requested;
            place = world.shared.song_frame();
            world.shared.acknowledge(stream, written, written);
            made = 0;
        }
        while taken < fill {
            if stream != NO_STREAM && taken >= stream {
                world.output.push(written, stream * 1000 + place as u64);
                written += 1;
                made += 1;
            }
            taken += 1;
        }
        let due = if stream == NO_STREAM { 0 } else { taken.saturating_sub(stream) };
        assert_eq!(made, due, "a frame of the stream was lost");
    }
}

/// Two streams of one frame each; what comes out is looked at after each.
fn play(world: &World, mistake: Mistake) {
    let mut read = 0;
    for stream in 0..2 {
        world.shared.start_stream(stream, song_frame(stream));
        world.input.push(stream, stream);
        let early = world.shared.output_starts(stream);
        let fill = world.output.fill();
        let starts = if mistake == Mistake::Audio { early } else { world.shared.output_starts(stream) };
        let Some((start, _)) = starts else {
            // What is seen while the worker is elsewhere is thrown away – but only what was seen before that look.
            read = if mistake == Mistake::Audio { world.output.fill() } else { fill };
            continue;
        };
        assert!(read <= start, "the stream's first frame was thrown away");
        for at in start..world.output.fill() {
            let wanted = stream * 1000 + song_frame(stream) as u64;
            assert_eq!(world.output.frame(at), wanted, "a frame of another stream, or of another place");
        }
    }
    // The worker comes to the last stream in the end; its first frame must still be there.
    if let Some((start, _)) = world.shared.output_starts(1) {
        assert!(read <= start, "the stream's first frame was thrown away");
    }
}

fn explore(mistake: Mistake) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let world = Arc::new(World::default());
        let other = Arc::clone(&world);
        let worker = thread::spawn(move || work(&other, mistake));
        play(&world, mistake);
        worker.join().unwrap();
    });
}

#[test]
fn the_real_words_keep_streams_apart() {
    explore(Mistake::None);
}

#[test]
#[should_panic(expected = "lost")]
fn a_worker_that_looks_in_the_wrong_order_is_noticed() {
    explore(Mistake::Worker);
}

#[test]
#[should_panic(expected = "thrown away")]
fn an_audio_side_that_looks_in_the_wrong_order_is_noticed() {
    explore(Mistake::Audio);
}
