//! From one stem's corrections to another's without a click: the new ones first listen along in silence, until what they
//! remember of the stem (compressor, filters, running estimates) no longer depends on where they began, and then fade in.
//! After the fade the output is that of the new corrections, as if they had been in force from the stream's start.
//!
//! Corrections can be locked. Those in force stay then, whatever is heard, and others that come wait until they are let go;
//! a fade that has begun goes on.

use crate::amounts::Share;
use crate::chain::Chain;
use crate::hop::{HOP_FRAMES, Hop};
use crate::portrait::TonePortrait;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::session::Standing;

/// Time in which new corrections listen along unheard. The longest memory of a fixed correction is the compressor's
/// release on “other”, 666 ms: after nine of them 30 dB of forgotten reduction weigh 0.004 dB, after the fade 0.0002 dB.
pub const LISTEN_SECONDS: f64 = 6.0;
/// Length of the fade. Both outputs are the same stem with the same delay, so a straight fade neither dips nor clicks.
pub const FADE_SECONDS: f64 = 2.0;

/// The corrections of one stem, and those that are about to take over.
#[derive(Debug)]
pub(crate) struct Transition {
    current: Box<Chain>,
    /// What takes over next; once it has, what it took over from, so that nothing is released while audio runs.
    next: Option<Box<Chain>>,
    /// Hops since the transition began; `None` when there is none.
    age_hops: Option<usize>,
    /// What takes over when the present transition is over.
    waiting: Option<Box<Chain>>,
    is_waiting: bool,
    /// What takes over once the corrections are let go.
    parked: Option<Box<Chain>>,
    is_parked: bool,
    locked: bool,
    lock_changes: u64,
    /// Hops since the start of the stream.
    stream_hops: u64,
    listen_hops: usize,
    fade_hops: usize,
    faded: Box<Hop>,
}

impl Transition {
    /// `chain` is in force from the start.
    pub(crate) fn new(chain: Box<Chain>, sample_rate_hz: f64) -> Self {
        let hops = |seconds: f64| (seconds * sample_rate_hz / HOP_FRAMES as f64).ceil().max(1.0) as usize;
        Self {
            current: chain,
            next: None,
            age_hops: None,
            waiting: None,
            is_waiting: false,
            parked: None,
            is_parked: false,
            locked: false,
            lock_changes: 0,
            stream_hops: 0,
            listen_hops: hops(LISTEN_SECONDS),
            fade_hops: hops(FADE_SECONDS),
            faded: Box::new(Hop::SILENT),
        }
    }

    /// Begins a transition, or queues it behind the one under way, or behind the lock; of several that wait only the last one
    /// counts. May release what was replaced earlier.
    pub(crate) fn glide_to(&mut self, next: Box<Chain>) {
        if self.locked {
            self.park(next);
        } else {
            self.take(next);
        }
    }

    fn park(&mut self, next: Box<Chain>) {
        self.parked = Some(next);
        self.is_parked = true;
    }

    fn take(&mut self, next: Box<Chain>) {
        if self.age_hops.is_some() {
            self.waiting = Some(next);
            self.is_waiting = true;
        } else {
            self.begin(next);
        }
    }

    /// Hops between an input and its output.
    pub(crate) fn latency_hops(&self) -> usize {
        self.current.latency_hops()
    }

    /// Whether the corrections in force follow running estimates.
    pub(crate) fn adapts(&self) -> bool {
        self.current.adapts()
    }

    /// Keeps the corrections in force. What only listens along yet, or waits, takes over once they are let go.
    pub(crate) fn lock(&mut self) {
        if std::mem::replace(&mut self.locked, true) {
            return;
        }
        self.lock_changes += 1;
        self.current.hold(true);
        let listens = self.age_hops.is_some_and(|age| age <= self.listen_hops);
        if let (false, Some(next)) = (listens, &mut self.next) {
            next.hold(true);
        }
        // The newest of them counts.
        if self.is_waiting {
            std::mem::swap(&mut self.parked, &mut self.waiting);
            (self.is_parked, self.is_waiting) = (true, false);
        } else if listens {
            std::mem::swap(&mut self.parked, &mut self.next);
            self.is_parked = true;
        }
        if listens {
            self.age_hops = None;
        }
    }

    /// Lets these take over and keeps them; `after` takes over once they are let go.
    pub(crate) fn lock_at(&mut self, kept: Box<Chain>, after: Box<Chain>) {
        self.current.hold(true);
        self.take(kept);
        self.park(after);
        self.locked = true;
        self.lock_changes += 1;
    }

    /// Lets the corrections follow again.
    pub(crate) fn unlock(&mut self) {
        if !std::mem::replace(&mut self.locked, false) {
            return;
        }
        self.lock_changes += 1;
        self.current.hold(false);
        self.next.iter_mut().for_each(|next| next.hold(false));
        if std::mem::take(&mut self.is_parked)
            && let Some(mut parked) = self.parked.take()
        {
            parked.hold(false);
            // It may have listened for a while before the lock.
            parked.reset();
            self.take(parked);
        }
    }

    /// The corrections that are kept, or are about to take over and be kept. Allocates.
    pub(crate) fn locked(&self) -> Option<StemProfile> {
        let coming = self.waiting.as_ref().filter(|_| self.is_waiting);
        let coming = coming.or_else(|| self.next.as_ref().filter(|_| self.is_gliding()));
        self.locked.then(|| coming.unwrap_or(&self.current).profile())
    }

    /// How often [`Self::locked`] may have changed.
    pub(crate) fn lock_changes(&self) -> u64 {
        self.lock_changes
    }

    /// Tells the corrections how the stem stands to the others of its session.
    pub(crate) fn stand(&mut self, standing: Standing) {
        self.current.stand(standing);
        if let (Some(_), Some(next)) = (self.age_hops, &mut self.next) {
            next.stand(standing);
        }
    }

    /// Tells how much of each effect is let through over the next hop.
    pub(crate) fn let_through(&mut self, shares: &[Share; 6]) {
        self.current.let_through(shares);
        if let (Some(_), Some(next)) = (self.age_hops, &mut self.next) {
            next.let_through(shares);
        }
    }

    fn begin(&mut self, mut next: Box<Chain>) {
        next.start_at(self.stream_hops as i64);
        self.next = Some(next);
        self.age_hops = Some(0);
    }

    /// Whether a transition is under way.
    pub(crate) fn is_gliding(&self) -> bool {
        self.age_hops.is_some()
    }

    /// Corrects one hop in place.
    pub(crate) fn process(&mut self, hop: &mut Hop) {
        self.stream_hops += 1;
        let (Some(age), Some(next)) = (self.age_hops, &mut self.next) else {
            self.current.process(hop);
            return;
        };
        for (held, side) in self.faded.sides_mut().into_iter().zip(hop.sides()) {
            held.copy_from_slice(side);
        }
        next.process(&mut self.faded);
        self.current.process(hop);
        if let Some(faded_hops) = age.checked_sub(self.listen_hops) {
            let step = 1.0 / (self.fade_hops * HOP_FRAMES) as f32;
            let start = (faded_hops * HOP_FRAMES) as f32;
            for (side, new) in hop.sides_mut().into_iter().zip(self.faded.sides()) {
                for (frame, (sample, new)) in side.iter_mut().zip(new).enumerate() {
                    *sample += (new - *sample) * ((start + (frame + 1) as f32) * step);
                }
            }
        }
        self.age_hops = Some(age + 1);
        if age + 1 == self.listen_hops + self.fade_hops {
            self.finish();
        }
    }

    /// Whether silent hops need not be processed.
    pub(crate) fn may_rest(&self) -> bool {
        !self.is_gliding() && self.current.may_rest()
    }

    /// A silent hop passes while the chain rests.
    pub(crate) fn pass_silence(&mut self) {
        self.stream_hops += 1;
        self.current.pass_silence();
    }

    fn finish(&mut self) {
        if let Some(next) = &mut self.next {
            std::mem::swap(&mut self.current, next);
        }
        self.age_hops = None;
        if self.is_waiting {
            self.is_waiting = false;
            std::mem::swap(&mut self.next, &mut self.waiting);
            if let Some(next) = &mut self.next {
                next.start_at(self.stream_hops as i64);
                self.age_hops = Some(0);
            }
        }
    }

    /// What is done at this moment; during a fade, what will be.
    pub(crate) fn reading(&self) -> StemReading {
        self.shown().reading()
    }

    /// What is known of the stem's tone.
    pub(crate) fn portrait(&self) -> TonePortrait {
        self.shown().portrait()
    }

    fn shown(&self) -> &Chain {
        match (self.age_hops, &self.next) {
            (Some(age), Some(next)) if age > self.listen_hops => next,
            _ => &self.current,
        }
    }

    /// Back to the start of a stream. What was about to take over is in force at once: nothing is heard that it could
    /// fade from.
    pub(crate) fn reset(&mut self) {
        while self.age_hops.is_some() {
            self.finish();
        }
        self.stream_hops = 0;
        self.current.reset();
    }
}
