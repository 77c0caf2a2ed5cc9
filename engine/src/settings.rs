//! What the plug-in tells the audio side in every block: a `Copy` snapshot of the parameters. The engine smooths the
//! gains itself, so a snapshot may jump.

#![warn(clippy::disallowed_methods)]

/// What the dry signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DrySource {
    /// The main input.
    #[default]
    Bus,
    /// The plain sum of the four stems as they arrive.
    SumOfStems,
}

/// Parameters of one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Share of the mix against the dry signal, 0 to 1 (equal gain). Values outside are clamped.
    pub mix: f32,
    /// Output gain, linear. Applies to mix and dry alike, not to the bypassed signal.
    pub output_gain: f32,
    /// Passes the main input, delayed by exactly the latency, at unity gain.
    pub bypass: bool,
    /// Which dry signal `mix` fades against and a model that is not ready is replaced by.
    pub dry_source: DrySource,
    /// The host says that it renders offline: the audio side may wait for the worker.
    pub offline: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mix: 1.0, output_gain: 1.0, bypass: false, dry_source: DrySource::Bus, offline: false }
    }
}

impl Settings {
    /// The same settings with every number inside its range; a NaN becomes the default.
    pub(crate) fn sanitized(self) -> Self {
        let finite = |x: f32, otherwise: f32| if x.is_finite() { x } else { otherwise };
        Self {
            mix: finite(self.mix, 1.0).clamp(0.0, 1.0),
            output_gain: finite(self.output_gain, 1.0).clamp(0.0, 64.0),
            ..self
        }
    }
}
