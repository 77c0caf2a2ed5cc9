//! One stem on its way through the live normalizer: what stands ahead of all that is measured, the corrections in force, and
//! what the engineer says about them – how much is let through, whether the stem is left alone, whether its corrections are
//! locked. Apart from the normalizer because that only cuts blocks into hops and lets the stems hear of one another.

use crate::amounts::{Amounts, Following, Share};
use crate::chain::Chain;
use crate::effects::loudness::estimator::LoudnessEstimator;
use crate::filters::delay::HopDelay;
use crate::hop::{HOP_FRAMES, Hop, sanitize};
use crate::portrait::TonePortrait;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::session::Standing;
use crate::transition::Transition;

/// Silence at input and output after which a chain rests: longer than any impulse response and its blocks
/// ([`crate::effects::reverb::LONGEST_SECONDS`]), and long enough for every glide to arrive (e^−20 of its way is left).
pub const REST_SECONDS: f64 = 11.0;

/// Sound of a stem, in seconds, before its running corrections can be locked: the first decisions take one second, and a
/// gain that rises by 20 dB takes three more.
pub const LOCK_SECONDS: f64 = 5.0;

/// One stem's chain, hop by hop.
///
/// A chain that has nothing to do rests: before the first sound, and after [`REST_SECONDS`] of digital silence at both
/// ends, once the compressor has let go, silent hops pass untouched until the next sound. With fixed corrections not a
/// bit depends on it. For running estimates time stands still meanwhile: they neither forget nor glide, and how many times
/// [`TURNS_HOPS`] of silence precede a song changes nothing.
#[derive(Debug)]
pub(crate) struct StemChain {
    /// Not corrected, so a change of corrections does not interrupt it.
    ahead: Chain,
    corrections: Transition,
    steering: Steering,
    /// How loud the stem came in, for rules that compare the stems of a session.
    level: Option<LoudnessEstimator>,
    /// A sound has come since the start of the stream.
    heard: bool,
    /// Hops for which input and output have been silent.
    silent_hops: usize,
    rest_hops: usize,
    /// Hops that sounded since the start of the stream, as far as they count for a lock.
    sounding_hops: usize,
    lock_hops: usize,
    /// The engineer wants the corrections to stay.
    lock_asked: bool,
}

impl StemChain {
    /// `compares`: by rules that compare the stems of a session.
    pub(crate) fn new(ahead: Chain, corrections: Transition, compares: bool, sample_rate_hz: f64) -> Self {
        let hops = |seconds: f64| (seconds * sample_rate_hz / HOP_FRAMES as f64).ceil() as usize;
        let steering = Steering::new(ahead.latency_hops() + corrections.latency_hops());
        Self {
            ahead,
            corrections,
            steering,
            level: compares.then(|| LoudnessEstimator::new(sample_rate_hz)),
            heard: false,
            silent_hops: 0,
            rest_hops: hops(REST_SECONDS),
            sounding_hops: 0,
            lock_hops: hops(LOCK_SECONDS),
            lock_asked: false,
        }
    }

    /// What stands ahead of everything that is measured.
    pub(crate) fn ahead(&self) -> &Chain {
        &self.ahead
    }

    /// How the stem stands to the others of its session; heard by rules that compare them only.
    pub(crate) fn stand(&mut self, standing: Standing) {
        if self.level.is_some() {
            self.corrections.stand(standing);
        }
    }

    /// How loud it came in so far, where stems are compared.
    pub(crate) fn loudness_lufs(&self) -> Option<f64> {
        self.level.as_ref()?.loudness_lufs()
    }

    /// How much is let through from the next hop on.
    pub(crate) fn steer(&mut self, amounts: &Amounts, leave_alone: bool) {
        let Steering { amounts: followed, corrected, .. } = &mut self.steering;
        followed.iter_mut().zip(amounts.each()).for_each(|(following, share)| following.set(share));
        corrected.set(if leave_alone { 0.0 } else { 1.0 });
    }

    /// All that was asked is in force at once.
    pub(crate) fn arrive(&mut self) {
        self.steering.arrive();
    }

    /// Lets other corrections take over, now or once those in force are let go.
    pub(crate) fn glide_to(&mut self, next: Box<Chain>) {
        self.corrections.glide_to(next);
    }

    pub(crate) fn is_gliding(&self) -> bool {
        self.corrections.is_gliding()
    }

    /// Keeps the corrections, or lets them go. Only a change counts: what [`Self::lock_at`] keeps is not let go because a lock
    /// is not asked for yet.
    pub(crate) fn lock(&mut self, lock: bool) {
        if std::mem::replace(&mut self.lock_asked, lock) && !lock {
            self.corrections.unlock();
        }
        self.lock_when_known();
    }

    /// Keeps corrections from elsewhere; `after` takes over once they are let go.
    pub(crate) fn lock_at(&mut self, kept: Box<Chain>, after: Box<Chain>) {
        self.corrections.lock_at(kept, after);
    }

    /// What was decided beforehand is known; of running estimates it takes a while.
    fn lock_when_known(&mut self) {
        let is_known = !self.corrections.adapts() || self.sounding_hops >= self.lock_hops;
        if self.lock_asked && is_known {
            self.corrections.lock();
        }
    }

    /// The corrections that are kept, if they are.
    pub(crate) fn locked(&self) -> Option<StemProfile> {
        self.corrections.locked()
    }

    pub(crate) fn lock_changes(&self) -> u64 {
        self.corrections.lock_changes()
    }

    /// What is done at this moment: nothing to a stem that is left alone.
    pub(crate) fn reading(&self) -> StemReading {
        match self.steering.corrected.is_nothing() {
            true => StemReading::default(),
            false => self.corrections.reading(),
        }
    }

    /// What is known of the stem's tone.
    pub(crate) fn portrait(&self) -> TonePortrait {
        self.corrections.portrait()
    }

    /// Normalizes one hop in place; the result is that of an earlier one, by the latency of the effects.
    pub(crate) fn process(&mut self, hop: &mut Hop) {
        // What is not silent may still become so: denormals, NaN.
        let silent = hop.is_silent() || {
            sanitize(hop);
            hop.is_silent()
        };
        self.heard |= !silent;
        if silent && self.is_resting() {
            self.ahead.pass_silence();
            self.corrections.pass_silence();
            return;
        }
        self.sounding_hops = (self.sounding_hops + usize::from(!silent)).min(self.lock_hops);
        self.lock_when_known();
        self.level.iter_mut().for_each(|level| level.listen(hop));
        let shares = self.steering.amounts.each_mut().map(Following::advance);
        self.ahead.let_through(&shares);
        self.corrections.let_through(&shares);
        let corrected = self.steering.corrected.advance();
        self.steering.hold(hop);
        self.ahead.process(hop);
        self.corrections.process(hop);
        self.steering.leave_alone(hop, corrected);
        self.silent_hops = if silent && hop.is_silent() { self.silent_hops + 1 } else { 0 };
    }

    /// Whether silent hops pass untouched.
    pub(crate) fn is_resting(&self) -> bool {
        (self.silent_hops >= self.rest_hops || !self.heard) && self.corrections.may_rest()
    }

    /// Back to the state after construction; corrections that are kept stay.
    pub(crate) fn reset(&mut self) {
        self.ahead.reset();
        self.corrections.reset();
        self.steering.reset();
        self.level.iter_mut().for_each(LoudnessEstimator::reset);
        self.heard = false;
        self.silent_hops = 0;
        self.sounding_hops = 0;
    }
}

/// What an engineer lets through of one stem's chain.
#[derive(Debug)]
struct Steering {
    /// In the order of [`Amounts::NAMES`].
    amounts: [Following; 6],
    /// 0 where the stem is left alone.
    corrected: Following,
    /// The stem as it came in, delayed as the chain delays it.
    delays: Vec<HopDelay>,
    plain: Box<Hop>,
}

impl Steering {
    /// Everything comes through.
    fn new(latency_hops: usize) -> Self {
        Self {
            amounts: [Following::FULL; 6],
            corrected: Following::FULL,
            delays: vec![HopDelay::new(); latency_hops],
            plain: Box::new(Hop::SILENT),
        }
    }

    /// Takes a hop on its way in.
    fn hold(&mut self, hop: &Hop) {
        self.plain.left = hop.left;
        self.plain.right = hop.right;
        self.delays.iter_mut().for_each(|delay| delay.process(&mut self.plain));
    }

    /// Puts the plain stem in the place of the corrected one, as far as it is left alone.
    fn leave_alone(&self, hop: &mut Hop, corrected: Share) {
        if corrected == (Share { start: 0.0, end: 0.0 }) {
            hop.left = self.plain.left;
            hop.right = self.plain.right;
        } else if !corrected.is_full() {
            corrected.blend(hop, &self.plain);
        }
    }

    /// What was asked is in force at once.
    fn arrive(&mut self) {
        self.amounts.iter_mut().for_each(Following::arrive);
        self.corrected.arrive();
    }

    fn reset(&mut self) {
        self.arrive();
        self.delays.iter_mut().for_each(HopDelay::reset);
    }
}
