//! How much of the mix is the network's. A model that has masks interpolates them itself, from all the way down to 5 % of
//! it, so that what is heard is one mix and not two on top of each other; below that the mix fades to the plain sum of the
//! stems, which is aligned with it to the sample. A model without masks is faded over the whole way.

use tributary_dsp::CHANNELS;

use super::timeline::Timeline;
use super::window::StemWindow;
use crate::bundle::contract::WindowGeometry;
use crate::glide::{Glide, SLOW_MS};

/// Share of the network below which the mix fades to the sum instead of masks that go on to neutral.
const LEAST_SHARE: f64 = 0.05;

/// See the module documentation.
pub(crate) struct NetworkShare {
    geometry: WindowGeometry,
    /// How far the masks go when the network is let through wholly; `None` without masks.
    masks: Option<f32>,
    /// Counted in frames of the mix.
    timeline: Timeline,
    follower: Follower,
    /// Of the hop that is to be made, for each frame of its mix: the masks' share, and the mix's weight against the sum.
    shares: Vec<f32>,
    weights: Vec<f32>,
}

/// Both values on their way to where they should be.
#[derive(Debug, Clone, Copy)]
struct Follower {
    share: Glide,
    weight: Glide,
}

impl Follower {
    fn set(&mut self, masks: Option<f32>, network: f32) {
        let [share, weight] = goals(masks, network);
        self.share.set(share);
        self.weight.set(weight);
    }

    fn is_whole(&self) -> bool {
        self.share.at_rest() == Some(1.0) && self.weight.at_rest() == Some(1.0)
    }
}

/// The masks' share, and the mix's weight.
fn goals(masks: Option<f32>, network: f32) -> [f64; 2] {
    let network = f64::from(network);
    match masks {
        Some(most) => [network.max(LEAST_SHARE) * f64::from(most), (network / LEAST_SHARE).min(1.0)],
        None => [1.0, network],
    }
}

impl NetworkShare {
    /// The network is let through wholly; its masks, if it has some, go so far then.
    pub(crate) fn new(geometry: WindowGeometry, masks: Option<f32>) -> Self {
        let [share, weight] =
            goals(masks, 1.0).map(|value| Glide::new(value, SLOW_MS, f64::from(geometry.sample_rate_hz)));
        Self {
            geometry,
            masks,
            timeline: Timeline::default(),
            follower: Follower { share, weight },
            shares: Vec::with_capacity(geometry.mix_frames()),
            weights: Vec::with_capacity(geometry.mix_frames()),
        }
    }

    /// What is in force, and when.
    pub(crate) fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// Another stream begins, with the controls that were set last.
    pub(crate) fn start(&mut self) {
        let [share, weight] = goals(self.masks, self.timeline.start().network);
        self.follower.share.jump(share);
        self.follower.weight.jump(weight);
    }

    /// Looks at the hop to be made, of which the first `lead_frames` lie ahead of the stream. Returns the share of the masks
    /// for every frame of its mix, or nothing where all of the mix is the network's.
    pub(crate) fn prepare(&mut self, lead_frames: usize) -> Option<&[f32]> {
        self.shares.clear();
        self.weights.clear();
        if self.timeline.is_settled() && self.follower.is_whole() {
            return None;
        }
        let (mut timeline, mut follower) = (self.timeline.clone(), self.follower);
        let mut add = |follower: &mut Follower, glides: bool| {
            let Follower { share, weight } = follower;
            let next = |glide: &mut Glide| if glides { glide.next() } else { glide.value() };
            self.shares.push(next(share) as f32);
            self.weights.push(next(weight) as f32);
        };
        (0..lead_frames).for_each(|_| add(&mut follower, false));
        let mut left = self.geometry.mix_frames() - lead_frames;
        while left > 0 {
            let (controls, count) = timeline.next(left);
            follower.set(self.masks, controls.network);
            (0..count).for_each(|_| add(&mut follower, true));
            left -= count;
        }
        Some(&self.shares)
    }

    /// Fades the mix of the prepared hop to the sum of the stems as far as is asked.
    pub(crate) fn blend(&self, window: &StemWindow, mix: &mut [Vec<f32>; 2]) {
        let from = self.geometry.context_frames;
        for (side, mix) in mix.iter_mut().enumerate() {
            for (n, (mix, &weight)) in mix.iter_mut().zip(&self.weights).enumerate() {
                if weight < 1.0 {
                    let stems = (side..CHANNELS).step_by(2);
                    let sum: f32 = stems.map(|channel| window.channel(channel)[from + n]).sum();
                    *mix = sum + weight * (*mix - sum);
                }
            }
        }
    }

    /// So many frames of the mix have been made, or given up.
    pub(crate) fn advance(&mut self, frames: usize) {
        let mut left = frames;
        while left > 0 {
            let (controls, count) = self.timeline.next(left);
            self.follower.set(self.masks, controls.network);
            if !self.follower.share.rests() || !self.follower.weight.rests() {
                for _ in 0..count {
                    self.follower.share.next();
                    self.follower.weight.next();
                }
            }
            left -= count;
        }
    }
}
