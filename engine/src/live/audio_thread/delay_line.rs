//! Delays the dry signals by exactly the latency: the main input and the plain sum of the stems. Lives on the audio
//! thread so that dry sound never depends on the worker.

/// One frame: main left and right, sum of stems left and right.
pub(crate) type DryFrame = [f32; 4];

/// A ring of frames; allocates at construction only.
pub(crate) struct DryDelay {
    frames: Vec<DryFrame>,
    at: usize,
}

impl DryDelay {
    pub(crate) fn new(delay_frames: usize) -> Self {
        Self { frames: vec![[0.0; 4]; delay_frames], at: 0 }
    }

    pub(crate) fn reset(&mut self) {
        self.frames.fill([0.0; 4]);
        self.at = 0;
    }

    /// Puts a frame in and takes out the one that went in `delay_frames` ago.
    pub(crate) fn step(&mut self, frame: DryFrame) -> DryFrame {
        let Some(slot) = self.frames.get_mut(self.at) else { return frame };
        let delayed = std::mem::replace(slot, frame);
        self.at += 1;
        if self.at == self.frames.len() {
            self.at = 0;
        }
        delayed
    }
}

/// The largest magnitude of at least the newest `length_frames` frames, and at most twice as many.
#[derive(Debug, Clone)]
pub(crate) struct HeldPeak {
    length_frames: usize,
    /// Frames of the stretch that `newest` is of.
    frames: usize,
    newest: f32,
    /// Of the stretch before.
    before: f32,
}

impl HeldPeak {
    pub(crate) fn new(length_frames: usize) -> Self {
        Self { length_frames, frames: 0, newest: 0.0, before: 0.0 }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.length_frames);
    }

    /// Takes the largest magnitude of the next frames.
    pub(crate) fn take(&mut self, peak: f32, frames: usize) {
        if self.frames >= self.length_frames {
            (self.before, self.newest, self.frames) = (self.newest, 0.0, 0);
        }
        self.newest = self.newest.max(peak);
        self.frames += frames;
    }

    pub(crate) fn held(&self) -> f32 {
        self.newest.max(self.before)
    }
}

/// A gain that moves to its target in a straight line and then stays on it exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ramp {
    value: f32,
    target: f32,
    step: f32,
    left: usize,
    length: usize,
}

impl Ramp {
    pub(crate) fn new(value: f32, length_frames: usize) -> Self {
        Self { value, target: value, step: 0.0, left: 0, length: length_frames.max(1) }
    }

    /// Starts to move; `jump` goes there at once.
    pub(crate) fn set(&mut self, target: f32, jump: bool) {
        if jump {
            *self = Self::new(target, self.length);
        } else if target != self.target {
            self.target = target;
            self.left = self.length;
            self.step = (target - self.value) / self.length as f32;
        }
    }

    pub(crate) fn next(&mut self) -> f32 {
        if self.left > 0 {
            self.left -= 1;
            self.value = if self.left == 0 { self.target } else { self.value + self.step };
        }
        self.value
    }
}
