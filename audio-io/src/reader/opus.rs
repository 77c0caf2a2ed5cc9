//! Opus, which symphonia finds in its containers but does not decode: packets in, samples at 48 kHz out (RFC 6716), with what
//! the header asks of the decoder (RFC 7845): frames to leave out at the start, and a gain.

use opus_pure::OpusDecoder;

use crate::error::{Damage, NotAudio};

/// Opus is decoded at this rate, whatever was recorded, in Hz.
pub const SAMPLE_RATE_HZ: u32 = 48_000;
/// The longest packet, 120 ms, in frames.
const MOST_FRAMES: usize = 5_760;
/// Bytes of a header of family 0, behind which nothing needs to be read.
const HEAD_BYTES: usize = 19;
/// The gain of a header counts in 1/256 dB.
const GAIN_STEPS_PER_DB: f32 = 256.0;

/// A decoder for one stream.
pub struct Opus {
    decoder: OpusDecoder,
    channels: usize,
    /// Frames before the first one.
    pub skip: u64,
    gain: f32,
    piece: Vec<f32>,
}

impl Opus {
    /// A decoder for a stream with this header, which begins with "OpusHead".
    ///
    /// # Errors
    /// The header is damaged, or of more than a stereo stream.
    pub fn new(head: &[u8]) -> Result<Self, NotAudio> {
        let Some(head) = head.get(..HEAD_BYTES).filter(|head| head.starts_with(b"OpusHead")) else {
            return Err(NotAudio::Header("its Opus header is damaged"));
        };
        let (channels, family) = (usize::from(head[9]), head[18]);
        // Family 1 orders the channels of films; one or two of them are as in family 0.
        if !(1..=2).contains(&channels) || family > 1 {
            return Err(NotAudio::OpusChannels { channels, family });
        }
        let decoder = OpusDecoder::new(SAMPLE_RATE_HZ as i32, channels)
            .map_err(|error| NotAudio::Decoder(error.into()))?;
        let gain_db = f32::from(i16::from_le_bytes([head[16], head[17]])) / GAIN_STEPS_PER_DB;
        Ok(Self {
            decoder,
            channels,
            skip: u64::from(u16::from_le_bytes([head[10], head[11]])),
            gain: 10f32.powf(gain_db / 20.0),
            piece: vec![0.0; MOST_FRAMES * channels],
        })
    }

    /// Channels of the stream, 1 or 2.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Appends the samples of a packet, interleaved, but for so many frames at its end.
    ///
    /// # Errors
    /// The decoder's reason.
    pub fn decode(&mut self, packet: &[u8], trim: u64, interleaved: &mut Vec<f32>) -> Result<(), Damage> {
        if packet.is_empty() {
            return Err(Damage::EmptyPacket);
        }
        let frames = self
            .decoder
            .decode(packet, MOST_FRAMES, &mut self.piece)
            .map_err(|error| Damage::Decoder(error.into()))?;
        let kept = frames.saturating_sub(usize::try_from(trim).unwrap_or(usize::MAX));
        interleaved.extend(self.piece[..kept * self.channels].iter().map(|sample| sample * self.gain));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_test_support::Random;

    fn head(channels: u8, family: u8, gain: i16) -> Vec<u8> {
        let mut head = b"OpusHead\x01".to_vec();
        head.extend([channels, 0x38, 0x01]);
        head.extend(48_000u32.to_le_bytes());
        head.extend(gain.to_le_bytes());
        head.push(family);
        head
    }

    #[test]
    fn headers_are_checked() {
        let plain = Opus::new(&head(2, 0, 0)).expect("a plain header");
        assert_eq!((plain.skip, plain.channels), (312, 2));
        for bad in [&head(6, 1, 0)[..], &head(0, 0, 0), &head(2, 255, 0), &head(2, 0, 0)[..18], b""] {
            assert!(Opus::new(bad).is_err());
        }
        let louder = Opus::new(&head(1, 0, 6 * 256)).map(|opus| opus.gain).expect("a gain of 6 dB");
        assert!((louder - 1.995).abs() < 1e-3, "{louder}");
    }

    #[test]
    fn damaged_packets_are_errors_and_never_end_the_program() {
        let mut opus = Opus::new(&head(2, 0, 0)).expect("a header");
        let (mut random, mut out) = (Random::new(1), Vec::new());
        for length in 0..3_000 {
            let packet: Vec<u8> = (0..length % 300).map(|_| random.bits() as u8).collect();
            out.clear();
            // Most are refused; what is accepted is no longer than a packet may be.
            let _ = opus.decode(&packet, 0, &mut out);
            assert!(out.len() <= 2 * MOST_FRAMES);
        }
    }
}
