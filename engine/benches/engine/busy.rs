//! Neighbors for a measurement: threads that keep cores busy, with memory traffic, until they are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// Larger than the caches a core has for itself.
const BYTES: usize = 4 << 20;

/// Busy threads.
pub struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    /// Keeps `count` cores busy.
    pub fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count).map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut memory = vec![1_u8; BYTES];
                while !stop.load(Relaxed) {
                    memory.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3));
                    std::hint::black_box(&memory);
                }
            })
        });
        Self { threads: threads.collect(), stop }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
