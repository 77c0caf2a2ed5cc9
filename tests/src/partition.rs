//! How a pass is cut into blocks.
//!
//! Stands apart because “the result does not depend on it” is a promise that many tests put to the proof.

/// A way to cut a pass into blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partition {
    /// Blocks of one length, in frames.
    Fixed(usize),
    /// Lengths from 1 to `max_frames`, even on a logarithmic scale so that short blocks are as frequent as long ones.
    Random {
        /// The longest block, in frames.
        max_frames: usize,
        /// Equal seeds give equal blocks.
        seed: u64,
    },
    /// These lengths over and over, in frames.
    Cycle(Vec<usize>),
}

impl Partition {
    /// The longest block this partition makes, in frames.
    #[must_use]
    pub fn max_frames(&self) -> usize {
        match self {
            Partition::Fixed(frames) => *frames,
            Partition::Random { max_frames, .. } => *max_frames,
            Partition::Cycle(lengths) => lengths.iter().copied().max().unwrap_or(1),
        }
    }

    /// The blocks of a pass of `total_frames`, as ranges that follow one another without a gap.
    pub fn blocks(&self, total_frames: usize) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let mut random = crate::signals::Random::new(match self {
            Partition::Random { seed, .. } => *seed,
            _ => 0,
        });
        let mut start = 0;
        let mut count = 0;
        std::iter::from_fn(move || {
            if start >= total_frames {
                return None;
            }
            let wanted = match self {
                Partition::Fixed(frames) => *frames,
                Partition::Random { max_frames, .. } => {
                    let octaves = (*max_frames as f64).log2();
                    (octaves * random.unit()).exp2().round() as usize
                }
                Partition::Cycle(lengths) => lengths[count % lengths.len()],
            };
            count += 1;
            let range = start..(start + wanted.clamp(1, self.max_frames())).min(total_frames);
            start = range.end;
            Some(range)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_pass_once() {
        for partition in [
            Partition::Fixed(7),
            Partition::Random { max_frames: 8192, seed: 3 },
            Partition::Cycle(vec![1, 64, 5]),
        ] {
            let mut next = 0;
            for block in partition.blocks(10_001) {
                assert_eq!(block.start, next);
                assert!(!block.is_empty() && block.len() <= partition.max_frames());
                next = block.end;
            }
            assert_eq!(next, 10_001);
        }
    }

    #[test]
    fn random_blocks_differ_in_length_and_repeat_with_the_seed() {
        let blocks = |seed| Partition::Random { max_frames: 8192, seed }.blocks(100_000).collect::<Vec<_>>();
        assert_eq!(blocks(1), blocks(1));
        assert_ne!(blocks(1), blocks(2));
        assert!(blocks(1).iter().any(|block| block.len() < 16));
        assert!(blocks(1).iter().any(|block| block.len() > 2048));
    }
}
