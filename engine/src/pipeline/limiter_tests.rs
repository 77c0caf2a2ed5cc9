//! The ceiling holds between samples too; below it nothing changes; blocks do not matter.

use super::*;

const RATE_HZ: f64 = 44_100.0;
const CEILING_DBTP: f64 = -1.0;

/// Limits a whole signal in blocks of the given lengths, in turn.
fn limited(sides: [&[f32]; 2], blocks: &[usize]) -> [Vec<f32>; 2] {
    let mut limiter = Limiter::new(CEILING_DBTP, RATE_HZ);
    let mut out = [Vec::new(), Vec::new()];
    let mut sink =
        |piece: [&[f32]; 2]| out.iter_mut().zip(piece).for_each(|(out, piece)| out.extend_from_slice(piece));
    let (mut at, mut turn) = (0, 0);
    while at < sides[0].len() {
        let to = sides[0].len().min(at + blocks[turn % blocks.len()]);
        limiter.pass([&sides[0][at..to], &sides[1][at..to]], &mut sink);
        (at, turn) = (to, turn + 1);
    }
    let silence = vec![0.0; latency_frames(RATE_HZ)];
    limiter.pass([&silence, &silence], &mut sink);
    assert_eq!(out[0].len(), sides[0].len());
    out
}

/// Noise whose level steps between -30 and +12 dB: every kind of peak.
fn rough(seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..44_100)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let level = 10f32.powf([-30.0, 12.0, -3.0, 4.0][i / 3000 % 4] / 20.0);
            level * (state as f32 / u32::MAX as f32 * 2.0 - 1.0)
        })
        .collect()
}

fn true_peak_db(sides: [&[f32]; 2]) -> f64 {
    let mut meter = ebur128::EbuR128::new(2, RATE_HZ as u32, ebur128::Mode::TRUE_PEAK).unwrap();
    meter.add_frames_planar_f32(&sides).unwrap();
    let peak = (0..2).map(|side| meter.true_peak(side).unwrap()).fold(0.0, f64::max);
    20.0 * peak.log10()
}

#[test]
fn below_the_ceiling_nothing_changes() {
    let quiet: Vec<f32> = rough(1).iter().map(|x| x * 0.05).collect();
    let [left, right] = limited([&quiet, &quiet], &[1, 64, 1000]);
    assert!(left == quiet && right == quiet);
}

#[test]
fn no_true_peak_exceeds_the_ceiling() {
    let (left, right) = (rough(2), rough(3));
    assert!(true_peak_db([&left, &right]) > 6.0, "the test signal must need limiting");
    let [left, right] = limited([&left, &right], &[512]);
    // The meter interpolates with another filter; white noise up to Nyquist is the worst case for both.
    let peak_db = true_peak_db([&left, &right]);
    assert!((CEILING_DBTP - 1.0..CEILING_DBTP + 0.2).contains(&peak_db), "{peak_db} dBTP");
    let loudest = left.iter().chain(&right).fold(0f32, |most, x| most.max(x.abs()));
    assert!(loudest <= 10f32.powf(CEILING_DBTP as f32 / 20.0) * 1.000_01, "{loudest}");
}

#[test]
fn a_peak_between_samples_is_found() {
    // A sine at a quarter of the rate, sampled at 45 degrees: its peaks are 3 dB above its samples.
    let sine: Vec<f32> = (0..8192)
        .map(|i| (PI / 2.0 * f64::from(i) + PI / 4.0).sin() as f32 * 0.95 * std::f32::consts::SQRT_2)
        .collect();
    let [left, _] = limited([&sine, &sine], &[512]);
    let loudest = left[1000..7000].iter().fold(0f32, |most, x| most.max(x.abs()));
    let expected = 10f32.powf((CEILING_DBTP - MARGIN_DB) as f32 / 20.0) / std::f32::consts::SQRT_2;
    assert!((loudest / expected - 1.0).abs() < 0.01, "{loudest}, expected {expected}");
}

#[test]
fn both_sides_get_one_gain_and_blocks_do_not_matter() {
    let (left, right) = (rough(4), rough(5));
    let whole = limited([&left, &right], &[1024]);
    assert!(limited([&left, &right], &[1, 7, 511, 64]) == whole);
    for i in 0..left.len() {
        let cross = whole[0][i] * right[i] - whole[1][i] * left[i];
        assert!(cross.abs() <= 1e-5 * (left[i] * right[i]).abs().max(1e-3), "frame {i}");
    }
}

#[test]
fn after_a_peak_the_gain_returns_to_exactly_one() {
    let mut signal = vec![0.25f32; 88_200];
    signal[10_000] = 4.0;
    let [left, _] = limited([&signal, &signal], &[512]);
    assert!(left[10_000] < 0.9);
    // The fall before the peak and the return after it have no step larger than the lookahead explains.
    let step = left.windows(2).enumerate().filter(|(i, _)| !(9_985..10_015).contains(i));
    assert!(step.map(|(_, pair)| (pair[1] - pair[0]).abs()).fold(0.0, f32::max) < 0.25 / 40.0);
    assert_eq!(left[88_000], 0.25);
    assert_eq!(left[9_000], 0.25);
}

#[test]
fn a_rest_changes_no_bit() {
    // A murmur that nobody hears keeps the other limiter awake.
    let pause = |murmur: f32| {
        let mut signal = rough(7);
        signal.resize(150_000, murmur);
        signal.extend(rough(8));
        signal
    };
    let (resting, awake) = (pause(0.0), pause(1e-30));
    let rested = limited([&resting, &resting], &[512]);
    assert!(limited([&resting, &resting], &[1, 700, 64]) == rested, "blocks do not matter");
    let awake = limited([&awake, &awake], &[512]);
    for side in 0..2 {
        let differs = |n: &usize| (rested[side][*n] - awake[side][*n]).abs() > 1e-30;
        assert_eq!((0..resting.len()).find(differs), None);
    }
    let mut limiter = Limiter::new(CEILING_DBTP, RATE_HZ);
    limiter.pass([&resting[..150_000]; 2], |_| {});
    assert!(limiter.is_resting());
    limiter.pass([&resting[150_000..]; 2], |_| {});
    assert!(!limiter.is_resting());
}

#[test]
fn a_reset_limiter_is_a_fresh_one() {
    let loud = rough(6);
    let mut limiter = Limiter::new(CEILING_DBTP, RATE_HZ);
    let mut run = || {
        let mut made = Vec::new();
        limiter.reset();
        limiter.pass([&loud, &loud], |piece| made.extend_from_slice(piece[0]));
        made
    };
    assert!(run() == run());
}
