//! Whether the audio thread may wait, and how long. It never does, with one exception: while the host renders a file,
//! nobody listens and what comes late is lost for good. Hosts say so – or they do not, and then only their pace tells.
//! Everything here is a function of the times and block lengths it is given, so that hosts whose clocks drift, which
//! catch up or were asleep are tested without a clock; whoever sleeps is `AudioSide::wait`.

use std::time::{Duration, Instant};

/// A host that says nothing renders when it asks for more than this much time in the time that passes.
const FAST: f64 = 1.5;
/// At this pace or less a host plays, whatever it did before: more than drifting clocks (50 ppm), film speeds (4.2 %) and
/// another rate than announced (8.8 %) come to.
const PLAYS: f64 = 1.15;
/// The past by which a host's pace is judged, and its parts. A part is longer than the blocks of almost any device, so
/// that a host which plays shows it in every one of them, and longer than the hiccups of one that renders.
const PARTS: usize = 8;
const PART_S: f64 = 0.25;
/// As long as less than the whole past is known, the host must be so far ahead of `FAST` times the clock: more than
/// hosts run ahead or catch up by when they play.
const LEAD_S: f64 = 0.75;
/// The share of the frames that come before the first of the mix is due which is evidence enough of a host that has not
/// played just before, where that is less than `LEAD_S`: a render is then known before anything of it can be lost.
const LEAD_SHARE: f64 = 0.75;
/// A host that has asked for nothing for this long has not played just before.
const IDLE_S: f64 = 2.0;
/// Longest wait in one call while the host renders without having said so.
const CALL_LIMIT: Duration = Duration::from_millis(100);
/// An announced render goes on without a worker that has done nothing for this long.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// What the host does with the block at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It plays: the audio thread never waits.
    RealTime,
    /// It says that it renders offline: the audio thread waits as long as the worker makes progress.
    Announced,
    /// It says nothing and has been too fast for too long to be playing: the audio thread waits a little.
    Unannounced,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    /// Time that passed.
    passed_s: f64,
    /// What the audio thread waited of it.
    waited_s: f64,
    /// Time that the host asked for.
    asked_s: f64,
    /// A pause as long as a part is in it.
    pauses: bool,
}

impl Stretch {
    fn add(&mut self, other: Self) {
        self.passed_s += other.passed_s;
        self.waited_s += other.waited_s;
        self.asked_s += other.asked_s;
        self.pauses |= other.pauses;
    }

    /// Whether the host took its time: without what it was made to wait, or a long wait would look like a pause.
    fn is_real_time(self) -> bool {
        self.pauses || self.asked_s <= PLAYS * (self.passed_s - self.waited_s)
    }

    /// How far the host is ahead of `FAST` times the clock.
    fn lead_s(self) -> f64 {
        self.asked_s - FAST * self.passed_s
    }
}

/// Tells by the times of blocks what the host does. For its pace, time spent waiting counts as time that passed: otherwise
/// a host that plays and is held up would look like one that renders, because it comes again at once. So waits never make
/// a host slower than `FAST`.
#[derive(Debug)]
pub(crate) struct RenderMode {
    /// What `LEAD_S` comes to at this engine's latency, for a host that has not played just before.
    short_lead_s: f64,
    /// The host played just before the stream started anew.
    has_played: bool,
    /// What it may have to catch up from before.
    owed_s: f64,
    /// The next block is the stream's first: what passed before it is no part of its pace.
    starts: bool,
    /// When the last block was asked for, and how long it lasts.
    last: Option<(Instant, f64)>,
    /// Time waited since then.
    waited_s: f64,
    /// The last block was taken for one of a render.
    is_rendering: bool,
    /// The past, in parts of `PART_S` and more.
    past: [Stretch; PARTS],
    /// Parts of the past so far.
    parts: usize,
    present: Stretch,
}

impl RenderMode {
    /// `first_due_s` is the time a host must have asked for before the first frame of a mix is due.
    pub(crate) fn new(first_due_s: f64) -> Self {
        Self {
            short_lead_s: LEAD_S.min(LEAD_SHARE * first_due_s),
            has_played: false,
            owed_s: 0.0,
            starts: true,
            last: None,
            waited_s: 0.0,
            is_rendering: false,
            past: [Stretch::default(); PARTS],
            parts: 0,
            present: Stretch::default(),
        }
    }

    /// The stream starts anew: a host may have gone from playing to rendering, so its past pace says nothing any more.
    pub(crate) fn reset(&mut self) {
        let has_played = self.has_paused() || (self.has_played && !self.is_rendering);
        let (whole, carried_s) = (self.whole(), if self.parts == 0 { self.owed_s } else { 0.0 });
        let owed_s = (carried_s + whole.passed_s - whole.asked_s).max(0.0);
        let (short_lead_s, last) = (self.short_lead_s, self.last);
        *self = Self { short_lead_s, has_played, owed_s, last, ..Self::new(0.0) };
    }

    /// The host asks for a block. `announced` is what it says; `now` never goes back.
    pub(crate) fn block(&mut self, announced: bool, now: Instant, block_s: f64) -> Pace {
        if let Some((before, asked_s)) = self.last.replace((now, block_s)) {
            let passed_s = now.saturating_duration_since(before).as_secs_f64();
            let waited_s = std::mem::take(&mut self.waited_s).min(passed_s);
            if self.starts {
                self.has_played &= passed_s < IDLE_S;
                self.owed_s += (passed_s - asked_s).max(0.0);
            } else {
                let stretch = Stretch { passed_s, waited_s, asked_s, pauses: false };
                let is_long = passed_s - waited_s >= PART_S;
                self.account(Stretch { pauses: is_long && stretch.is_real_time(), ..stretch });
            }
        }
        self.starts = false;
        self.is_rendering = self.is_fast();
        match announced {
            true => Pace::Announced,
            false if self.is_rendering => Pace::Unannounced,
            false => Pace::RealTime,
        }
    }

    /// The audio thread has waited in the present call.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.waited_s += time.as_secs_f64();
    }

    /// Whether the host kept to real time in the newest part of the past.
    pub(crate) fn plays(&self) -> bool {
        self.parts.checked_sub(1).is_some_and(|newest| self.past[newest % PARTS].is_real_time())
    }

    fn account(&mut self, stretch: Stretch) {
        self.present.add(stretch);
        if self.present.passed_s >= PART_S {
            self.past[self.parts % PARTS] = std::mem::take(&mut self.present);
            self.parts += 1;
        }
    }

    fn is_fast(&self) -> bool {
        let needed_s = match self.has_played {
            _ if self.is_rendering || self.parts >= PARTS => 0.0,
            true => LEAD_S + self.owed_s,
            false => self.short_lead_s,
        };
        !self.has_paused() && self.whole().lead_s() > needed_s
    }

    /// Whether the host kept to real time in any part of the past.
    fn has_paused(&self) -> bool {
        self.known().iter().any(|part| part.is_real_time())
    }

    /// The parts of the past that there are, in no order.
    fn known(&self) -> &[Stretch] {
        &self.past[..self.parts.min(PARTS)]
    }

    /// The past and the present together.
    fn whole(&self) -> Stretch {
        let mut whole = self.present;
        self.known().iter().for_each(|part| whole.add(*part));
        whole
    }
}

/// How long a wait may go on.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// When this call must have waited enough, if it waits and the host has not said that it renders.
    deadline: Option<Instant>,
    /// Since when this call has seen no progress.
    stalled_since: Option<Instant>,
    /// The worker's progress when it was looked at last.
    progress: u64,
    /// There has been no progress for so long that nobody waits for it any more.
    has_given_up: bool,
}

impl Patience {
    /// The host's next call begins.
    pub(crate) fn begin_call(&mut self) {
        self.deadline = None;
        self.stalled_since = None;
    }

    /// Whether a late hop will be waited for, so that the worker must not give it up.
    pub(crate) fn is_with(&self, pace: Pace) -> bool {
        match pace {
            Pace::RealTime => false,
            Pace::Announced => !self.has_given_up,
            Pace::Unannounced => true,
        }
    }

    /// Whether to wait on, at the time `now` with the worker's count of progress.
    pub(crate) fn lasts(&mut self, pace: Pace, now: Instant, progress: u64) -> bool {
        match pace {
            Pace::RealTime => false,
            Pace::Unannounced => now < *self.deadline.get_or_insert(now + CALL_LIMIT),
            Pace::Announced => {
                if progress != self.progress {
                    self.progress = progress;
                    self.stalled_since = None;
                    self.has_given_up = false;
                }
                let since = *self.stalled_since.get_or_insert(now);
                self.has_given_up |= now.saturating_duration_since(since) > STALL_LIMIT;
                !self.has_given_up
            }
        }
    }
}

#[cfg(test)]
#[path = "render_mode_tests.rs"]
mod tests;
