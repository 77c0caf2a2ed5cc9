//! Chance that repeats: the one generator of all tests and benches. A test that fails must fail again.

/// SplitMix64 (Steele, Lea and Flood 2014): small, seeded, good enough for noise and not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Equal seeds give equal numbers on every machine.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform from 0 up to but not including 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A sample of noise: uniform from −1 up to but not including 1.
    pub fn sample(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Uniform from 0 up to but not including `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        // The product maps 64 random bits to the range; the unevenness is below 2⁻⁴⁰ for any limit met here.
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }
}

/// White noise of uniform density, peak `level`.
#[must_use]
pub fn noise(frames: usize, level: f32, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..frames).map(|_| level * random.sample()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator_and_stay_in_their_ranges() {
        // The first values of the reference code (https://prng.di.unimi.it/splitmix64.c) from seed 1234567.
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([(); 3].map(|()| random.bits()), expected);
        for _ in 0..1_000 {
            assert!((0.0..1.0).contains(&random.unit()) && (-1.0..1.0).contains(&random.sample()));
            assert!(random.below(7) < 7);
        }
    }
}
