//! WAV in every header it comes in: RIFF, its 64-bit kin RF64 and BW64, and Sony's W64. Programs write sizes that are too
//! small, zero or all ones, odd `fmt ` and `fact` chunks, and lists that end nowhere; what is in the file is known all the
//! same. The header is read here, leniently, and a plain one is put in its place for the decoder.
//!
//! Sources: Multimedia Programming Interface and Data Specifications 1.0 (RIFF, WAVE); EBU Tech 3306 (RF64); ITU-R BS.2088
//! (BW64); the GUIDs of W64 are those that Sonic Foundry published with Vegas.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

use super::joined::Joined;
use crate::error::{AudioFileError, NotAudio, Note};

/// Bytes of a `fmt ` chunk that are looked at: the largest known one, that of MS ADPCM, has 50.
const MOST_FMT_BYTES: u64 = 64;
/// How far behind a broken chunk the next one is looked for.
const SEARCH_BYTES: u64 = 1 << 20;
/// What RF64 writes where the real size stands in its `ds64` chunk, and streaming programs where they know none.
const UNKNOWN_SIZE: u64 = u32::MAX as u64;
/// From this size on a writer to a pipe did not know: sox writes 0x7FFFF000 less the header.
const STREAMED_SIZE: u64 = 0x7fff_0000;
/// Behind the first four letters, the GUIDs of all chunks of W64 but the first are alike.
const W64_GUID_END: [u8; 12] = [0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0x00, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a];
/// The GUID of the file itself.
const W64_RIFF: [u8; 16] = *b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";

/// What codes the samples, by its number in the `fmt ` chunk.
mod coding {
    pub const PCM: u16 = 1;
    pub const MS_ADPCM: u16 = 2;
    pub const FLOAT: u16 = 3;
    pub const A_LAW: u16 = 6;
    pub const MU_LAW: u16 = 7;
    pub const IMA_ADPCM: u16 = 0x11;
    pub const MP3: u16 = 0x55;
    /// The number stands further behind.
    pub const EXTENSIBLE: u16 = 0xfffe;
}

/// The audio of a file of the WAV family.
pub struct Wave {
    /// The audio behind a plain header, or an MPEG stream as it is.
    pub source: Box<dyn MediaSource>,
    /// The ending that tells the decoder what it is.
    pub ending: &'static str,
    /// Frames that the header promises; the file may hold fewer.
    pub expected_frames: Option<u64>,
    /// Frames behind which a last block is only filled up.
    pub most_frames: Option<u64>,
    /// What is odd about the file.
    pub notes: Vec<Note>,
}

/// Which header a file begins with; none for all that is not of the family.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Chunks with sizes of 32 bits.
    Riff,
    /// Chunks named by GUIDs, with sizes of 64 bits that include name and size.
    W64,
}

/// Reads the header of a file; none when the file is not of the WAV family. The file is then at its start.
///
/// # Errors
/// There is no audio behind the header, or a coding that nothing here reads.
pub fn open(file: &File) -> Result<Option<Wave>, AudioFileError> {
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    let mut start = [0; 16];
    let count = read_up_to(&mut file, &mut start)?;
    file.seek(SeekFrom::Start(0))?;
    let riff = [b"RIFF", b"RF64", b"BW64"].iter().any(|id| start[..4] == id[..]) && start[8..12] == *b"WAVE";
    let family = match (riff && count >= 12, start == W64_RIFF) {
        (true, _) => Family::Riff,
        (_, true) => Family::W64,
        _ => return Ok(None),
    };
    let length = file.metadata()?.len();
    let mut header = Header { file: file.try_clone()?, length, family, ds64_bytes: None };
    let chunks = header.read()?;
    wave(header, chunks).map(Some)
}

/// What was found before the samples.
#[derive(Default)]
struct Chunks {
    fmt: Vec<u8>,
    /// Frames by the `fact` chunk.
    fact_frames: Option<u64>,
    /// Where the samples begin, and how many bytes there are by the header.
    data: Option<(u64, u64)>,
}

/// A chunk: its name, and where its contents lie.
struct Chunk {
    id: [u8; 4],
    start: u64,
    size: u64,
}

struct Header {
    file: File,
    length: u64,
    family: Family,
    /// Size of the samples by the `ds64` chunk.
    ds64_bytes: Option<u64>,
}

impl Header {
    fn read(&mut self) -> Result<Chunks, AudioFileError> {
        let mut chunks = Chunks::default();
        let mut at = if self.family == Family::W64 { 40 } else { 12 };
        while let Some(chunk) = self.chunk(at)? {
            match &chunk.id {
                b"ds64" => self.ds64_bytes = self.number(chunk.start + 8)?,
                b"fmt " => chunks.fmt = self.bytes(chunk.start, chunk.size.min(MOST_FMT_BYTES))?,
                b"fact" => chunks.fact_frames = self.fact(&chunk)?,
                b"data" => {
                    let in_ds64 = self.ds64_bytes.filter(|_| chunk.size == UNKNOWN_SIZE);
                    chunks.data = Some((chunk.start, in_ds64.unwrap_or(chunk.size)));
                    break;
                }
                _ => {}
            }
            let Some(next) = self.next(&chunk)? else { break };
            at = next;
        }
        Ok(chunks)
    }

    fn fact(&mut self, chunk: &Chunk) -> io::Result<Option<u64>> {
        let bytes = self.bytes(chunk.start, chunk.size.min(8))?;
        Ok(match (self.family, &bytes[..]) {
            (Family::W64, [a, b, c, d, e, f, g, h]) => {
                Some(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
            }
            (_, [a, b, c, d, ..]) => Some(u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
            _ => None,
        })
    }

    /// The chunk that begins here; none where none can.
    fn chunk(&mut self, at: u64) -> io::Result<Option<Chunk>> {
        let head = self.head_bytes();
        let bytes = self.bytes(at, head)?;
        if bytes.len() < head as usize {
            return Ok(None);
        }
        let id = [bytes[0], bytes[1], bytes[2], bytes[3]];
        let size = match self.family {
            Family::Riff => u64::from(u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]])),
            Family::W64 if bytes[4..16] != W64_GUID_END => return Ok(None),
            Family::W64 => self.number(at + 16)?.unwrap_or(0).saturating_sub(head),
        };
        let is_name = id.iter().all(|byte| (0x20..0x7f).contains(byte));
        Ok(is_name.then_some(Chunk { id, start: at + head, size }))
    }

    /// Bytes of a chunk's name and size.
    fn head_bytes(&self) -> u64 {
        if self.family == Family::W64 { 24 } else { 8 }
    }

    /// Where a chunk may begin at or behind a place.
    fn aligned(&self, place: u64) -> u64 {
        match self.family {
            Family::Riff => place.saturating_add(place % 2),
            Family::W64 => place.div_ceil(8).saturating_mul(8),
        }
    }

    /// Where the next chunk begins: behind this one, or, where its size is wrong, at the next name that is known.
    fn next(&mut self, chunk: &Chunk) -> io::Result<Option<u64>> {
        let end = chunk.start.saturating_add(chunk.size);
        for place in [self.aligned(end), end] {
            if place < self.length && self.chunk(place)?.is_some() {
                return Ok(Some(place));
            }
        }
        let behind = self.bytes(chunk.start, SEARCH_BYTES)?;
        let known = |name: &[u8]| [&b"data"[..], b"fmt "].contains(&name);
        let found = behind.windows(4).position(known).filter(|_| self.family == Family::Riff);
        Ok(found.map(|offset| chunk.start + offset as u64))
    }

    /// Bytes from a place on, fewer at the end of the file.
    fn bytes(&mut self, at: u64, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if at < self.length {
            self.file.seek(SeekFrom::Start(at))?;
            (&self.file).take(count).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn number(&mut self, at: u64) -> io::Result<Option<u64>> {
        Ok(self.bytes(at, 8)?.try_into().ok().map(u64::from_le_bytes))
    }

    /// Whether what follows the samples is a chunk, as far as can be told; none where nothing follows.
    fn followed_by(&mut self, end: u64) -> io::Result<Option<Option<Chunk>>> {
        let aligned = self.aligned(end);
        if aligned.saturating_add(self.head_bytes()) > self.length {
            return Ok(None);
        }
        let fits = |chunk: &Chunk, length: u64| chunk.start.saturating_add(chunk.size) <= length;
        let length = self.length;
        Ok(Some(self.chunk(aligned)?.or(self.chunk(end)?).filter(|chunk| fits(chunk, length))))
    }
}

/// Puts the audio behind a plain header.
fn wave(mut header: Header, chunks: Chunks) -> Result<Wave, AudioFileError> {
    let Some((start, promised)) = chunks.data else { return Err(no_header("it has no data chunk")) };
    let format = Format::read(&chunks.fmt)?;
    let mut notes = Vec::new();
    let there = header.length.saturating_sub(start);
    let streamed = promised >= STREAMED_SIZE && promised > there;
    let followed = header.followed_by(start.saturating_add(promised))?;
    let too_small = matches!(followed, Some(None));
    if let Some(Some(chunk)) = &followed
        && chunk.id == *b"data"
    {
        notes.push(Note::SecondData);
    }
    let bytes = if streamed || too_small { there } else { promised.min(there) };
    if too_small && promised > 0 {
        notes.push(Note::HeaderTooSmall);
    }
    let bytes = bytes - bytes % format.frame_bytes();
    let expected = (!streamed && promised > there).then(|| promised / format.frame_bytes());
    let (source, ending): (Vec<u8>, _) = if format.coding == coding::MP3 {
        (Vec::new(), "mp3")
    } else {
        (format.header(bytes, chunks.fact_frames), "wav")
    };
    Ok(Wave {
        source: Box::new(Joined::new(source, header.file, start, bytes)),
        ending,
        expected_frames: expected.filter(|_| format.is_framed()),
        most_frames: chunks.fact_frames.filter(|frames| format.ends_in_last_block(*frames, bytes)),
        notes,
    })
}

fn no_header(reason: &'static str) -> AudioFileError {
    NotAudio::Header(reason).into()
}

/// What a `fmt ` chunk says.
struct Format {
    coding: u16,
    channels: u16,
    sample_rate_hz: u32,
    /// Bytes of one frame, or of one block of ADPCM.
    align: u16,
    bits: u16,
    /// What follows the usual sixteen bytes, without its length.
    more: Vec<u8>,
}

impl Format {
    fn read(fmt: &[u8]) -> Result<Self, AudioFileError> {
        let [a, b, c, d, e, f, g, h, _, _, _, _, i, j, k, l, more @ ..] = fmt else {
            return Err(no_header("its fmt chunk is missing or too short"));
        };
        let pair = |low: &u8, high: &u8| u16::from_le_bytes([*low, *high]);
        let more = more.get(2..).unwrap_or_default().to_vec();
        let mut coding = pair(a, b);
        // Behind the valid bits and the places of the loudspeakers, the GUID begins with the number of the coding.
        if let (coding::EXTENSIBLE, [_, _, _, _, _, _, low, high, ..]) = (coding, &more[..]) {
            coding = pair(low, high);
        }
        let mut format = Self {
            coding,
            channels: pair(c, d),
            sample_rate_hz: u32::from_le_bytes([*e, *f, *g, *h]),
            align: pair(i, j),
            bits: pair(k, l),
            more,
        };
        format.check()?;
        Ok(format)
    }

    /// Refuses what cannot be decoded, and brings the sizes of plain samples together.
    fn check(&mut self) -> Result<(), AudioFileError> {
        let refuse = |what: String| Err(NotAudio::WaveCoding(what).into());
        if !(1..=2).contains(&self.channels) {
            return Err(AudioFileError::Channels(usize::from(self.channels)));
        }
        match self.coding {
            coding::PCM | coding::FLOAT => {
                // Twelve or twenty bits lie in the upper part of whole bytes.
                let of_align = self.align / self.channels * 8;
                let fits =
                    self.align.is_multiple_of(self.channels) && of_align >= self.bits && of_align <= 64;
                self.bits = if fits { of_align } else { self.bits.next_multiple_of(8) };
                let known: &[u16] = if self.coding == coding::PCM { &[8, 16, 24, 32] } else { &[32, 64] };
                if !known.contains(&self.bits) {
                    return refuse(format!("numbers of {} bits", self.bits));
                }
                self.align = self.bits / 8 * self.channels;
                Ok(())
            }
            coding::A_LAW | coding::MU_LAW => {
                (self.bits, self.align) = (8, self.channels);
                Ok(())
            }
            coding::MS_ADPCM if self.more.len() >= 32 && self.align > 0 => Ok(()),
            coding::IMA_ADPCM if self.more.len() >= 2 && self.align > 0 => Ok(()),
            coding::MP3 => Ok(()),
            coding::MS_ADPCM | coding::IMA_ADPCM => Err(no_header("its fmt chunk is damaged")),
            0x31 => refuse("GSM 6.10".into()),
            0x40 | 0x45 | 0x64 | 0x65 => refuse("G.721 to G.726".into()),
            0x2000 => refuse("AC-3".into()),
            other => refuse(format!("number {other:#x}")),
        }
    }

    /// Whether bytes and frames go together.
    fn is_framed(&self) -> bool {
        !self.is_adpcm() && self.coding != coding::MP3
    }

    fn is_adpcm(&self) -> bool {
        [coding::MS_ADPCM, coding::IMA_ADPCM].contains(&self.coding)
    }

    /// Whether so many frames of ADPCM end in the last block of so many bytes, which is then only filled up. Some programs
    /// write another number, and all blocks count.
    fn ends_in_last_block(&self, frames: u64, bytes: u64) -> bool {
        let (align, channels) = (u64::from(self.align), u64::from(self.channels));
        // Each block begins with a header of some bytes, which holds a frame or two; then half a byte is a sample.
        let (header, held) =
            if self.coding == coding::MS_ADPCM { (7 * channels, 2) } else { (4 * channels, 1) };
        let each = align.saturating_sub(header) * 2 / channels + held;
        let all = bytes / align.max(1) * each;
        self.is_adpcm() && frames <= all && frames + each > all
    }

    fn frame_bytes(&self) -> u64 {
        if self.coding == coding::MP3 { 1 } else { u64::from(self.align) }
    }

    /// The header as the decoder expects it.
    fn header(&self, data_bytes: u64, fact_frames: Option<u64>) -> Vec<u8> {
        let more: &[u8] = match self.coding {
            coding::MS_ADPCM => &self.more[..32],
            coding::IMA_ADPCM => &self.more[..2],
            _ => &[],
        };
        let mut fmt = Vec::new();
        let rate = self.sample_rate_hz.wrapping_mul(u32::from(self.align));
        [self.coding, self.channels].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
        [self.sample_rate_hz, rate].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
        [self.align, self.bits].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
        if ![coding::PCM, coding::FLOAT].contains(&self.coding) {
            fmt.extend((more.len() as u16).to_le_bytes());
            fmt.extend(more);
        }
        let mut body = b"WAVE".to_vec();
        let mut chunk = |id: &[u8], contents: &[u8]| {
            body.extend(id);
            body.extend((contents.len() as u32).to_le_bytes());
            body.extend(contents);
        };
        chunk(b"fmt ", &fmt);
        if let Some(frames) =
            fact_frames.and_then(|frames| u32::try_from(frames).ok()).filter(|_| self.is_adpcm())
        {
            chunk(b"fact", &frames.to_le_bytes());
        }
        // All ones: the samples last until the end.
        let size = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        body.extend(b"data");
        body.extend(size(data_bytes));
        let riff = if data_bytes < UNKNOWN_SIZE - body.len() as u64 {
            data_bytes + body.len() as u64
        } else {
            UNKNOWN_SIZE
        };
        [b"RIFF", &size(riff)[..], &body].concat()
    }
}

/// Fills a buffer as far as the file goes.
pub fn read_up_to(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
