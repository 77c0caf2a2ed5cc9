//! What FLAC is written with: numbers of any number of bits, numbers in the style of UTF-8, and checksums.

/// A frame number in the style of UTF-8.
pub fn coded_number(number: u32) -> Vec<u8> {
    if number < 0x80 {
        return vec![number as u8];
    }
    // n bytes carry 5n + 1 bits.
    let count = (2..=6).find(|n| number < 1 << (5 * n + 1)).unwrap_or(6);
    let lead = (0xff_u32 << (8 - count)) & 0xff;
    let mut bytes = vec![(lead | number >> (6 * (count - 1))) as u8];
    bytes.extend((0..count - 1).rev().map(|place| 0x80 | (number >> (6 * place) & 0x3f) as u8));
    bytes
}

/// Bits, most significant first.
#[derive(Default)]
pub struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    /// Bits behind these bytes.
    pub fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Appends the lower bits of a number.
    pub fn put(&mut self, value: u32, bits: u32) {
        self.pending = self.pending << bits | u64::from(value);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
    }

    /// So many zeros, then a one.
    pub fn unary(&mut self, mut zeros: u32) {
        while zeros >= 16 {
            self.put(0, 16);
            zeros -= 16;
        }
        self.put(1, zeros + 1);
    }

    /// Fills the last byte with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        self.bytes
    }
}

/// A plain cyclic redundancy check, most significant bit first, starting from zero.
pub fn crc(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
    let top = 1 << (width - 1);
    bytes.iter().fold(0, |mut crc, byte| {
        crc ^= u32::from(*byte) << (width - 8);
        for _ in 0..8 {
            crc = if crc & top == 0 { crc << 1 } else { crc << 1 ^ polynomial };
        }
        crc & (top | (top - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_number_their_frames() {
        for (number, coded) in [
            (0x7f, vec![0x7f]),
            (0x80, vec![0xc2, 0x80]),
            (0x7ff, vec![0xdf, 0xbf]),
            (0x800, vec![0xe0, 0xa0, 0x80]),
        ] {
            assert_eq!(coded_number(number), coded, "the number is coded as UTF-8 codes the character");
        }
    }
}
