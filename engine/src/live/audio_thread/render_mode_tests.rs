//! Hosts of every pace, in simulated time: those that play never count as rendering, however their clocks go; those that
//! render do, before the first frame of the mix is due.

use super::*;
use crate::test_support::Noise;

/// The standard mode's latency, about.
const FIRST_DUE_S: f64 = 0.8;
const BLOCK_S: f64 = 512.0 / 44_100.0;

/// A host and its clock.
struct Host {
    mode: RenderMode,
    now: Instant,
    noise: Noise,
    /// Frames asked for, in seconds.
    asked_s: f64,
    /// Blocks taken for those of a render.
    taken_for_render: usize,
}

impl Host {
    fn new(first_due_s: f64) -> Self {
        let mode = RenderMode::new(first_due_s);
        Self { mode, now: Instant::now(), noise: Noise(7), asked_s: 0.0, taken_for_render: 0 }
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    fn block(&mut self, block_s: f64) -> Pace {
        let pace = self.mode.block(false, self.now, block_s);
        self.asked_s += block_s;
        self.taken_for_render += usize::from(pace != Pace::RealTime);
        pace
    }

    /// Asks for `seconds` at `speed` times real time, each block up to `jitter` of its length early or late.
    fn run(&mut self, seconds: f64, block_s: f64, speed: f64, jitter: f64) {
        let (start, start_s) = (self.now, self.asked_s);
        while self.asked_s < start_s + seconds {
            self.block(block_s);
            let off_s = jitter * block_s * f64::from(self.noise.sample());
            let due_s = ((self.asked_s - start_s) / speed + off_s).max(0.0);
            self.now = self.now.max(start + Duration::from_secs_f64(due_s));
        }
    }
}

#[test]
fn clocks_that_drift_for_hours_are_never_taken_for_a_render() {
    for speed in [0.999, 0.999_95, 1.0, 1.000_05, 1.001, 1.02, 25.0 / 24.0, 48.0 / 44.1] {
        for block_s in [64.0 / 96e3, BLOCK_S, 8192.0 / 44_100.0, 65_536.0 / 44_100.0] {
            for first_due_s in [0.1, 0.3, FIRST_DUE_S, 5.0] {
                let mut host = Host::new(first_due_s);
                host.run(if block_s > 0.1 { 36_000.0 } else { 600.0 }, block_s, speed, 0.5);
                assert_eq!(host.taken_for_render, 0, "speed {speed}, block {block_s} s, due {first_due_s} s");
            }
        }
    }
}

#[test]
fn hosts_that_catch_up_are_never_taken_for_a_render() {
    [0.1, 0.3, FIRST_DUE_S, 5.0].into_iter().for_each(catches_up);
}

fn catches_up(first_due_s: f64) {
    let mut host = Host::new(first_due_s);
    host.run(1.0, BLOCK_S, 1.0, 0.3);
    for round in 0..200 {
        // Held up, then everything that is missing at once; or ahead by half a second, which it waits for afterwards.
        let late_s = [0.01, 0.5, 1.0, 3.0][round % 4];
        let ahead_s = if round % 3 == 0 { 0.5 } else { 0.0 };
        host.pass(late_s);
        host.run(late_s + ahead_s, BLOCK_S, f64::INFINITY, 0.0);
        host.pass(ahead_s);
        let plays_s = 1.0 + f64::from(host.noise.sample());
        host.run(plays_s, BLOCK_S, 1.0, 0.3);
    }
    assert_eq!(host.taken_for_render, 0);
    // The same right after a jump, which makes the past forgotten, and which may be what held the host up.
    for round in 0..50 {
        host.mode.reset();
        host.mode.reset();
        let late_s = f64::from(round % 4) * 0.45;
        host.pass(late_s);
        host.run(late_s + 0.5, BLOCK_S, f64::INFINITY, 0.0);
        host.pass(0.5);
        host.run(0.3, BLOCK_S, 1.0, 0.3);
    }
    assert_eq!(host.taken_for_render, 0);
}

#[test]
fn hosts_that_hand_over_in_bursts_are_never_taken_for_a_render() {
    // The device asks every 186 ms, the host hands it over in 128 small blocks.
    let mut host = Host::new(FIRST_DUE_S);
    for _ in 0..10_000 {
        host.run(8192.0 / 44_100.0, 64.0 / 44_100.0, f64::INFINITY, 0.0);
        host.pass(8192.0 / 44_100.0 / 1.02);
    }
    assert_eq!(host.taken_for_render, 0);
}

#[test]
fn a_suspended_machine_is_not_taken_for_a_render() {
    let mut host = Host::new(FIRST_DUE_S);
    for pause_s in [0.3, 2.0, 60.0, 8.0 * 3600.0] {
        host.run(5.0, BLOCK_S, 1.0, 0.3);
        host.pass(pause_s);
        host.run(0.5, BLOCK_S, f64::INFINITY, 0.0);
        host.run(5.0, BLOCK_S, 1.0, 0.3);
    }
    assert_eq!(host.taken_for_render, 0);
}

#[test]
fn a_render_is_known_as_one_before_its_first_frame_of_mix_is_due() {
    for first_due_s in [0.1, 0.3, FIRST_DUE_S, 5.0] {
        for speed in [8.0, 20.0, 300.0] {
            let mut host = Host::new(first_due_s);
            host.run(first_due_s, BLOCK_S, speed, 0.0);
            let before = host.taken_for_render;
            host.run(60.0, BLOCK_S, speed, 0.3);
            let (taken, blocks) = (host.taken_for_render - before, (60.0 / BLOCK_S) as usize);
            assert!(taken + 1 >= blocks, "{taken} of {blocks} at speed {speed}, due {first_due_s} s");
        }
    }
}

#[test]
fn a_render_at_twice_real_time_is_known_within_two_seconds() {
    let mut host = Host::new(FIRST_DUE_S);
    host.run(3.9, BLOCK_S, 1.9, 0.3);
    let before = host.taken_for_render;
    host.run(60.0, BLOCK_S, 1.9, 0.3);
    assert!(host.taken_for_render - before >= (60.0 / BLOCK_S) as usize - 1);
}

#[test]
fn a_host_that_goes_back_to_playing_is_known_within_half_a_second() {
    let mut host = Host::new(FIRST_DUE_S);
    host.run(60.0, BLOCK_S, 20.0, 0.0);
    host.run(0.5, BLOCK_S, 1.0, 0.0);
    let before = host.taken_for_render;
    host.run(60.0, BLOCK_S, 1.02, 0.3);
    assert_eq!(host.taken_for_render, before);
    // And a pause says it at once, but only two seconds without one make a render again.
    host.run(60.0, BLOCK_S, 20.0, 0.0);
    assert_eq!(host.block(BLOCK_S), Pace::Unannounced);
    host.pass(0.3);
    assert_eq!(host.block(BLOCK_S), Pace::RealTime);
    host.run(20.0, BLOCK_S, 20.0, 0.0);
    assert_eq!(host.block(BLOCK_S), Pace::RealTime);
    host.run(40.0, BLOCK_S, 20.0, 0.0);
    assert_eq!(host.block(BLOCK_S), Pace::Unannounced);
}

#[test]
fn a_host_that_plays_and_is_held_up_is_let_go() {
    // Wrongly taken for a render, every call waits as long as it may: the host cannot keep its pace, and shows it.
    let mut host = Host::new(0.1);
    host.run(0.2, BLOCK_S, f64::INFINITY, 0.0);
    let mut waits = 0_u32;
    while host.block(BLOCK_S) == Pace::Unannounced {
        host.now += CALL_LIMIT;
        host.mode.waited(CALL_LIMIT);
        waits += 1;
    }
    assert!(waits <= 2, "{waits} waits");
    // It makes up for them at once, is taken for a render for once more at most, and plays on.
    host.run(0.1 * f64::from(waits), BLOCK_S, f64::INFINITY, 0.0);
    host.run(0.5, BLOCK_S, 1.0, 0.0);
    let before = host.taken_for_render;
    host.run(60.0, BLOCK_S, 1.0, 0.3);
    assert_eq!(host.taken_for_render, before);
}

#[test]
fn what_the_host_says_counts_whatever_its_pace() {
    let mut mode = RenderMode::new(FIRST_DUE_S);
    let start = Instant::now();
    for block in 0..1000 {
        let now = start + Duration::from_secs_f64(f64::from(block) * BLOCK_S);
        assert_eq!(mode.block(true, now, BLOCK_S), Pace::Announced);
    }
    // Time that goes back is none, and no panic.
    assert_eq!(mode.block(false, start, BLOCK_S), Pace::RealTime);
}

#[test]
fn patience_lasts_as_long_as_there_is_progress() {
    let mut patience = Patience::default();
    let mut now = Instant::now();
    for progress in 0..100 {
        patience.begin_call();
        for _ in 0..5 {
            assert!(patience.lasts(Pace::Announced, now, progress));
            now += Duration::from_secs(11);
        }
    }
    // Within one call as well.
    for progress in 100..200 {
        assert!(patience.lasts(Pace::Announced, now, progress));
        now += Duration::from_secs(59);
    }
    now += Duration::from_secs(2);
    assert!(!patience.lasts(Pace::Announced, now, 199), "61 s without any");
    assert!(!patience.is_with(Pace::Announced));
    patience.begin_call();
    assert!(!patience.lasts(Pace::Announced, now, 199), "the next call does not wait another minute");
    assert!(patience.lasts(Pace::Announced, now, 200), "until there is progress again");
    assert!(patience.is_with(Pace::Announced));
}

#[test]
fn an_unannounced_render_waits_a_tenth_of_a_second_a_call_and_a_host_that_plays_never() {
    let mut patience = Patience::default();
    let mut now = Instant::now();
    for _ in 0..3 {
        patience.begin_call();
        assert!(!patience.lasts(Pace::RealTime, now, 0));
        assert!(patience.lasts(Pace::Unannounced, now, 0));
        now += Duration::from_millis(99);
        assert!(patience.lasts(Pace::Unannounced, now, 0));
        now += Duration::from_millis(2);
        assert!(!patience.lasts(Pace::Unannounced, now, 1), "progress or not");
    }
}
