//! Convolution with a response of seconds, hop by hop, without latency and without a dear hop (after Gardner, “Efficient
//! convolution without input–output delay”, JAES 1995): the first taps are convolved in partitions of one hop; the others
//! in partitions of eight hops, whose transforms and products are spread over the eight hops that pass before they are
//! due.

use crate::filters::convolution::{Convolver, Kernel, hop_transform};
use crate::filters::transform::RealTransform;
use crate::hop::{HOP_FRAMES, TURNS_HOPS};

/// Hops in a block of the tail.
const TAIL_HOPS: usize = 8;
const _: () = assert!(TURNS_HOPS.is_multiple_of(TAIL_HOPS));
const TAIL_FRAMES: usize = TAIL_HOPS * HOP_FRAMES;
/// The last hop of a block.
const LAST: usize = TAIL_HOPS - 1;
/// Taps of the head: one block to gather the tail's input, one to work on it.
const HEAD_TAPS: usize = 2 * TAIL_FRAMES;

/// One channel through one long response.
#[derive(Debug)]
pub struct LongConvolver {
    kernel: Kernel,
    convolver: Convolver,
    transform: RealTransform,
    tail: Option<Box<Tail>>,
}

#[derive(Debug)]
struct Tail {
    kernel: Kernel,
    convolver: Convolver,
    transform: RealTransform,
    gathered: Vec<f32>,
    /// What is played during this block, and what is made for the next one.
    playing: Vec<f32>,
    made: Vec<f32>,
    first_hop: usize,
    hop: usize,
    /// Products and what is played were left out.
    is_behind: bool,
}

impl LongConvolver {
    /// `turn` shifts the heavy hops of this channel against those of others, which should take other turns.
    pub fn new(taps: &[f32], turn: usize) -> Self {
        let (head, tail) = taps.split_at(taps.len().min(HEAD_TAPS));
        let mut transform = hop_transform();
        let mut kernel = Kernel::new(head.len());
        kernel.load(head, &mut transform);
        let tail = (!tail.is_empty()).then(|| Box::new(Tail::new(tail, turn % TAIL_HOPS)));
        Self { kernel, convolver: Convolver::new(head.len()), transform, tail }
    }

    /// The next hop of the output.
    pub fn process(&mut self, input: &[f32; HOP_FRAMES], output: &mut [f32; HOP_FRAMES]) {
        self.convolver.push(input, &mut self.transform);
        self.convolver.output(&self.kernel, &mut self.transform, output);
        if let Some(tail) = &mut self.tail {
            tail.process(input, output);
        }
    }

    /// Takes in the next hop where its output is not wanted: all that is left out is made up for when it is.
    pub fn listen(&mut self, input: &[f32; HOP_FRAMES]) {
        self.convolver.push(input, &mut self.transform);
        if let Some(tail) = &mut self.tail {
            tail.listen(input);
        }
    }

    /// Tells which hop of a stream comes next, before any has come.
    pub fn start_at(&mut self, hop: i64) {
        if let Some(tail) = &mut self.tail {
            tail.hop = (tail.first_hop as i64 + hop).rem_euclid(TAIL_HOPS as i64) as usize;
        }
    }

    /// A silent hop after silence longer than the response: blocks stay where they are in the stream.
    pub fn pass_silence(&mut self) {
        if let Some(tail) = &mut self.tail {
            tail.hop = (tail.hop + 1) % TAIL_HOPS;
        }
    }

    /// Forgets the input.
    pub fn reset(&mut self) {
        self.convolver.reset();
        if let Some(tail) = &mut self.tail {
            tail.reset();
        }
    }
}

impl Tail {
    fn new(taps: &[f32], first_hop: usize) -> Self {
        let mut transform = RealTransform::new(2 * TAIL_FRAMES);
        let mut kernel = Kernel::in_blocks(taps.len(), TAIL_FRAMES);
        kernel.load(taps, &mut transform);
        Self {
            kernel,
            // One block more than the kernel has, to make up for the block that is being played.
            convolver: Convolver::in_blocks(taps.len() + TAIL_FRAMES, TAIL_FRAMES),
            transform,
            gathered: vec![0.0; TAIL_FRAMES],
            playing: vec![0.0; TAIL_FRAMES],
            made: vec![0.0; TAIL_FRAMES],
            first_hop,
            hop: first_hop,
            is_behind: false,
        }
    }

    /// How many blocks of the kernel are done when a hop between the transforms begins: these share the products evenly.
    fn done_before(&self, hop: usize) -> usize {
        (hop - 1) * self.kernel.blocks() / (LAST - 1)
    }

    /// Takes in a hop and leaves out everything else.
    fn listen(&mut self, input: &[f32; HOP_FRAMES]) {
        self.is_behind = true;
        if self.hop == 0 {
            self.convolver.push(&self.gathered, &mut self.transform);
        }
        self.gather(input);
    }

    /// Makes up for what was left out: what is played in this block, and the products for the next one so far.
    fn catch_up(&mut self) {
        self.is_behind = false;
        // The newest input is the one before this block from this block's second hop on.
        let back = usize::from(self.hop > 0);
        self.convolver.begin();
        self.convolver.accumulate_before(&self.kernel, 0..self.kernel.blocks(), back);
        self.convolver.finish(&mut self.transform, &mut self.playing);
        self.convolver.begin();
        if self.hop > 0 {
            self.convolver.accumulate(&self.kernel, 0..self.done_before(self.hop));
        }
    }

    /// Adds the tail's share to a hop of output and does an eighth of the work on the block gathered before.
    fn process(&mut self, input: &[f32; HOP_FRAMES], output: &mut [f32; HOP_FRAMES]) {
        if self.is_behind {
            self.catch_up();
        }
        match self.hop {
            0 => {
                self.convolver.push(&self.gathered, &mut self.transform);
                self.convolver.begin();
            }
            LAST => self.convolver.finish(&mut self.transform, &mut self.made),
            hop => {
                self.convolver.accumulate(&self.kernel, self.done_before(hop)..self.done_before(hop + 1));
            }
        }
        let playing = &self.playing[self.hop * HOP_FRAMES..(self.hop + 1) * HOP_FRAMES];
        output.iter_mut().zip(playing).for_each(|(sample, tail)| *sample += tail);
        self.gather(input);
        if self.hop == 0 {
            std::mem::swap(&mut self.playing, &mut self.made);
        }
    }

    /// Keeps a hop of input for the next block.
    fn gather(&mut self, input: &[f32; HOP_FRAMES]) {
        self.gathered[self.hop * HOP_FRAMES..(self.hop + 1) * HOP_FRAMES].copy_from_slice(input);
        self.hop = (self.hop + 1) % TAIL_HOPS;
    }

    fn reset(&mut self) {
        self.convolver.reset();
        self.gathered.fill(0.0);
        self.playing.fill(0.0);
        self.made.fill(0.0);
        self.hop = self.first_hop;
        self.is_behind = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_made_up_for_to_the_bit() {
        let mut state = 11u64;
        let mut noise = || (crate::filters::noise::uniform(&mut state) - 0.5) as f32;
        let taps: Vec<f32> = (0..40_000).map(|_| noise() / 50.0).collect();
        let hops: Vec<[f32; HOP_FRAMES]> = (0..120).map(|_| std::array::from_fn(|_| noise())).collect();
        // Pauses of every length, that begin and end in every hop of a block.
        for (turn, period) in [(0, 7), (3, 10), (5, 23), (7, 40)] {
            let (mut whole, mut pausing) = (LongConvolver::new(&taps, turn), LongConvolver::new(&taps, turn));
            let (mut wanted, mut found) = ([0.0; HOP_FRAMES], [0.0; HOP_FRAMES]);
            for (number, hop) in hops.iter().enumerate() {
                whole.process(hop, &mut wanted);
                if number % period < period / 2 {
                    pausing.listen(hop);
                } else {
                    pausing.process(hop, &mut found);
                    assert!(found == wanted, "turn {turn}, period {period}, hop {number}");
                }
            }
        }
    }

    #[test]
    fn every_turn_equals_the_direct_sum() {
        let taps: Vec<f32> = (0..50_000).map(|n| ((n * n % 7919) as f32 * 0.37).sin() / 300.0).collect();
        // Sparse input keeps the direct sum short.
        let mut input = vec![0f32; 80 * HOP_FRAMES];
        let impulses = [(3usize, 0.5f32), (1_500, -0.7), (9_000, 0.9), (30_111, 0.4)];
        impulses.iter().for_each(|(at, level)| input[*at] = *level);
        for turn in [0, 3, 7, 8] {
            let mut convolver = LongConvolver::new(&taps, turn);
            for round in 0..2 {
                let mut output = [0.0; HOP_FRAMES];
                for (hop, chunk) in input.chunks_exact(HOP_FRAMES).enumerate() {
                    convolver.process(chunk.try_into().expect("one hop"), &mut output);
                    for (offset, actual) in output.iter().enumerate().step_by(31) {
                        let n = hop * HOP_FRAMES + offset;
                        let tap = |at: usize| n.checked_sub(at).and_then(|lag| taps.get(lag));
                        let direct: f32 =
                            impulses.iter().filter_map(|(at, level)| tap(*at).map(|tap| tap * level)).sum();
                        assert!(
                            (actual - direct).abs() < 1e-6,
                            "turn {turn}, {round}, {n}: {actual} {direct}"
                        );
                    }
                }
                convolver.reset();
            }
        }
    }
}
