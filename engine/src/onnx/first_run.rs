//! The first run of a model, limited in time: whoever wrote the graph may have wanted it never to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::graph::{RunOptions, unlimited};
use crate::error::ModelError;

/// Longest time a model's proof run may take. It covers a fraction of a second of audio and must run faster than that.
const FIRST_RUN_LIMIT: Duration = Duration::from_secs(15);

/// Runs `first` with options that a watchdog terminates after [`FIRST_RUN_LIMIT`].
///
/// # Errors
/// [`ModelError::TooSlow`] then, and whatever `first` fails with.
pub(crate) fn limited(first: impl FnOnce(&RunOptions) -> Result<(), ModelError>) -> Result<(), ModelError> {
    let options = Arc::new(unlimited()?);
    let watched = Arc::clone(&options);
    // Nothing is ever sent: what the watchdog waits for is the end of this end.
    let (running, ended) = bounded::<()>(0);
    let watchdog = std::thread::spawn(move || {
        let late = ended.recv_timeout(FIRST_RUN_LIMIT) == Err(RecvTimeoutError::Timeout);
        if late {
            let _ = watched.terminate();
        }
        late
    });
    let started = Instant::now();
    let outcome = first(&options);
    drop(running);
    if watchdog.join().unwrap_or(false) {
        return Err(ModelError::TooSlow {
            seconds: started.elapsed().as_secs_f64(),
            limit_seconds: FIRST_RUN_LIMIT.as_secs_f64(),
        });
    }
    outcome
}
