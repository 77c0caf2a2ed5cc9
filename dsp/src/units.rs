//! Conversions between linear gains and decibels: exact ones for design, and polynomial ones for the signal path, where
//! a library logarithm per sample would cost more than the rest of the chain together.

/// dB to linear gain.
pub(crate) fn gain_from_db(level_db: f64) -> f64 {
    10f64.powf(level_db / 20.0)
}

/// Linear gain to dB; 0 becomes −600 dB, since the reference adds 1e-30 before every logarithm.
pub(crate) fn db_from_gain(gain: f64) -> f64 {
    20.0 * (gain + 1e-30).log10()
}

/// `20 log10 |x|` within 1e-5 dB from −60 to 60 dB and within 7e-5 dB down to −700 dB, where 32-bit floats lie 6e-5 dB apart.
/// Branch-free, so that loops over it vectorize.
#[inline(always)]
pub fn fast_db(sample: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    let bits = sample.abs().max(1e-35).to_bits();
    let exponent = (bits.wrapping_sub(SQRT_HALF_BITS) as i32) >> 23;
    // The mantissa lies within sqrt(1/2) to sqrt(2), where the series of atanh converges in five terms.
    let mantissa = f32::from_bits(bits.wrapping_sub((exponent as u32) << 23));
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let t2 = t * t;
    let series = 1.0 + t2 * (1.0 / 3.0 + t2 * (0.2 + t2 * (1.0 / 7.0 + t2 / 9.0)));
    const DB_PER_OCTAVE: f32 = 6.020_6;
    const DB_PER_NEPER_TWICE: f32 = 17.371_779;
    exponent as f32 * DB_PER_OCTAVE + t * series * DB_PER_NEPER_TWICE
}

/// `10^(x / 20)` within 1e-6 relative from −140 to 140 dB and within 3e-6 from −700 to 700 dB. Branch-free.
#[inline(always)]
pub(crate) fn fast_gain(level_db: f32) -> f32 {
    const OCTAVES_PER_DB: f32 = 0.166_096_4;
    // Adding 1.5 × 2^23 rounds to an integer and leaves it in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    let octaves = (level_db * OCTAVES_PER_DB).clamp(-120.0, 120.0);
    let shifted = octaves + ROUND;
    let fraction = (octaves - (shifted - ROUND)) * std::f32::consts::LN_2;
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    let tail = 1.0 / 24.0 + fraction * (1.0 / 120.0 + fraction * (1.0 / 720.0 + fraction / 5040.0));
    power * (1.0 + fraction * (1.0 + fraction * (0.5 + fraction * (1.0 / 6.0 + fraction * tail))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error of both conversions over a range, every thousandth of a decibel.
    fn largest_errors(range_db: std::ops::RangeInclusive<i32>) -> [f64; 2] {
        let mut largest = [0f64; 2];
        for step in range_db.start() * 1_000..=range_db.end() * 1_000 {
            let level_db = (f64::from(step) * 0.001) as f32;
            let gain = gain_from_db(f64::from(level_db));
            largest[1] = largest[1].max((f64::from(fast_gain(level_db)) / gain - 1.0).abs());
            let sample = gain as f32;
            // Below this the conversion ends at −700 dB.
            if sample > 1e-35 {
                let exact_db = 20.0 * f64::from(sample).log10();
                largest[0] = largest[0].max((f64::from(fast_db(sample)) - exact_db).abs());
            }
        }
        largest
    }

    #[test]
    fn fast_conversions_stay_within_their_stated_error() {
        for (range_db, stated) in
            [(-60..=60, [1e-5, 1e-6]), (-140..=140, [7e-5, 1e-6]), (-700..=700, [7e-5, 3e-6])]
        {
            let [db, gain] = largest_errors(range_db.clone());
            assert!(db < stated[0] && gain < stated[1], "{range_db:?} dB: {db:e} dB, {gain:e}");
        }
        assert_eq!(fast_gain(0.0), 1.0);
        assert_eq!(fast_db(1.0), 0.0);
        assert!((fast_db(0.0) + 700.0).abs() < 1e-4, "nothing is −700 dB");
    }
}
