//! Digital silence: how every stage finds it without looking at each sample twice. Stages that have nothing to do leave
//! silence out or pass it on untouched; where that starts and ends depends on the frames alone.

/// Samples looked at in one go.
const STRIDE: usize = 64;

/// Whether every sample is exactly zero.
pub(crate) fn is_silent(samples: &[f32]) -> bool {
    leading_frames([samples]) == samples.len()
}

/// Frames before the first one that is not exactly zero in all of some equally long channels.
pub(crate) fn leading_frames<const CHANNELS: usize>(channels: [&[f32]; CHANNELS]) -> usize {
    // Bits are gathered rather than compared, so that the loop vectorizes; the sign of a zero is shifted out.
    let is_zero = |samples: &[f32]| samples.iter().fold(0, |bits, x| bits | x.to_bits() << 1) == 0;
    channels.into_iter().fold(usize::MAX, |least, samples| {
        let samples = &samples[..samples.len().min(least)];
        let silent = samples.chunks(STRIDE).take_while(|chunk| is_zero(chunk)).count() * STRIDE;
        let rest = samples.get(silent..).unwrap_or(&[]);
        let more = rest.iter().position(|x| *x != 0.0).unwrap_or(rest.len());
        samples.len().min(silent + more)
    })
}

/// Frames after the last one that is not exactly zero in all channels.
pub(crate) fn trailing_frames<const CHANNELS: usize>(channels: [&[f32]; CHANNELS]) -> usize {
    let after = |samples: &[f32]| samples.iter().rev().position(|x| *x != 0.0).unwrap_or(samples.len());
    channels.into_iter().map(after).min().unwrap_or(0)
}

/// How long a stage has been given silence, against its tail: the silence after which nothing of what came before is left in
/// it, so that more silence leaves it as it is. In frames, or in whatever the stage counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    length: usize,
    silent: usize,
}

impl Tail {
    /// Of a stage whose tail is `length` long. A fresh stage is not at rest.
    pub(crate) fn new(length: usize) -> Self {
        Self { length, silent: 0 }
    }

    /// Sound has come, or the stage begins anew.
    pub(crate) fn restart(&mut self) {
        self.silent = 0;
    }

    /// There has been silence for ever.
    pub(crate) fn end(&mut self) {
        self.silent = usize::MAX;
    }

    /// So much silence has come. Returns whether the tail is over.
    pub(crate) fn pass(&mut self, silence: usize) -> bool {
        self.silent = self.silent.saturating_add(silence);
        self.is_over()
    }

    /// So much has come, silence or not.
    pub(crate) fn hear(&mut self, silent: bool, length: usize) {
        if silent {
            self.pass(length);
        } else {
            self.restart();
        }
    }

    /// Whether there was as much silence as the tail is long.
    pub(crate) fn is_over(&self) -> bool {
        self.silent >= self.length
    }

    /// Silence that the stage has to hear until its tail has ended.
    pub(crate) fn left(&self) -> usize {
        self.length.saturating_sub(self.silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_over_when_there_was_as_much_silence_as_it_is_long() {
        let mut tail = Tail::new(100);
        assert!(!tail.is_over() && !tail.pass(60) && !tail.pass(39));
        assert_eq!(tail.left(), 1);
        assert!(tail.pass(1) && tail.is_over());
        tail.hear(false, 7);
        assert_eq!((tail.is_over(), tail.left()), (false, 100));
        tail.hear(true, 100);
        assert!(tail.is_over() && tail.pass(usize::MAX));
        tail.restart();
        tail.end();
        assert!(tail.is_over());
    }

    #[test]
    fn silence_is_measured_to_the_frame() {
        for length in [0, 1, 63, 64, 65, 200] {
            let silence = vec![0.0; length];
            assert!(is_silent(&silence));
            assert_eq!(leading_frames([&silence, &silence]), length);
            assert_eq!(trailing_frames([&silence, &silence]), length);
            for at in 0..length {
                let mut sound = silence.clone();
                sound[at] = 1e-45;
                assert_eq!(leading_frames([&silence, &sound]), at);
                assert_eq!(trailing_frames([&sound, &silence]), length - at - 1);
                assert!(!is_silent(&sound));
                sound[at] = -0.0;
                assert!(is_silent(&sound));
            }
        }
    }
}
