//! The pre-emphasis of the stereo-invariant losses: A-weighting as a short linear-phase filter, then 1 + 0.85 z⁻¹.
//!
//! The weighting is IEC 61672's analog filter, bilinear, drawn as a least-squares FIR of 101 taps at 44.1 kHz, which is how
//! the published losses have it. The taps are a table, because the least-squares design is used for nothing else;
//! `cli/tests/data/evaluate_vectors.py` checks them against SciPy's design.

/// Taps of the whole pre-emphasis.
const TAPS: usize = 102;
/// Samples per pass: small enough to stay in the first-level cache.
const BLOCK: usize = 4_096;
/// Low-frequency lift after the weighting.
const LOW_PASS: f32 = 0.85;

/// First half of the symmetric A-weighting and its middle tap.
#[rustfmt::skip]
const A_WEIGHTING: [f64; 51] = [
    -0.001926936754893, -0.002006142417767, -0.00209877059971, -0.002188603155608, -0.002292656377925,
    -0.002394791057679, -0.002512087951489, -0.002628499439261, -0.002761185559577, -0.00289420556513,
    -0.003044816480192, -0.003197202888666, -0.003368739988296, -0.003543759985222, -0.003739781647019,
    -0.003941311723028, -0.004166043033605, -0.004398689388733, -0.004657154295552, -0.004926397910657,
    -0.005224578504112, -0.005536950055521, -0.005881978682681, -0.006245269580672, -0.006645660709975,
    -0.007069177884736, -0.007535108122136, -0.008029981814518, -0.008573628273453, -0.009153184075424,
    -0.009789133495642, -0.01046934230433, -0.01121508598341, -0.01201510847729, -0.01289164132797,
    -0.01383448715932, -0.01486703316256, -0.01598035942709, -0.01719925057046, -0.01851632943411,
    -0.01995807108537, -0.02151896276267, -0.02322752320104, -0.02508046446489, -0.02710835235258,
    -0.0293045112896, -0.03161545721336, -0.03279896765716, -0.0151745744221, 0.2734031649322,
    0.5443199249235,
];

/// Both filters in one.
fn taps() -> [f32; TAPS] {
    let weighting = |n: usize| A_WEIGHTING.get(n).or(A_WEIGHTING.get(100_usize.wrapping_sub(n))).copied();
    let tap = |n: usize| {
        let previous = n.checked_sub(1).and_then(weighting).unwrap_or(0.0);
        (weighting(n).unwrap_or(0.0) + f64::from(LOW_PASS) * previous) as f32
    };
    std::array::from_fn(tap)
}

/// The emphasized signal, as long as the input and aligned with it but for the half sample of the last two taps; zeros
/// are assumed beyond both ends.
pub fn emphasize(samples: &[f32]) -> Vec<f32> {
    let (taps, half) = (taps(), A_WEIGHTING.len() - 1);
    let mut out = vec![0.0; samples.len()];
    let mut padded = vec![0.0; BLOCK + TAPS];
    for (index, block) in out.chunks_mut(BLOCK).enumerate() {
        // padded[i] is the input at start + half − TAPS + i.
        let first = (index * BLOCK + half) as i64 - TAPS as i64;
        for (offset, value) in padded.iter_mut().enumerate() {
            *value = usize::try_from(first + offset as i64)
                .ok()
                .and_then(|n| samples.get(n))
                .copied()
                .unwrap_or(0.0);
        }
        for (delay, &tap) in taps.iter().enumerate() {
            let input = &padded[TAPS - delay..];
            for (out, &sample) in block.iter_mut().zip(input) {
                *out += tap * sample;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impulse_shows_the_taps_around_itself() {
        let mut input = vec![0.0; 9_000];
        input[4_100] = 1.0;
        let output = emphasize(&input);
        let taps = taps();
        for (n, &value) in output.iter().enumerate() {
            let expected = (n + 50).checked_sub(4_100).and_then(|tap| taps.get(tap)).copied().unwrap_or(0.0);
            assert!((value - expected).abs() < 1e-7, "{n}: {value} {expected}");
        }
    }

    #[test]
    fn the_weighting_is_a_weighting() {
        let gain_db = |hz: f64| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for n in 0..101 {
                let tap = if n <= 50 { A_WEIGHTING[n] } else { A_WEIGHTING[100 - n] };
                let phase = std::f64::consts::TAU * hz / 44_100.0 * n as f64;
                real += tap * phase.cos();
                imaginary -= tap * phase.sin();
            }
            10.0 * (real * real + imaginary * imaginary).log10()
        };
        // IEC 61672-1, table 3; 101 taps are too short to be exact below a few hundred hertz.
        for (hz, expected_db, tolerance_db) in [(500.0, -3.2, 0.5), (1000.0, 0.0, 0.2), (4000.0, 1.0, 0.3)] {
            assert!((gain_db(hz) - expected_db).abs() < tolerance_db, "{hz}: {}", gain_db(hz));
        }
    }
}
