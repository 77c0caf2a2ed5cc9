//! One engine after another on a player: no gap, no step, aligned to the sample, nothing allocated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tributary_dsp::{CHANNELS, CorrectionSource};
use tributary_engine::test_support::{SMALL_GEOMETRY, custom_source};
use tributary_engine::{
    AudioSide, Engine, EngineConfig, EngineHandle, EnginePlayer, MixHop, MixModel, ModelError, ModelSource,
    PlayerControl, Retired, SongLearner, StemWindow, SumModel, WindowGeometry,
};

use crate::alloc::allocations;
use crate::common::Noise;
use crate::realtime::{CALM_GEOMETRY, OFFLINE, wait_until_ready};

const RATE_HZ: f64 = 44_100.0;
const MAX_BLOCK: usize = 512;
/// What every stem's left side holds.
const LEVEL: f32 = 0.05;

/// The sum at half the level, until it breaks.
struct Half {
    sum: SumModel,
    broken: Arc<AtomicBool>,
}

impl MixModel for Half {
    fn geometry(&self) -> WindowGeometry {
        self.sum.geometry()
    }

    fn reset(&mut self) {}

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(ModelError::Run { reason: "broken".into() });
        }
        self.sum.run(window, mix)?;
        mix.left.iter_mut().chain(&mut *mix.right).for_each(|sample| *sample *= 0.5);
        Ok(())
    }
}

fn start(model: ModelSource, least_frames: usize) -> (AudioSide, EngineHandle) {
    let corrections = CorrectionSource::Adaptive;
    let config = EngineConfig { model, corrections, host_rate_hz: RATE_HZ, max_block: MAX_BLOCK };
    Engine::start_at_latency(config, least_frames)
}

/// A player that plays the sum, and its engine.
fn player() -> (EnginePlayer, PlayerControl, EngineHandle) {
    let (side, handle) = start(custom_source(CALM_GEOMETRY, || Box::new(SumModel::new(CALM_GEOMETRY))), 0);
    let (player, control) = EnginePlayer::new(side, RATE_HZ, MAX_BLOCK);
    (player, control, handle)
}

/// Another engine of shorter windows, at the player's latency.
fn half(player: &EnginePlayer) -> (AudioSide, EngineHandle) {
    start(half_source(), player.latency_frames())
}

fn half_source() -> ModelSource {
    fragile(&Arc::default())
}

/// Half the sum, until `broken` is set.
fn fragile(broken: &Arc<AtomicBool>) -> ModelSource {
    let broken = broken.clone();
    custom_source(SMALL_GEOMETRY, move || {
        Box::new(Half { sum: SumModel::new(SMALL_GEOMETRY), broken: broken.clone() })
    })
}

/// Plays a constant in blocks of random lengths, more than the announced ones too; returns the left output over the sum.
fn play(player: &mut EnginePlayer, seconds: f64) -> Vec<f32> {
    let frames = (seconds * RATE_HZ) as usize;
    let stem = vec![LEVEL; 2 * MAX_BLOCK];
    let silence = vec![0.0; 2 * MAX_BLOCK];
    let (mut random, mut out) = (Noise(5), Vec::with_capacity(frames));
    while out.len() < frames {
        let block = 1 + random.below(2 * MAX_BLOCK);
        let stems: [&[f32]; CHANNELS] =
            std::array::from_fn(|c| if c % 2 == 0 { &stem[..block] } else { &silence[..block] });
        let (mut left, mut right) = (vec![0.0; block], vec![0.0; block]);
        let counted = allocations(|| player.process([&mut left, &mut right], stems, &OFFLINE));
        assert_eq!(counted, 0, "at frame {}", out.len());
        out.extend(left.iter().map(|x| x / (4.0 * LEVEL)));
    }
    out
}

#[test]
fn another_engine_takes_over_without_a_gap() {
    let (mut player, mut control, _first) = player();
    let before = play(&mut player, 2.0);
    assert!(before[player.latency_frames()..].iter().all(|x| (x - 1.0).abs() < 1e-6));

    let (side, second) = half(&player);
    assert_eq!(side.latency_frames(), player.latency_frames());
    assert!(second.latency().parts.iter().any(|part| part.name == "in step"));
    wait_until_ready(&second);
    assert!(control.offer(side).is_ok());
    assert!(control.is_pending() && control.collect().is_none());
    let during = play(&mut player, 9.0);
    assert!(matches!(control.collect(), Some(Retired::Replaced(_))), "the first one is back");
    assert!(!control.is_pending());

    let leaves = during.iter().position(|x| *x < 0.9999).unwrap();
    let arrives = during.iter().position(|x| *x < 0.5001).unwrap();
    let seconds = |frames: usize| frames as f64 / RATE_HZ;
    assert!((6.0..7.0).contains(&seconds(leaves)), "it listens first: {}", seconds(leaves));
    assert!((0.9..1.1).contains(&seconds(arrives - leaves)), "{}", seconds(arrives - leaves));
    for pair in during.windows(2) {
        assert!((-2.0 / RATE_HZ as f32..1e-6).contains(&(pair[1] - pair[0])), "no step: {pair:?}");
    }
    assert!(play(&mut player, 1.0).iter().all(|x| (x - 0.5).abs() < 1e-6), "nothing of the first is left");
}

#[test]
fn a_reset_ends_a_change_whose_mix_has_come_through() {
    let (mut player, mut control, _first) = player();
    play(&mut player, 1.0);
    let (side, second) = half(&player);
    wait_until_ready(&second);
    assert!(control.offer(side).is_ok());
    player.reset();
    assert!(play(&mut player, 2.0).iter().skip(player.latency_frames()).all(|x| (x - 1.0).abs() < 1e-6));
    assert!(control.collect().is_none(), "before the reset nothing had come through");
    player.reset();
    assert!(matches!(control.collect(), Some(Retired::Replaced(_))));
    assert!(play(&mut player, 1.0).iter().skip(player.latency_frames()).all(|x| (x - 0.5).abs() < 1e-6));
}

#[test]
fn an_engine_that_fails_never_plays() {
    let (mut player, mut control, _first) = player();
    play(&mut player, 1.0);
    let broken = match half_source() {
        ModelSource::Custom { geometry, recipe, targets, .. } => {
            let load = Box::new(|_: &dyn Fn(f32)| Err(ModelError::Run { reason: "broken".into() }));
            ModelSource::Custom { geometry, recipe, targets, limiter: None, load }
        }
        other => other,
    };
    let (side, _broken) = start(broken, player.latency_frames());
    assert!(control.offer(side).is_ok());
    let mut refused = false;
    for _ in 0..200 {
        assert!(play(&mut player, 0.05).iter().all(|x| (x - 1.0).abs() < 1e-6));
        refused |= matches!(control.collect(), Some(Retired::Refused(_)));
    }
    assert!(refused && !control.is_pending());
    let (side, _second) = half(&player);
    assert!(control.offer(side).is_ok(), "the next one may come");
}

#[test]
fn an_engine_that_fails_while_it_fades_in_fades_out_again() {
    let (mut player, mut control, _first) = player();
    play(&mut player, 1.0);
    let broken = Arc::default();
    let (side, second) = start(fragile(&broken), player.latency_frames());
    wait_until_ready(&second);
    assert!(control.offer(side).is_ok());
    let mut out = play(&mut player, 1.0);
    while out[out.len() - 1] > 0.75 {
        out.extend(play(&mut player, 0.02));
    }
    broken.store(true, Ordering::Relaxed);
    out.extend(play(&mut player, 2.0));
    let steepest = out.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(steepest < 0.01, "a step of {steepest}");
    assert!(out[out.len() - 4410..].iter().all(|x| (x - 1.0).abs() < 1e-6), "the first one plays on");
    assert!(matches!(control.collect(), Some(Retired::Refused(_))));
}

#[test]
fn only_one_comes_in_at_a_time_and_only_in_step() {
    let (player, mut control, _first) = player();
    let other = start(custom_source(SMALL_GEOMETRY, || Box::new(SumModel::new(SMALL_GEOMETRY))), 0);
    assert!(control.offer(other.0).is_err(), "another latency");
    assert!(control.offer(half(&player).0).is_ok());
    assert!(control.offer(half(&player).0).is_err(), "one is coming in");
}
