//! The hop – the unit in which the chain works – and a delay of whole hops, which stands in for an effect that is
//! switched off.

/// Frames processed at a time: half of the panning window, and the grid to which every decision is tied.
pub const HOP_FRAMES: usize = 1024;

/// Hops after which every stem has had its turn with the heavy work: when filters are redesigned and spectra analyzed,
/// counted from the start of the stream, repeats with this period.
pub const TURNS_HOPS: usize = 8;

/// One hop of one stereo stem.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Left samples.
    pub left: [f32; HOP_FRAMES],
    /// Right samples.
    pub right: [f32; HOP_FRAMES],
}

impl Hop {
    /// Silence.
    pub const SILENT: Hop = Hop { left: [0.0; HOP_FRAMES], right: [0.0; HOP_FRAMES] };

    /// Both sides, for loops over channels.
    pub fn sides_mut(&mut self) -> [&mut [f32; HOP_FRAMES]; 2] {
        [&mut self.left, &mut self.right]
    }

    /// Both sides.
    pub fn sides(&self) -> [&[f32; HOP_FRAMES]; 2] {
        [&self.left, &self.right]
    }

    /// Whether every sample is exactly zero.
    pub fn is_silent(&self) -> bool {
        // Bits are gathered rather than compared, so that the loop vectorizes; the sign of a zero is shifted out.
        let bits =
            |side: &[f32; HOP_FRAMES]| side.iter().fold(0, |bits, sample| bits | sample.to_bits() << 1);
        bits(&self.left) | bits(&self.right) == 0
    }

    /// Mean square over both sides.
    pub fn mean_square(&self) -> f64 {
        let sum = |side: &[f32; HOP_FRAMES]| {
            // Eight partial sums let the loop vectorize; f32 is ample within one hop.
            let mut partial = [0f32; 8];
            for chunk in side.chunks_exact(8) {
                partial.iter_mut().zip(chunk).for_each(|(sum, sample)| *sum += sample * sample);
            }
            partial.iter().map(|sum| f64::from(*sum)).sum::<f64>()
        };
        (sum(&self.left) + sum(&self.right)) / (2 * HOP_FRAMES) as f64
    }
}

/// Crossfades a hop of one side to what it becomes, evenly over its length.
pub(crate) fn fade(side: &mut [f32; HOP_FRAMES], next: &[f32; HOP_FRAMES]) {
    for (frame, (sample, new)) in side.iter_mut().zip(next).enumerate() {
        *sample += (new - *sample) * ((frame + 1) as f32 / HOP_FRAMES as f32);
    }
}

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
