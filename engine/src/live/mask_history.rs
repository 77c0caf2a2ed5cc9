//! The last ten seconds of what the network's masks did, from the worker to whoever draws them. Behind a lock, which the
//! audio thread never meets.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::mask_meter::MaskReading;

/// Readings that are kept: ten seconds.
const KEPT: usize = 100;

/// What the masks did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MaskHistory {
    /// Center of each band of the readings in Hz, rising.
    pub bands_hz: Vec<f32>,
    /// Ten a second, oldest first, at most a hundred. The newest is of what is about to be heard.
    pub readings: VecDeque<MaskReading>,
    /// Readings since the engine started: how far the history has moved on since another look.
    pub made: u64,
}

/// The same between threads.
#[derive(Debug, Default)]
pub(super) struct SharedMaskHistory(Mutex<MaskHistory>);

impl SharedMaskHistory {
    /// Adds readings of these bands.
    pub(super) fn extend(&self, bands_hz: &[f32], readings: impl Iterator<Item = MaskReading>) {
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if history.bands_hz != bands_hz {
            history.bands_hz = bands_hz.to_vec();
        }
        for reading in readings {
            if history.readings.len() == KEPT {
                history.readings.pop_front();
            }
            history.readings.push_back(reading);
            history.made += 1;
        }
    }

    /// A copy.
    pub(super) fn copy(&self) -> MaskHistory {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
