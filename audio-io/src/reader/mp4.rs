//! What an MP4 file says of its audio tracks beside the samples: their titles, and which of the decoded frames are the
//! recording. Encoders of AAC and Opus put frames before the first one; the edit list of the track, or a remark that
//! Apple's programs leave, tells how many. The decoder knows neither.
//!
//! Sources: ISO/IEC 14496-12 (boxes, edit lists), QuickTime File Format Specification (`meta` without a version), Native
//! Instruments' stem format (the box `stem`). Sizes in the file are bounded by the file before anything is kept.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde::Deserialize;

/// Contents of a box that is kept: titles, lists of edits, and remarks are far smaller.
const MOST_BYTES: u64 = 1 << 20;
/// The longest delay that is believed, in frames; encoders need 576 to 5,000.
const MOST_DELAY_FRAMES: u64 = 1 << 16;
/// The media time of an edit that shows nothing.
const EMPTY_EDIT: i64 = -1;
/// Speed 1 in an edit list, in 16.16.
const NORMAL_SPEED: u32 = 1 << 16;

/// An audio track.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudioTrack {
    /// Its number in the file.
    pub id: u32,
    /// What it is called.
    pub title: Option<String>,
    /// Which of its frames are the recording; none where the file does not say.
    pub span: Option<Span>,
}

/// A part of what a decoder gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What comes before it, in frames.
    pub skip: u64,
    /// Its length in frames; none for all that comes.
    pub frames: Option<u64>,
}

/// The audio tracks of a file in their order; none when it is no MP4 file. The file is then at its start.
///
/// # Errors
/// The file cannot be read.
pub fn audio_tracks(file: &File) -> io::Result<Option<Vec<AudioTrack>>> {
    let mut boxes = Boxes { file: file.try_clone()? };
    let whole = Part { start: 0, end: file.metadata()?.len() };
    let first = boxes.next(&mut whole.clone())?;
    let starts = [*b"ftyp", *b"moov", *b"mdat", *b"wide", *b"free", *b"skip"];
    let is_mp4 = first.is_some_and(|(kind, _)| starts.contains(&kind));
    let found = match boxes.find(whole, &[*b"moov"])?.filter(|_| is_mp4) {
        None => None,
        Some(movie) => Some(boxes.tracks(movie)?),
    };
    boxes.file.seek(SeekFrom::Start(0))?;
    Ok(found)
}

/// Bytes of a file, from one place to another.
#[derive(Debug, Clone)]
struct Part {
    start: u64,
    end: u64,
}

/// Walks through the boxes of a file.
struct Boxes {
    file: File,
}

impl Boxes {
    /// Takes the next box from a part: its kind and its contents. None at the end, or where no box can be.
    fn next(&mut self, part: &mut Part) -> io::Result<Option<([u8; 4], Part)>> {
        let Some(head) = self.array::<8>(part, 0)? else { return Ok(None) };
        let kind = [head[4], head[5], head[6], head[7]];
        let (header, size) = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 => (8, part.end - part.start),
            1 => (16, self.array(part, 8)?.map_or(0, u64::from_be_bytes)),
            size => (8, u64::from(size)),
        };
        if size < header || size > part.end - part.start {
            return Ok(None);
        }
        let contents = Part { start: part.start + header, end: part.start + size };
        part.start += size;
        Ok(Some((kind, contents)))
    }

    /// The contents of the first box on a path of kinds.
    fn find(&mut self, within: Part, path: &[[u8; 4]]) -> io::Result<Option<Part>> {
        let [wanted, deeper @ ..] = path else { return Ok(Some(within)) };
        let mut rest = within;
        while let Some((kind, contents)) = self.next(&mut rest)? {
            if kind == *wanted {
                return self.find(contents, deeper);
            }
        }
        Ok(None)
    }

    /// Some bytes of a part; none where it is shorter.
    fn array<const N: usize>(&mut self, part: &Part, offset: u64) -> io::Result<Option<[u8; N]>> {
        let at = part.start.saturating_add(offset);
        if at.saturating_add(N as u64) > part.end {
            return Ok(None);
        }
        let mut bytes = [0; N];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// All bytes of the box on a path, up to a size that no honest file reaches.
    fn contents(&mut self, within: &Part, path: &[[u8; 4]]) -> io::Result<Vec<u8>> {
        let Some(part) = self.find(within.clone(), path)? else { return Ok(Vec::new()) };
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(part.start))?;
        (&self.file).take((part.end - part.start).min(MOST_BYTES)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All audio tracks of a movie.
    fn tracks(&mut self, movie: Part) -> io::Result<Vec<AudioTrack>> {
        let header = self.contents(&movie, &[*b"mvhd"])?;
        let movie_rate = timescale(&header);
        let mut tracks = Vec::new();
        let mut rest = movie.clone();
        while let Some((kind, track)) = self.next(&mut rest)? {
            if kind == *b"trak" {
                tracks.extend(self.track(&track, movie_rate)?);
            }
        }
        if let [track] = &mut tracks[..] {
            let remark = self.apple_remark(&movie)?;
            track.span = remark.or(track.span);
        }
        if tracks.iter().all(|track| track.title.is_none()) {
            let names = stem_names(&self.contents(&movie, &[*b"udta", *b"stem"])?);
            if names.len() == tracks.len() {
                tracks.iter_mut().zip(names).for_each(|(track, name)| track.title = Some(name));
            }
        }
        Ok(tracks)
    }

    /// A track, if it is one of audio.
    fn track(&mut self, track: &Part, movie_rate: u64) -> io::Result<Option<AudioTrack>> {
        let handler = self.contents(track, &[*b"mdia", *b"hdlr"])?;
        if handler.get(8..12) != Some(b"soun") {
            return Ok(None);
        }
        let head = self.contents(track, &[*b"tkhd"])?;
        let id_at = if head.first() == Some(&1) { 20 } else { 12 };
        let edits = edits(&self.contents(track, &[*b"edts", *b"elst"])?);
        let media_rate = timescale(&self.contents(track, &[*b"mdia", *b"mdhd"])?);
        let sampled = self.sample_rate_hz(track)?.unwrap_or(media_rate);
        let clock = Clock { movie_rate, media_rate, sample_rate_hz: sampled };
        let span = match self.find(track.clone(), &[*b"mdia", *b"minf", *b"stbl", *b"stts"])? {
            Some(times) => clock.span(&edits, self.duration(&times)?),
            None => None,
        };
        Ok(Some(AudioTrack {
            id: number(&head, id_at).unwrap_or(0),
            title: self.title(track, &handler)?,
            span,
        }))
    }

    /// The rate that the description of the samples states, in Hz.
    fn sample_rate_hz(&mut self, track: &Part) -> io::Result<Option<u64>> {
        let description = self.contents(track, &[*b"mdia", *b"minf", *b"stbl", *b"stsd"])?;
        // Version and count, the first entry's size and kind, then what every audio entry has: a rate in 16.16 at 24.
        Ok(number(&description, 8 + 8 + 24).map(|rate| u64::from(rate >> 16)).filter(|rate| *rate > 0))
    }

    /// How long all samples of a track last, in units of its media.
    fn duration(&mut self, times: &Part) -> io::Result<u64> {
        let Some(count) = self.array(times, 4)?.map(u32::from_be_bytes) else { return Ok(0) };
        let there = (times.end - times.start).saturating_sub(8) / 8;
        self.file.seek(SeekFrom::Start(times.start + 8))?;
        let mut reader = BufReader::new(&self.file);
        let mut sum = 0u64;
        for _ in 0..u64::from(count).min(there) {
            let mut entry = [0; 8];
            reader.read_exact(&mut entry)?;
            let [samples, each] = [number(&entry, 0), number(&entry, 4)].map(|n| u64::from(n.unwrap_or(0)));
            sum = sum.saturating_add(samples * each);
        }
        Ok(sum)
    }

    /// What a track is called: by its own box, by a tag, or where programs name the software that handles it.
    fn title(&mut self, track: &Part, handler: &[u8]) -> io::Result<Option<String>> {
        let name = text(&self.contents(track, &[*b"udta", *b"name"])?);
        let tag = match self.find(track.clone(), &[*b"udta", *b"meta"])? {
            Some(meta) => {
                let tags = self.behind_version(meta)?;
                text(self.contents(&tags, &[*b"ilst", *b"\xa9nam", *b"data"])?.get(8..).unwrap_or_default())
            }
            None => None,
        };
        let handler = text(handler.get(24..).unwrap_or_default()).filter(|name| !name.contains("Handler"));
        Ok(name.or(tag).or(handler))
    }

    /// The boxes within `meta`, which begins with a version in ISO files and without one in QuickTime's.
    fn behind_version(&mut self, meta: Part) -> io::Result<Part> {
        let is_box = self.array::<4>(&meta, 4)? == Some(*b"hdlr");
        Ok(if is_box { meta } else { Part { start: (meta.start + 4).min(meta.end), ..meta } })
    }

    /// Delay and length as Apple's programs remark them in the tags of a file.
    fn apple_remark(&mut self, movie: &Part) -> io::Result<Option<Span>> {
        let Some(meta) = self.find(movie.clone(), &[*b"udta", *b"meta"])? else { return Ok(None) };
        let tags = self.behind_version(meta)?;
        let Some(mut rest) = self.find(tags, &[*b"ilst"])? else { return Ok(None) };
        while let Some((kind, tag)) = self.next(&mut rest)? {
            let is_remark = kind == *b"----" && self.contents(&tag, &[*b"name"])?.ends_with(b"iTunSMPB");
            if is_remark {
                let data = self.contents(&tag, &[*b"data"])?;
                return Ok(text(data.get(8..).unwrap_or_default()).and_then(|text| remark(&text)));
            }
        }
        Ok(None)
    }
}

/// Reads the numbers of a remark: nothing, delay, filling at the end, length; in hexadecimal.
fn remark(text: &str) -> Option<Span> {
    let mut numbers = text.split_whitespace().map(|number| u64::from_str_radix(number, 16));
    let (Some(Ok(_)), Some(Ok(skip)), Some(Ok(_)), Some(Ok(frames))) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    (skip <= MOST_DELAY_FRAMES && frames > 0).then_some(Span { skip, frames: Some(frames) })
}

/// Names by the box of Native Instruments: the mix comes first and has none.
fn stem_names(json: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Stems {
        stems: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    match serde_json::from_slice::<Stems>(json) {
        Ok(found) => {
            let names = found.stems.into_iter().map(|stem| stem.name);
            std::iter::once("mixture".to_owned()).chain(names).collect()
        }
        Err(_) => Vec::new(),
    }
}

/// One entry of an edit list: which part of the media is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edit {
    /// In units of the movie.
    duration: u64,
    /// In units of the media.
    media_time: i64,
    speed: u32,
}

fn edits(bytes: &[u8]) -> Vec<Edit> {
    let wide = bytes.first() == Some(&1);
    let entries = bytes.get(8..).unwrap_or_default().chunks_exact(if wide { 20 } else { 12 });
    let count = number(bytes, 4).unwrap_or(0) as usize;
    let entry = |entry: &[u8]| {
        let narrow = |at| number(entry, at).unwrap_or(0);
        let long = |at: usize| u64::from(narrow(at)) << 32 | u64::from(narrow(at + 4));
        if wide {
            Edit { duration: long(0), media_time: long(8) as i64, speed: narrow(16) }
        } else {
            let media_time = i64::from(narrow(4) as i32);
            Edit { duration: u64::from(narrow(0)), media_time, speed: narrow(8) }
        }
    };
    entries.take(count).map(entry).collect()
}

/// The units in which a file counts, per second.
struct Clock {
    movie_rate: u64,
    media_rate: u64,
    sample_rate_hz: u64,
}

impl Clock {
    /// What the edits show of media that last so long; none where they are missing, or do more than cut the ends.
    fn span(&self, edits: &[Edit], media_duration: u64) -> Option<Span> {
        let [Edit { duration, media_time, speed: NORMAL_SPEED }] = edits[..] else { return None };
        if media_time <= EMPTY_EDIT {
            return None;
        }
        let skip = self.frames(media_time as u64, self.media_rate)?;
        let there = self.frames(media_duration, self.media_rate)?.saturating_sub(skip);
        // Many programs count the movie in milliseconds: within one unit the media know better where they end.
        let [shown, unit] = [duration, 1].map(|units| self.frames(units, self.movie_rate));
        let cut = shown.filter(|&shown| shown > 0 && shown + unit.unwrap_or(0) < there);
        let frames = cut.or((there > 0).then_some(there));
        (skip <= MOST_DELAY_FRAMES).then_some(Span { skip, frames })
    }

    /// Units of a clock as frames, rounded.
    fn frames(&self, units: u64, rate: u64) -> Option<u64> {
        let frames = u128::from(units) * u128::from(self.sample_rate_hz) + u128::from(rate / 2);
        u64::try_from(frames.checked_div(u128::from(rate))?).ok()
    }
}

/// Units per second in a header of a movie or of media.
fn timescale(header: &[u8]) -> u64 {
    let at = if header.first() == Some(&1) { 20 } else { 12 };
    u64::from(number(header, at).unwrap_or(0))
}

/// A big-endian number of 32 bits.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

/// A text without what programs put around it: a count before, a zero behind.
fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c.is_control() || c.is_whitespace()).to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { movie_rate: 1000, media_rate: 44_100, sample_rate_hz: 44_100 };

    fn edit(duration: u64, media_time: i64) -> Edit {
        Edit { duration, media_time, speed: NORMAL_SPEED }
    }

    #[test]
    fn an_edit_list_cuts_the_delay_and_a_coarse_clock_never_cuts_the_end() {
        // Four seconds behind 1,024 frames of the encoder, counted in milliseconds.
        let span = |edits: &[Edit], duration| CLOCK.span(edits, duration);
        let four = Some(Span { skip: 1024, frames: Some(176_400) });
        assert_eq!(span(&[edit(4000, 1024)], 177_424), four);
        assert_eq!(span(&[edit(4000, 1024)], 177_430).and_then(|span| span.frames), Some(176_406));
        assert_eq!(span(&[edit(4000, 1024)], 178_176), four, "the filling of the last block goes");
        assert_eq!(span(&[edit(0, 2112)], 100_000), Some(Span { skip: 2112, frames: Some(97_888) }));
        for unclear in [&[][..], &[edit(5, -1), edit(4000, 1024)], &[edit(1, 0), edit(1, 9)]] {
            assert_eq!(span(unclear, 177_424), None);
        }
        assert_eq!(span(&[edit(4000, 1 << 40)], 177_424), None, "nobody delays by years");
        let none = Clock { movie_rate: 0, media_rate: 0, sample_rate_hz: 44_100 };
        assert_eq!(none.span(&[edit(4000, 1024)], 177_424), None);
    }

    #[test]
    fn remarks_and_names_are_read() {
        let apple = " 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        assert_eq!(remark(apple), Some(Span { skip: 2112, frames: Some(4_141_558) }));
        assert_eq!(remark(" 00000000 FFFFFFFF 0 1"), None);
        assert_eq!(remark("nothing"), None);
        let json = br#"{"version":1,"stems":[{"color":"red","name":"Drums"},{"name":"Vox"}]}"#;
        assert_eq!(stem_names(json), ["mixture", "Drums", "Vox"]);
        assert!(stem_names(b"{").is_empty());
        assert_eq!(text(b"\x06Vocals\0"), Some("Vocals".into()));
    }
}
