//! The hop – the unit in which the chain works – and what is done to one whatever the effect: cleaning, scaling, fading.

/// Frames processed at a time: half of the panning window, and the grid to which every decision is tied.
pub const HOP_FRAMES: usize = 1024;

/// Hops after which every stem has had its turn with the heavy work: when filters are redesigned and spectra analyzed,
/// counted from the start of the stream, repeats with this period.
pub const TURNS_HOPS: usize = 8;

/// One hop of one stereo stem.
///
/// ```
/// use tributary_dsp::Hop;
///
/// let mut hop = Hop::SILENT;
/// assert!(hop.is_silent());
/// hop.sides_mut().into_iter().for_each(|side| side.fill(0.5));
/// assert_eq!(hop.mean_square(), 0.25);
/// ```
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

/// Level beyond which samples are cut: +200 dBFS. Squares of such samples still fit 32-bit floats with room to spare.
pub(crate) const LARGEST_SAMPLE: f32 = 1e10;

/// Replaces what is no number by silence, cuts absurd levels, and clears denormal numbers.
pub(crate) fn sanitize(hop: &mut Hop) {
    for sample in hop.sides_mut().into_iter().flatten() {
        let usable = sample.is_finite() && sample.abs() >= f32::MIN_POSITIVE;
        *sample = if usable { sample.clamp(-LARGEST_SAMPLE, LARGEST_SAMPLE) } else { 0.0 };
    }
}

/// Scales both sides by gains that move in a straight line over the hop.
pub(crate) fn ramp(hop: &mut Hop, start: [f32; 2], end: [f32; 2]) {
    for ((side, start), end) in hop.sides_mut().into_iter().zip(start).zip(end) {
        if start == end {
            if end != 1.0 {
                side.iter_mut().for_each(|sample| *sample *= end);
            }
            continue;
        }
        let step = (end - start) / HOP_FRAMES as f32;
        for (frame, sample) in side.iter_mut().enumerate() {
            *sample *= start + step * (frame + 1) as f32;
        }
    }
}
