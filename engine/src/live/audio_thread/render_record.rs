//! What a render lost: the stretches of a file in which the fallback or the dry signal stands where the mix should. The
//! audio thread writes them down – nobody hears a render, so nobody else can notice –, and the editor and the project
//! say them. A list of fixed length, because the audio thread allocates nothing.

use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::live::audio_thread::render_mode::Pace;

/// Stretches that are told apart. Beyond that the last one grows.
const STRETCHES: usize = 16;
/// Stretches nearer to each other than this are one.
const JOIN_S: f64 = 0.1;
/// A host that has played for so long is not in the middle of a render whose worker is slow.
const PLAYS_AGAIN: Duration = Duration::from_secs(10);

/// From and to, in frames of the rendered file.
type Stretch = [u64; 2];

/// The audio thread's notes on the render that goes on, or on what may turn out to be one.
#[derive(Debug)]
pub(crate) struct RenderRecord {
    latency_frames: u64,
    join_frames: u64,
    /// Frames since the render began; the first `latency_frames` come before the file.
    frames: u64,
    lost: [Stretch; STRETCHES],
    count: usize,
    is_render: bool,
    is_announced: bool,
    /// The next block is the first of something new.
    starts: bool,
    plays_since: Option<Instant>,
}

impl RenderRecord {
    pub(crate) fn new(latency_frames: usize, rate_hz: f64) -> Self {
        Self {
            latency_frames: latency_frames as u64,
            join_frames: (JOIN_S * rate_hz.clamp(0.0, 768e3)) as u64,
            frames: 0,
            lost: [[0; 2]; STRETCHES],
            count: 0,
            is_render: false,
            is_announced: false,
            starts: true,
            plays_since: None,
        }
    }

    /// What comes is not the continuation of what was.
    pub(crate) fn restart(&mut self) {
        self.starts = true;
    }

    /// A call begins: at this pace, and the host `plays` in real time or does not.
    pub(crate) fn begin_call(&mut self, pace: Pace, plays: bool, now: Instant, shared: &SharedRecord) {
        let since = if plays { *self.plays_since.get_or_insert(now) } else { now };
        if !plays {
            self.plays_since = None;
        }
        let is_announced = pace == Pace::Announced;
        let plays_again = now.saturating_duration_since(since) > PLAYS_AGAIN;
        if self.starts || is_announced != self.is_announced || (plays_again && !is_announced) {
            (self.frames, self.count, self.is_render, self.starts) = (0, 0, false, false);
        }
        self.is_announced = is_announced;
        if pace != Pace::RealTime && !self.is_render {
            self.is_render = true;
            shared.begin(is_announced);
            (0..self.count).for_each(|at| shared.set(at, self.lost[at]));
        }
    }

    /// Notes `frames` frames of output, and whether there is one without the mix among them.
    pub(crate) fn add(&mut self, frames: usize, lost: bool, shared: &SharedRecord) {
        let from = self.frames;
        self.frames += frames as u64;
        if !lost || self.frames <= self.latency_frames {
            return;
        }
        let in_file = |frame: u64| frame.saturating_sub(self.latency_frames);
        let (from, to) = (in_file(from), in_file(self.frames));
        let joins = self.count > 0 && from <= self.lost[self.count - 1][1] + self.join_frames;
        if joins || self.count == STRETCHES {
            self.lost[self.count - 1][1] = to;
        } else {
            self.lost[self.count] = [from, to];
            self.count += 1;
        }
        if self.is_render {
            shared.set(self.count - 1, self.lost[self.count - 1]);
        }
    }
}

/// The last render's record, written by the audio thread and read by others.
#[derive(Debug, Default)]
pub(crate) struct SharedRecord {
    has_rendered: AtomicBool,
    is_announced: AtomicBool,
    lost: [[AtomicU64; 2]; STRETCHES],
    count: AtomicUsize,
}

impl SharedRecord {
    fn begin(&self, is_announced: bool) {
        self.count.store(0, Relaxed);
        self.is_announced.store(is_announced, Relaxed);
        self.has_rendered.store(true, Release);
    }

    fn set(&self, at: usize, [from, to]: Stretch) {
        self.lost[at][0].store(from, Relaxed);
        self.lost[at][1].store(to, Relaxed);
        self.count.store(at + 1, Release);
    }

    /// What is known so far, with times at this rate; `None` before the first render. Allocates: for the main thread.
    pub(crate) fn report(&self, rate_hz: f64) -> Option<RenderReport> {
        if !self.has_rendered.load(Acquire) {
            return None;
        }
        let count = self.count.load(Acquire).min(STRETCHES);
        let seconds = |frame: &AtomicU64| frame.load(Relaxed) as f64 / rate_hz;
        Some(RenderReport {
            announced: self.is_announced.load(Relaxed),
            lost_s: self.lost[..count].iter().map(|stretch| stretch.each_ref().map(seconds)).collect(),
        })
    }
}

/// How the last render went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenderReport {
    /// The host said that it renders. Otherwise it was told by its pace, and the audio thread waits at most 100 ms a call.
    pub announced: bool,
    /// Where the fallback or the dry signal stands instead of the mix: from and to, in seconds since the render began.
    /// Empty when all of it is the mix.
    pub lost_s: Vec<[f64; 2]>,
}

#[expect(clippy::disallowed_methods, reason = "for the main thread")]
impl RenderReport {
    /// Sentences for whoever rendered: what is lost, why, and what to do. `None` when nothing is.
    pub fn words(&self) -> Option<String> {
        let [from, to] = *self.lost_s.first()?;
        let all_s: f64 = self.lost_s.iter().map(|[from, to]| to - from).sum();
        let more = match self.lost_s.len() - 1 {
            0 => String::new(),
            1 => format!(" and in one more place, {all_s:.1} s in all"),
            places => format!(" and in {places} more places, {all_s:.1} s in all"),
        };
        let why = if self.announced {
            "the engine failed or stood still"
        } else {
            "the host does not say that it renders offline, so Tributary cannot wait for long"
        };
        Some(format!(
            "The last render lacks the mix from {} to {}{more}: {why}. Render it again.",
            clock(from),
            clock(to)
        ))
    }
}

/// Minutes and seconds.
#[expect(clippy::disallowed_methods, reason = "for the main thread")]
fn clock(seconds: f64) -> String {
    let tenths = (seconds.clamp(0.0, 1e9) * 10.0).round() as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 1000.0;
    const LATENCY_FRAMES: usize = 500;

    /// Calls of 100 frames, by whether they lack the mix.
    fn calls(record: &mut RenderRecord, shared: &SharedRecord, pace: Pace, now: Instant, lost: &[bool]) {
        for &lost in lost {
            record.begin_call(pace, pace == Pace::RealTime, now, shared);
            record.add(100, lost, shared);
        }
    }

    #[test]
    fn what_an_announced_render_lacks_is_told_in_seconds_of_its_file() {
        let (mut record, shared) = (RenderRecord::new(LATENCY_FRAMES, RATE_HZ), SharedRecord::default());
        let now = Instant::now();
        assert_eq!(shared.report(RATE_HZ), None);
        calls(&mut record, &shared, Pace::RealTime, now, &[true; 20]);
        assert_eq!(shared.report(RATE_HZ), None, "who plays hears it");
        calls(&mut record, &shared, Pace::Announced, now, &[true, true, true, true, true, false]);
        assert_eq!(shared.report(RATE_HZ), Some(RenderReport { announced: true, lost_s: vec![] }));
        let lost = [true, true, false, true, false, false, false, true];
        calls(&mut record, &shared, Pace::Announced, now, &lost);
        let lost_s = vec![[0.1, 0.5], [0.8, 0.9]];
        assert_eq!(shared.report(RATE_HZ), Some(RenderReport { announced: true, lost_s }));
        // What is played afterwards is no part of it, and the next render is another.
        let before = shared.report(RATE_HZ);
        calls(&mut record, &shared, Pace::RealTime, now, &[true; 20]);
        assert_eq!(shared.report(RATE_HZ), before);
        calls(&mut record, &shared, Pace::Announced, now, &[false; 20]);
        assert_eq!(shared.report(RATE_HZ).unwrap().lost_s, Vec::<[f64; 2]>::new());
    }

    #[test]
    fn a_render_that_is_known_late_tells_what_was_lost_before() {
        let (mut record, shared) = (RenderRecord::new(LATENCY_FRAMES, RATE_HZ), SharedRecord::default());
        let start = Instant::now();
        // Underruns of an hour of playing do not count.
        for second in 0..3600 {
            let now = start + Duration::from_secs(second);
            calls(&mut record, &shared, Pace::RealTime, now, &[true]);
        }
        let now = start + Duration::from_secs(3601);
        for _ in 0..50 {
            record.begin_call(Pace::RealTime, false, now, &shared);
            record.add(100, true, &shared);
        }
        assert_eq!(shared.report(RATE_HZ), None);
        calls(&mut record, &shared, Pace::Unannounced, now, &[false; 5]);
        let report = shared.report(RATE_HZ).unwrap();
        assert_eq!((report.announced, report.lost_s.len()), (false, 1));
        let [from, to] = report.lost_s[0];
        assert!(from < 0.2 && (4.4..4.7).contains(&to), "{from} to {to}");
        // A slow worker makes it look like playing for a while: still the same render.
        let later = now + Duration::from_secs(5);
        calls(&mut record, &shared, Pace::RealTime, later, &[false, false, false, true]);
        assert_eq!(shared.report(RATE_HZ).unwrap().lost_s.len(), 2);
    }

    #[test]
    fn a_jump_begins_another_record_and_the_list_never_overflows() {
        let (mut record, shared) = (RenderRecord::new(0, RATE_HZ), SharedRecord::default());
        let now = Instant::now();
        let every_third: Vec<bool> = (0..300).map(|call| call % 3 == 0).collect();
        calls(&mut record, &shared, Pace::Announced, now, &every_third);
        let report = shared.report(RATE_HZ).unwrap();
        assert_eq!(report.lost_s.len(), STRETCHES);
        assert_eq!(report.lost_s.last(), Some(&[4.5, 29.8]));
        record.restart();
        calls(&mut record, &shared, Pace::Announced, now, &[false]);
        assert!(shared.report(RATE_HZ).unwrap().lost_s.is_empty());
    }

    #[test]
    fn it_reads_well() {
        let report = |lost_s: &[[f64; 2]]| RenderReport { announced: true, lost_s: lost_s.to_vec() };
        assert_eq!(report(&[]).words(), None);
        let words = report(&[[61.04, 125.0]]).words().unwrap();
        assert!(
            words.starts_with("The last render lacks the mix from 1:01.0 to 2:05.0: the engine"),
            "{words}"
        );
        let words = report(&[[0.0, 1.0], [2.0, 3.5], [4.0, 5.0]]).words().unwrap();
        assert!(words.contains("0:01.0 and in 2 more places, 3.5 s in all"), "{words}");
    }
}
