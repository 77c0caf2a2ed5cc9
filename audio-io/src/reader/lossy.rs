//! What has to be known of lossy files beside their samples: whether the decoder can take them as they are, and whether they
//! are whole.
//!
//! AAC comes in kinds that share a container and a name. Decoded as plain AAC-LC, HE-AAC would be a recording of half the
//! rate without its treble, and the rarer kinds noise; so the kind is looked up first (ISO/IEC 14496-3, 1.6 and 1.A).

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use super::wave::read_up_to;
use crate::error::NotAudio;

/// Up to this rate AAC that says nothing else is taken for the lower half of HE-AAC, in Hz.
const MOST_CORE_RATE_HZ: u32 = 24_000;
/// Numbers of kinds of AAC.
const LC: u32 = 2;
const SBR: u32 = 5;
const PARAMETRIC_STEREO: u32 = 29;
/// What announces that HE-AAC's upper half is told of behind the rest.
const SYNC_EXTENSION: u32 = 0x2b7;
/// Rates by their numbers, in Hz.
const SAMPLE_RATES_HZ: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// The longest page of Ogg: header, 255 lengths, and 255 times 255 bytes.
const MOST_PAGE_BYTES: u64 = 27 + 255 + 255 * 255;

/// What is known of AAC before it is decoded.
#[derive(Debug, Clone, Copy)]
pub struct AacKind {
    kind: u32,
    sample_rate_hz: u32,
    /// Whether it is said that there is nothing above half the rate.
    is_whole: bool,
}

/// Why AAC cannot be decoded, by the description that its container carries, or by the header of a bare stream; none for
/// AAC-LC.
pub fn aac_refusal(description: &[u8], bare: Option<AacKind>) -> Option<NotAudio> {
    let Some(aac) = bare.or_else(|| Bits { bytes: description, at: 0 }.aac_kind()) else {
        return Some(NotAudio::Header("its description of AAC is damaged"));
    };
    match aac.kind {
        SBR | PARAMETRIC_STEREO => Some(NotAudio::Header("HE-AAC is not supported; make it a WAV file")),
        LC if !aac.is_whole && aac.sample_rate_hz <= MOST_CORE_RATE_HZ => {
            Some(NotAudio::AacRate(aac.sample_rate_hz))
        }
        LC => None,
        1 | 3 | 4 => Some(NotAudio::Header("of AAC only AAC-LC is supported; make it a WAV file")),
        other => Some(NotAudio::AacKind(other)),
    }
}

/// Bits of a description, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn kind(&mut self) -> Option<u32> {
        match self.take(5)? {
            31 => Some(32 + self.take(6)?),
            kind => Some(kind),
        }
    }

    fn aac_kind(&mut self) -> Option<AacKind> {
        let kind = self.kind()?;
        let sample_rate_hz = match self.take(4)? {
            15 => self.take(24)?,
            index => *SAMPLE_RATES_HZ.get(index as usize)?,
        };
        self.take(4)?;
        // Frame length, core coder, extension: one bit each for plain AAC.
        let behind = self.take(3).and_then(|_| self.take(11));
        let is_whole = behind == Some(SYNC_EXTENSION) && self.kind() == Some(SBR) && self.take(1) == Some(0);
        Some(AacKind { kind, sample_rate_hz, is_whole })
    }
}

/// The kind of AAC of a bare stream (ADTS), by the header of its first frame; none for other files. The file is then at its
/// start.
///
/// # Errors
/// The file cannot be read.
pub fn adts_kind(file: &File, start: u64) -> io::Result<Option<AacKind>> {
    let mut file = file;
    let mut head = [0; 3];
    file.seek(SeekFrom::Start(start))?;
    let count = read_up_to(&mut file, &mut head)?;
    file.seek(SeekFrom::Start(0))?;
    // Twelve ones, the version, two zeros for the layer.
    let is_adts = count == head.len() && head[0] == 0xff && head[1] & 0xf6 == 0xf0;
    let rate = SAMPLE_RATES_HZ.get(usize::from(head[2] >> 2 & 15)).copied();
    let kind = u32::from(head[2] >> 6) + 1;
    Ok(rate.filter(|_| is_adts).map(|sample_rate_hz| AacKind { kind, sample_rate_hz, is_whole: false }))
}

/// Whether the last page of an Ogg file says that it is the last one; none for other files. The file is then at its start.
///
/// # Errors
/// The file cannot be read.
pub fn ogg_is_whole(file: &File) -> io::Result<Option<bool>> {
    let mut file = file;
    let mut start = [0; 4];
    file.seek(SeekFrom::Start(0))?;
    read_up_to(&mut file, &mut start)?;
    let length = file.metadata()?.len();
    let mut end = vec![0; length.min(2 * MOST_PAGE_BYTES) as usize];
    file.seek(SeekFrom::Start(length - end.len() as u64))?;
    let count = read_up_to(&mut file, &mut end)?;
    file.seek(SeekFrom::Start(0))?;
    if start != *b"OggS" {
        return Ok(None);
    }
    let last = end[..count].windows(6).rfind(|page| page.starts_with(b"OggS\0"));
    Ok(Some(last.is_some_and(|page| page[5] & 4 != 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aac_of_low_complexity_is_taken() {
        // Kind of 5 bits, rate of 4, channels of 4, three bits, then perhaps 0x2b7, kind 5 and whether there is more.
        let lc_44 = [0x12, 0x10];
        let lc_22_without_more = [0x13, 0x90, 0x56, 0xe5, 0x00];
        let lc_22_with_more = [0x13, 0x90, 0x56, 0xe5, 0x80];
        let bare = |sample_rate_hz| Some(AacKind { kind: LC, sample_rate_hz, is_whole: false });
        assert!(aac_refusal(&lc_44, None).is_none());
        assert!(aac_refusal(&lc_22_without_more, None).is_none());
        assert!(aac_refusal(&[], bare(48_000)).is_none());
        for (description, bare, word) in [
            (&lc_22_with_more[..], None, "may be HE-AAC"),
            (&[0x2b, 0x92, 0x08], None, "HE-AAC is not supported"),
            (&[0xeb, 0x8a, 0x08], None, "HE-AAC is not supported"),
            (&[0x0a, 0x10], None, "only AAC-LC"),
            (&[0xf8, 0xe8, 0x50], None, "of kind 39"),
            (&[0x12], None, "is damaged"),
            (&[], bare(22_050), "may be HE-AAC"),
        ] {
            let said = aac_refusal(description, bare).expect("refused").to_string();
            assert!(said.contains(word), "{said}");
        }
    }
}
