//! A thread of ours that is waited for, but not forever: one that hangs in a system call or inside a run is left behind
//! rather than the host with it. A plain join cannot be limited.

use std::convert::Infallible;
use std::io;
use std::thread::{Builder, JoinHandle, Thread};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

/// Longest time that ending waits for a thread to finish what it does.
const JOIN_PATIENCE: Duration = Duration::from_secs(10);

/// See the module documentation.
pub(crate) struct PatientThread {
    thread: JoinHandle<()>,
    /// Nothing ever comes; it closes when the thread's work is done or has panicked.
    ended: Receiver<Infallible>,
}

impl PatientThread {
    /// Starts `work` on a thread of this name.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (running, ended) = bounded(0);
        let thread = Builder::new().name(name.into()).spawn(move || {
            let _running = running;
            work();
        })?;
        Ok(Self { thread, ended })
    }

    /// The thread, to be unparked.
    pub(crate) fn thread(&self) -> &Thread {
        self.thread.thread()
    }

    /// Whether its work is done.
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until it has ended, at most ten seconds.
    pub(crate) fn join(self) {
        if self.ended.recv_timeout(JOIN_PATIENCE) == Err(RecvTimeoutError::Disconnected) {
            // Its panic, if there was one, is the business of what it has left.
            let _ = self.thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_joined_when_its_work_is_done_even_by_a_panic() {
        let (done, is_done) = bounded(1);
        let thread = PatientThread::spawn("works", move || done.send(()).unwrap()).unwrap();
        thread.join();
        assert_eq!(is_done.try_recv(), Ok(()));
        let panics = PatientThread::spawn("panics", || std::panic::resume_unwind(Box::new(()))).unwrap();
        panics.join();
    }
}
