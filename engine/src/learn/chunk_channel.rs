//! The way of the stems from the worker to the learning thread while someone listens to learn. The worker copies what
//! enters the normalizer into chunks and sends them through a bounded channel, so that a slow disk costs the capture and
//! never a hop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tributary_dsp::CHANNELS;

use super::capture::{CHUNK_FRAMES, CHUNK_SAMPLES};
use crate::pipeline::normalize::StemListener;

/// Chunks that may wait for the disk: 12 s at 44.1 kHz, 16 MiB.
const WAITING_CHUNKS: usize = 128;

/// What the worker tells the learning thread. The channel closes when the capture ends.
pub(crate) enum Captured {
    /// Eight planes of [`CHUNK_FRAMES`] samples, of which the first `frames` count.
    Chunk { planes: Box<[f32]>, frames: usize },
    /// What follows belongs to another stream.
    Restart,
}

/// The learning thread's end.
pub(crate) struct ChunkReceiver {
    /// What was captured, in order; closed when nothing follows.
    pub(crate) chunks: Receiver<Captured>,
    lost: Arc<AtomicBool>,
}

impl ChunkReceiver {
    /// Whether something is missing because this end was too slow.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }
}

/// Whether the worker may wait for the disk: while the host renders offline and waits for the worker.
pub(crate) type MayWait = Arc<dyn Fn() -> bool + Send + Sync>;

/// The worker's end.
pub(crate) struct ChunkSender {
    chunks: Sender<Captured>,
    may_wait: MayWait,
    planes: Box<[f32]>,
    frames: usize,
    /// The learning thread fell behind, and something could not be sent.
    lost: Arc<AtomicBool>,
    /// Nobody listens any more.
    closed: bool,
}

/// Both ends.
pub(crate) fn chunk_channel(may_wait: MayWait) -> (ChunkSender, ChunkReceiver) {
    let (chunks, received) = bounded(WAITING_CHUNKS);
    let lost = Arc::new(AtomicBool::new(false));
    let receiver = ChunkReceiver { chunks: received, lost: Arc::clone(&lost) };
    let planes = vec![0.0; CHUNK_SAMPLES].into();
    (ChunkSender { chunks, may_wait, planes, frames: 0, lost, closed: false }, receiver)
}

impl StemListener for ChunkSender {
    /// Copies frames; sends every chunk that is full.
    fn hear(&mut self, stems: [&[f32]; CHANNELS]) {
        let (mut done, count) = (0, stems[0].len());
        while done < count && !self.closed {
            let part = (CHUNK_FRAMES - self.frames).min(count - done);
            for (plane, channel) in self.planes.chunks_exact_mut(CHUNK_FRAMES).zip(stems) {
                plane[self.frames..self.frames + part].copy_from_slice(&channel[done..done + part]);
            }
            self.frames += part;
            done += part;
            if self.frames == CHUNK_FRAMES {
                self.send_chunk();
            }
        }
    }

    fn restart(&mut self) {
        self.send_chunk();
        self.send(Captured::Restart);
    }
}

impl ChunkSender {
    fn send_chunk(&mut self) {
        let frames = std::mem::take(&mut self.frames);
        if frames == 0 {
            return;
        }
        for plane in self.planes.chunks_exact_mut(CHUNK_FRAMES) {
            plane[frames..].fill(0.0);
        }
        let planes = std::mem::replace(&mut self.planes, vec![0.0; CHUNK_SAMPLES].into());
        self.send(Captured::Chunk { planes, frames });
    }

    fn send(&mut self, message: Captured) {
        if self.closed {
            return;
        }
        if (self.may_wait)() {
            self.closed = self.chunks.send(message).is_err();
            return;
        }
        match self.chunks.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => self.closed = true,
            Err(TrySendError::Full(_)) => {
                self.lost.store(true, Relaxed);
                self.closed = true;
            }
        }
    }
}

impl Drop for ChunkSender {
    fn drop(&mut self) {
        self.send_chunk();
    }
}
