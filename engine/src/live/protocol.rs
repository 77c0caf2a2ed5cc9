//! What the audio thread and the worker share besides the four rings of interleaved frames: the stream protocol.
//!
//! Frames are never labeled. Both sides count them: a frame's absolute number is how many frames went through the ring
//! before it. A *stream* starts at an absolute input frame; the audio side starts a new one after a reset or an
//! overflow – with the first block that follows, because only a block says where in the song it is – by storing that
//! number in `stream_start` **before** it writes the stream's first frame, and before that the song's frame in
//! `song_frame`. The worker looks at
//! the ring's fill **before** it loads `stream_start`, so whenever it sees a frame of a stream it also sees that the
//! stream began, and drops what came before. It then publishes where the stream's output begins in its two rings and
//! last, with release ordering, `acknowledged`. The audio side reads `acknowledged` with acquire ordering; when it equals
//! its own `stream_start`, the two output positions belong to that stream, because the worker writes them only in
//! answer to a new `stream_start`, which only the audio side can cause. Until then it throws output away, but only what
//! it saw in the rings **before** it looked at `acknowledged`: what came later may be the stream's first frames.
//!
//! A stream is identified by its start, and no two share one, because each is declared right before its first frame is
//! written. The worker loads `song_frame` after `stream_start`: it is that of the stream it saw, or of a later one. In the
//! latter case what it makes of the stream is wrong, but nobody hears it: the audio side is on the later one already, and
//! the worker comes to that in its next round.

#![warn(clippy::disallowed_methods)]

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::atomics::{AtomicBool, AtomicI64, AtomicU64};

/// Where no stream starts: the first one has not been declared.
pub(crate) const NO_STREAM: u64 = u64::MAX;

/// The shared words. Each is written by one side only.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Main thread: the worker should end.
    stop: AtomicBool,
    /// Audio side: absolute input frame at which the current stream starts.
    stream_start: AtomicU64,
    /// Audio side: the song's host frame with which that stream begins.
    song_frame: AtomicI64,
    /// Audio side: it waits for late hops, so none must be given up.
    patient: AtomicBool,
    /// Audio side: absolute output frame with which what is to be measured begins. Apart from streams, because output is
    /// measured in every state; stored before the first frame after it is written, and loaded after looking at the ring.
    output_start: AtomicU64,
    /// Worker: absolute mix frame at which the acknowledged stream's output starts.
    mix_start: AtomicU64,
    /// Worker: absolute sum frame at which the acknowledged stream's output starts.
    sum_start: AtomicU64,
    /// Worker: the stream it works on.
    acknowledged: AtomicU64,
    /// Worker: counts whatever it has finished, so that who waits for it can tell slow from stuck.
    progress: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            stop: AtomicBool::new(false),
            stream_start: AtomicU64::new(NO_STREAM),
            song_frame: AtomicI64::new(0),
            patient: AtomicBool::new(false),
            progress: AtomicU64::new(0),
            output_start: AtomicU64::new(0),
            mix_start: AtomicU64::new(0),
            sum_start: AtomicU64::new(0),
            acknowledged: AtomicU64::new(NO_STREAM),
        }
    }
}

impl Shared {
    pub(crate) fn stop(&self) {
        self.stop.store(true, Release);
    }

    pub(crate) fn should_stop(&self) -> bool {
        self.stop.load(Acquire)
    }

    /// Audio side: a stream starts with the input frame that will be written next, which is the song's frame `song_frame`.
    pub(crate) fn start_stream(&self, written_frames: u64, song_frame: i64) {
        self.song_frame.store(song_frame, Relaxed);
        self.stream_start.store(written_frames, Release);
    }

    /// Audio side: what is to be measured begins with the output frame that will be written next.
    pub(crate) fn start_output(&self, written_frames: u64) {
        self.output_start.store(written_frames, Release);
    }

    /// Worker: where that is. Load it after looking at the output ring's fill.
    pub(crate) fn output_start(&self) -> u64 {
        self.output_start.load(Acquire)
    }

    /// Audio side, before writing a block: whether it will wait for the mix rather than go on without.
    pub(crate) fn set_patient(&self, patient: bool) {
        self.patient.store(patient, Relaxed);
    }

    /// Worker: whether late hops are still wanted.
    pub(crate) fn is_patient(&self) -> bool {
        self.patient.load(Relaxed)
    }

    /// Worker: something is finished – a step of loading, frames taken, a hop. Rounds without work do not count: who waits
    /// for what never comes must notice.
    pub(crate) fn advance(&self) {
        self.progress.fetch_add(1, Relaxed);
    }

    /// How much the worker has finished, for comparison with an earlier answer.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Relaxed)
    }

    /// Worker: the stream to work on. Load this after looking at the input ring's fill.
    pub(crate) fn requested_stream(&self) -> u64 {
        self.stream_start.load(Acquire)
    }

    /// Worker: the song's frame with which that stream begins. Load it afterwards.
    pub(crate) fn song_frame(&self) -> i64 {
        self.song_frame.load(Relaxed)
    }

    /// Worker: output written from now on belongs to `stream`.
    pub(crate) fn acknowledge(&self, stream: u64, mix_written_frames: u64, sum_written_frames: u64) {
        self.mix_start.store(mix_written_frames, Relaxed);
        self.sum_start.store(sum_written_frames, Relaxed);
        self.acknowledged.store(stream, Release);
    }

    /// Audio side: where the output of `stream` starts in the mix and sum rings, once the worker is on it.
    pub(crate) fn output_starts(&self, stream: u64) -> Option<(u64, u64)> {
        (self.acknowledged.load(Acquire) == stream)
            .then(|| (self.mix_start.load(Relaxed), self.sum_start.load(Relaxed)))
    }
}
