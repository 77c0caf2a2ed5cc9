//! What the worker tells of its work: loudness and corrections of the stems, its load, and the gains that bring what stands in
//! for a late mix to the mix's loudness.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tributary_dsp::Stem;

use super::telemetry::{StemLevels, Telemetry};
use crate::bundle::contract::WindowGeometry;
use crate::pipeline::meters::SILENCE_DB;
use crate::pipeline::{Loudness, Pipeline};

/// Frames between two publications of the meters: 50 ms at 48 kHz.
const PUBLISH_FRAMES: u64 = 2400;
/// Publications for which the loudness of what came in is kept: longer than any normalizer is late, at any rate.
const ARRIVED: usize = 16;
/// Weight of the newest hop in the smoothed load.
const LOAD_WEIGHT: f32 = 0.1;
/// Signals quieter than this do not move the fallback gains.
const AUDIBLE_LUFS: f64 = -60.0;
/// Fallback gains stay within these bounds.
const FALLBACK_GAIN_RANGE_DB: (f64, f64) = (-40.0, 20.0);

/// See the module documentation.
pub(super) struct Publication {
    telemetry: Arc<Telemetry>,
    /// Frames of the stream that had been pushed when the meters were published last.
    published_frames: u64,
    /// Momentary loudness of the stems as they came in, and how many frames had been pushed by then, oldest first.
    arrived: VecDeque<(u64, [f64; Stem::COUNT])>,
    /// The figures of a resting pipeline are out.
    published_rest: bool,
    /// Time worked since the last hop.
    busy: Duration,
    /// Changes of locks that are out.
    lock_changes: u64,
}

impl Publication {
    /// Nothing has been published.
    pub(super) fn new(telemetry: Arc<Telemetry>) -> Self {
        let arrived = VecDeque::with_capacity(ARRIVED + 1);
        Self {
            telemetry,
            published_frames: 0,
            arrived,
            published_rest: false,
            busy: Duration::ZERO,
            lock_changes: 0,
        }
    }

    /// Another stream begins.
    pub(super) fn restart(&mut self) {
        self.published_frames = 0;
        self.arrived.clear();
        self.published_rest = false;
        self.busy = Duration::ZERO;
        self.telemetry.load_peak.set(0.0);
    }

    /// The worker has worked for so long.
    pub(super) fn add_work(&mut self, time: Duration) {
        self.busy += time;
    }

    /// A hop is made in a run of so long: publishes what that took of the time there is for it, or what all the work since the
    /// last hop took of the time a hop lasts, whichever is more. Above 1 the one makes this hop late and the other all that
    /// follow.
    pub(super) fn publish_load(&mut self, run: Duration, geometry: WindowGeometry) {
        let seconds = |frames: usize| frames as f64 / f64::from(geometry.sample_rate_hz);
        let work = std::mem::take(&mut self.busy).as_secs_f64() / seconds(geometry.hop_frames);
        let load = work.max(run.as_secs_f64() / seconds(geometry.computing_frames)) as f32;
        let smoothed = self.telemetry.load.get();
        let first = self.telemetry.hops.load(Relaxed) <= 1;
        let weight = if first { 1.0 } else { LOAD_WEIGHT };
        self.telemetry.load.set(smoothed + weight * (load - smoothed));
        self.telemetry.load_peak.set(self.telemetry.load_peak.get().max(load));
    }

    /// Publishes which corrections are locked, whenever that has changed.
    pub(super) fn publish_locks(&mut self, pipeline: &Pipeline) {
        let changes = pipeline.lock_changes();
        if std::mem::replace(&mut self.lock_changes, changes) != changes {
            self.telemetry.set_locked(pipeline.locked());
        }
    }

    /// Publishes what the pipeline measures, now and then. Returns the gain that brings the normalized sum to the mix's
    /// loudness, when that is known anew.
    pub(super) fn publish(&mut self, pipeline: &Pipeline) -> Option<f32> {
        let pushed_frames = pipeline.pushed_frames();
        if pushed_frames < self.published_frames + PUBLISH_FRAMES {
            return None;
        }
        self.published_frames = pushed_frames;
        // Nothing has changed since the last time.
        if std::mem::replace(&mut self.published_rest, pipeline.is_resting()) && self.published_rest {
            return None;
        }
        let readings = pipeline.normalizer_readings();
        let (before, after) =
            pipeline.meters().map(|meters| (meters.before(), meters.after())).unwrap_or_default();
        let before = self.at_the_normalizers_end(before, pipeline);
        let images = pipeline.meters().map(|meters| meters.images()).unwrap_or_default();
        let levels = |stem: usize| StemLevels::new(before[stem], after[stem], readings[stem], images[stem]);
        self.telemetry.set_levels(std::array::from_fn(levels));
        if self.telemetry.is_looked_at() {
            self.telemetry.set_tone_portraits(pipeline.tone_portraits());
        }
        self.telemetry.pass_publication();
        let meters = pipeline.meters()?;
        let mix_lufs = meters.mix().recent_lufs;
        if let Some(gain) = gain_between(meters.raw_sum().recent_lufs, mix_lufs) {
            self.telemetry.raw_gain.set(gain);
        }
        gain_between(meters.sum().recent_lufs, mix_lufs)
    }

    /// Momentary loudness of the stems as they came in at the moment that is leaving the normalizer now: the two are shown
    /// side by side.
    fn at_the_normalizers_end(
        &mut self,
        before: [Loudness; Stem::COUNT],
        pipeline: &Pipeline,
    ) -> [Loudness; Stem::COUNT] {
        let moment = self.published_frames.saturating_sub(pipeline.normalizer_frames());
        self.arrived.push_back((self.published_frames, before.map(|loudness| loudness.momentary_lufs)));
        // The last one that is not later, and the one behind it; a stream that has just begun has only later ones.
        let is_past =
            |arrived: Option<&(u64, [f64; Stem::COUNT])>| arrived.is_some_and(|(at, _)| *at <= moment);
        while self.arrived.len() > ARRIVED || is_past(self.arrived.get(1)) {
            self.arrived.pop_front();
        }
        let first = self.arrived.front().copied().unwrap_or_default();
        let second = self.arrived.get(1).copied().unwrap_or(first);
        let share = moment.saturating_sub(first.0) as f64 / second.0.saturating_sub(first.0).max(1) as f64;
        let then: [f64; Stem::COUNT] =
            std::array::from_fn(|stem| between(first.1[stem], second.1[stem], share.min(1.0)));
        std::array::from_fn(|stem| Loudness { momentary_lufs: then[stem], ..before[stem] })
    }
}

/// The loudness of a moment between two: where a sound begins or ends, its power over the last 400 ms changes evenly.
fn between(first_lufs: f64, second_lufs: f64, share: f64) -> f64 {
    let power = |lufs: f64| 10.0_f64.powf(0.1 * lufs);
    let power = power(first_lufs) * (1.0 - share) + power(second_lufs) * share;
    (10.0 * power.log10()).max(SILENCE_DB)
}

/// Linear gain from one loudness to another, within bounds; `None` when either is nearly silent.
fn gain_between(from_lufs: f64, to_lufs: f64) -> Option<f32> {
    let (least, most) = FALLBACK_GAIN_RANGE_DB;
    let gain_db = (to_lufs - from_lufs).clamp(least, most);
    (from_lufs > AUDIBLE_LUFS && to_lufs > AUDIBLE_LUFS).then(|| 10.0_f64.powf(gain_db / 20.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SumModel;
    use crate::test_support::{Noise, SMALL_GEOMETRY, neutral_recipe};
    use tributary_dsp::{CHANNELS, CorrectionSource, Targets};

    const BLOCK_FRAMES: usize = 480;

    fn pipeline() -> Pipeline {
        let model = Box::new(SumModel::new(SMALL_GEOMETRY));
        let source = CorrectionSource::Adaptive;
        let targets = Targets::default();
        let pipeline = Pipeline::new(model, &neutral_recipe(), &targets, source, None, 44_100.0);
        pipeline.unwrap().with_meters()
    }

    /// Plays for a while as the worker does, and looks at what is published after every block.
    fn play(
        seconds: f64,
        level: f32,
        (pipeline, publication): (&mut Pipeline, &mut Publication),
        mut look: impl FnMut(&Telemetry, &Pipeline),
    ) {
        let mut noise = Noise(7);
        for _ in 0..(seconds * 44_100.0) as usize / BLOCK_FRAMES {
            let side: Vec<f32> = (0..BLOCK_FRAMES).map(|_| level * noise.sample()).collect();
            pipeline.push([&side; CHANNELS]).unwrap();
            pipeline.watch_images(publication.telemetry.is_looked_at());
            publication.publish(pipeline);
            look(&publication.telemetry, pipeline);
        }
    }

    #[test]
    fn a_stem_is_shown_as_it_came_beside_what_it_became() {
        let (mut pipeline, telemetry) = (pipeline(), Arc::new(Telemetry::default()));
        let mut publication = Publication::new(telemetry);
        // Sums of what lies between the two: as they are published, and as the meters read at once.
        let (mut shown_db, mut at_once_db, mut lag_frames) = (0.0, 0.0, 0);
        for level in [0.01, 0.5, 0.002, 0.2] {
            play(1.0, level, (&mut pipeline, &mut publication), |telemetry, pipeline| {
                lag_frames = pipeline.normalizer_frames().max(lag_frames);
                let levels = telemetry.levels()[0];
                let meters = pipeline.meters().unwrap();
                let (before, after) = (meters.before()[0].momentary_lufs, meters.after()[0].momentary_lufs);
                if levels.before_lufs > -60.0 && levels.after_lufs > -60.0 && after > -60.0 {
                    shown_db += f64::from(levels.before_lufs - levels.after_lufs).abs();
                    at_once_db += (before - after).abs();
                }
            });
        }
        assert!(lag_frames > 2 * PUBLISH_FRAMES / 3, "otherwise this shows nothing");
        // Nothing is done to the stem. Between two publications a beginning is spread over the time between them.
        assert!(shown_db < 0.25 * at_once_db, "{shown_db} dB instead of {at_once_db} dB apart");
    }

    #[test]
    fn the_load_is_that_of_the_tighter_limit() {
        // Of a hop of 100 ms, 20 ms are for computing.
        let geometry = WindowGeometry { hop_frames: 4_410, computing_frames: 882, ..WindowGeometry::DEFAULT };
        for (run_ms, beside_ms, load) in [(10, 0, 0.5), (30, 0, 1.5), (10, 80, 0.9), (0, 0, 0.0)] {
            let telemetry = Arc::new(Telemetry::default());
            let mut publication = Publication::new(Arc::clone(&telemetry));
            let run = Duration::from_millis(run_ms);
            publication.add_work(Duration::from_millis(beside_ms));
            publication.add_work(run);
            publication.publish_load(run, geometry);
            assert!((telemetry.load.get() - load).abs() < 1e-3, "{run_ms} and {beside_ms} ms");
        }
    }

    #[test]
    fn what_costs_is_measured_while_somebody_looks() {
        let (mut pipeline, telemetry) = (pipeline(), Arc::new(Telemetry::default()));
        let mut publication = Publication::new(Arc::clone(&telemetry));
        let images = || telemetry.levels().map(|levels| levels.image.is_some());
        play(1.0, 0.1, (&mut pipeline, &mut publication), |_, _| {});
        assert_eq!((images(), telemetry.is_looked_at()), ([false; 4], false));
        assert_eq!(telemetry.tone_portraits(), [Default::default(); 4]);
        play(0.5, 0.1, (&mut pipeline, &mut publication), |telemetry, _| telemetry.look());
        assert_eq!(images(), [true; 4]);
        assert!(
            telemetry.tone_portraits().iter().all(|tone| tone.spread_db[10] > 0.0),
            "of which the target is known"
        );
        play(1.5, 0.1, (&mut pipeline, &mut publication), |_, _| {});
        assert_eq!((images(), telemetry.is_looked_at()), ([false; 4], false), "a look is good for a second");
    }
}
