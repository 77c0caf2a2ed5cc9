//! A delay of one hop, which stands in for an effect that is switched off.

use crate::hop::Hop;

/// One hop of delay, bit for bit.
#[derive(Debug, Clone)]
pub struct HopDelay {
    held: Box<Hop>,
}

impl HopDelay {
    /// Holds silence.
    pub fn new() -> Self {
        Self { held: Box::new(Hop::SILENT) }
    }

    /// Exchanges the hop for the previous one.
    pub fn process(&mut self, hop: &mut Hop) {
        std::mem::swap(&mut *self.held, hop);
    }

    /// Back to silence.
    pub fn reset(&mut self) {
        *self.held = Hop::SILENT;
    }
}

impl Default for HopDelay {
    fn default() -> Self {
        Self::new()
    }
}
