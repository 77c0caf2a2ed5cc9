//! One audio track of a file, packet by packet: the container is opened, the coding looked up, and what is known of the
//! recording's start and end is found.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3,
    CODEC_ID_OPUS, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::mp4::{self, AudioTrack, Span};
use super::opus::{self, Opus};
use super::{caf, flac_header, lossy, rifx, wave};
use crate::error::{AudioFileError, Damage, MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ, NotAudio, Note};

/// A track in the making of samples.
pub struct Decoding {
    reader: Box<dyn FormatReader>,
    decoder: Decoder,
    track_id: u32,
    /// The rate of the samples, in Hz.
    pub sample_rate_hz: u32,
    /// Frames decoded so far.
    decoded: u64,
    /// Whether a gap between packets is one in the audio.
    is_gapless: bool,
    /// Which of the decoded frames are the recording.
    pub span: Span,
    /// Frames that the file promises.
    pub expected_frames: Option<u64>,
    /// What is odd about the file.
    pub notes: Vec<Note>,
}

/// What makes samples of packets.
enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(Box<Opus>),
}

/// A file with what its own header says, before a container is recognized.
struct Opened {
    source: Box<dyn MediaSource>,
    hint: Hint,
    span: Span,
    /// From a header of the WAV family.
    expected_frames: Option<Option<u64>>,
    notes: Vec<Note>,
    /// Of an MP4 file.
    tracks: Option<Vec<AudioTrack>>,
    /// Of a bare stream of AAC.
    adts_kind: Option<lossy::AacKind>,
}

/// All of what a decoder gives.
const WHOLE: Span = Span { skip: 0, frames: None };

impl Opened {
    fn open(path: &Path) -> Result<Self, AudioFileError> {
        let there = std::fs::metadata(path)?;
        if !there.is_file() {
            let reason = if there.is_dir() { "it is a folder" } else { "it is no ordinary file" };
            return Err(AudioFileError::Io(io::Error::new(ErrorKind::InvalidInput, reason)));
        }
        let file = File::open(path)?;
        let mut hint = Hint::new();
        let wave = match wave::open(&file)? {
            None => rifx::open(&file)?,
            wave => wave,
        };
        if let Some(wave) = wave {
            hint.with_extension(wave.ending);
            return Ok(Self {
                source: wave.source,
                hint,
                span: Span { skip: 0, frames: wave.most_frames },
                expected_frames: Some(wave.expected_frames),
                notes: wave.notes,
                tracks: None,
                adts_kind: None,
            });
        }
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let adts_kind = lossy::adts_kind(&file, flac_header::behind_id3v2(&file)?)?;
        let cut_off = lossy::ogg_is_whole(&file)? == Some(false);
        let tracks = mp4::audio_tracks(&file)?;
        let repaired = match flac_header::open(&file)? {
            None => caf::open(&file)?,
            repaired => repaired,
        };
        Ok(Self {
            source: repaired.unwrap_or_else(|| Box::new(file)),
            hint,
            span: WHOLE,
            expected_frames: None,
            notes: cut_off.then_some(Note::CutOff).into_iter().collect(),
            tracks,
            adts_kind,
        })
    }

    /// The number of a track of an MP4 file, counted from 0.
    fn track_id(&self, index: usize) -> Result<u32, AudioFileError> {
        let track = self.tracks.iter().flatten().nth(index);
        Ok(track.map(|track| track.id).ok_or(NotAudio::NoTrack(index))?)
    }
}

impl Decoding {
    /// Opens a track: that of this number from 0, or the first one.
    ///
    /// # Errors
    /// The file cannot be opened, or what its header says cannot be used.
    pub fn open(path: &Path, index: Option<usize>) -> Result<Self, AudioFileError> {
        let opened = Opened::open(path)?;
        let wanted = index.map(|index| opened.track_id(index)).transpose()?;
        let stream = MediaSourceStream::new(opened.source, Default::default());
        let reader = symphonia::default::get_probe()
            .probe(&opened.hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(not_audio)?;
        let track = match wanted {
            Some(id) => reader.tracks().iter().find(|track| track.id == id),
            None => reader.default_track(TrackType::Audio),
        };
        let track = track.ok_or(NotAudio::Header("no audio track"))?;
        let params = track.codec_params.as_ref().and_then(|p| p.audio());
        let params = params.ok_or(NotAudio::Header("unknown coding"))?;
        let codec = params.codec;
        if codec == CODEC_ID_AAC {
            let description = params.extra_data.as_deref().unwrap_or_default();
            lossy::aac_refusal(description, opened.adts_kind).map_or(Ok(()), Err)?;
        }
        let decoder = Decoder::new(params)?;
        let sample_rate_hz = decoder.sample_rate_hz().or(params.sample_rate).unwrap_or(0);
        // Some formats tell the number of channels with the first packet only.
        check_format(sample_rate_hz, params.channels.as_ref().map_or(1, |channels| channels.count()))?;
        let in_file = opened.tracks.iter().flatten().find(|one| one.id == track.id).and_then(|one| one.span);
        let known = Known::of(track, codec, in_file, &decoder);
        let mut notes = opened.notes;
        notes.extend(known.notes);
        let counts_frames = track.time_base.is_some_and(|base| base.denom.get() == sample_rate_hz);
        Ok(Self {
            track_id: track.id,
            sample_rate_hz,
            decoder,
            decoded: 0,
            is_gapless: lossy_coding(codec).is_none() && counts_frames,
            span: Span { frames: known.span.frames.or(opened.span.frames), ..known.span },
            expected_frames: opened.expected_frames.unwrap_or(known.expected_frames),
            notes,
            reader,
        })
    }

    /// Appends the next packet's samples, interleaved; returns its channels, none at the end.
    ///
    /// # Errors
    /// The audio is damaged, or has more channels than the header said.
    pub fn next(&mut self, interleaved: &mut Vec<f32>) -> Result<Option<usize>, AudioFileError> {
        let at_s = self.decoded as f64 / f64::from(self.sample_rate_hz);
        let damaged = |reason| AudioFileError::Damaged { at_s, reason };
        let undecodable = |error: SymphoniaError| damaged(Damage::Decoder(error.into()));
        let packet = loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => break packet,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                // A file cut short ends here; the frame count tells.
                Err(SymphoniaError::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(undecodable(error)),
            }
        };
        // A reader that skips a broken part goes on behind it: the audio would shift against the other stems.
        if self.is_gapless && packet.pts.get() > self.decoded as i64 {
            return Err(damaged(Damage::Gap));
        }
        let channels = match &mut self.decoder {
            Decoder::Symphonia(decoder) => {
                let decoded = decoder.decode(&packet).map_err(undecodable)?;
                decoded.copy_to_vec_interleaved(interleaved);
                decoded.num_planes()
            }
            Decoder::Opus(opus) => {
                let trim = packet.trim_end.get();
                opus.decode(&packet.data, trim, interleaved).map_err(damaged)?;
                opus.channels()
            }
        };
        check_format(self.sample_rate_hz, channels)?;
        self.decoded += (interleaved.len() / channels) as u64;
        Ok(Some(channels))
    }

    /// Whether what was decoded is what the file's own checksum says, if it has one.
    pub fn checksum_holds(&mut self) -> bool {
        match &mut self.decoder {
            Decoder::Symphonia(decoder) => decoder.finalize().verify_ok != Some(false),
            Decoder::Opus(_) => true,
        }
    }
}

impl Decoder {
    fn new(params: &AudioCodecParameters) -> Result<Self, AudioFileError> {
        if params.codec == CODEC_ID_OPUS {
            let opus = Opus::new(params.extra_data.as_deref().unwrap_or_default());
            return Ok(Self::Opus(Box::new(opus?)));
        }
        symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default().verify(true))
            .map(Self::Symphonia)
            .map_err(not_audio)
    }

    /// The rate that the decoder found in its own description, which may hold more than a container's, in Hz.
    fn sample_rate_hz(&self) -> Option<u32> {
        match self {
            Self::Symphonia(decoder) => decoder.codec_params().sample_rate.filter(|rate| *rate > 0),
            Self::Opus(_) => Some(opus::SAMPLE_RATE_HZ),
        }
    }
}

/// What is known of the recording among the decoded frames.
struct Known {
    span: Span,
    expected_frames: Option<u64>,
    notes: Vec<Note>,
}

impl Known {
    /// By what stands `in_file` beside the samples, else by what the container says of the track.
    fn of(track: &Track, codec: AudioCodecId, in_file: Option<Span>, decoder: &Decoder) -> Self {
        let lossy = lossy_coding(codec);
        let start = in_file.or_else(|| start_of(track, codec, decoder));
        let is_exact = match lossy {
            None => true,
            Some(_) => start.is_some() && (in_file.is_some() || codec == CODEC_ID_MP3),
        };
        let frames = in_file.and_then(|span| span.frames).or(track.num_frames);
        let unknown = lossy.filter(|_| start.is_none()).map(|coding| Note::StartUnknown { coding });
        let notes = lossy.map(|coding| Note::Lossy { coding }).into_iter().chain(unknown);
        Self {
            span: start.unwrap_or(WHOLE),
            expected_frames: frames.filter(|_| is_exact),
            notes: notes.collect(),
        }
    }
}

/// Where the recording begins; none where the encoder put frames before the first one and the file does not say how many.
fn start_of(track: &Track, codec: AudioCodecId, decoder: &Decoder) -> Option<Span> {
    match (codec, decoder) {
        (_, Decoder::Opus(opus)) => Some(Span { skip: opus.skip, frames: None }),
        // CAF counts them, and what is left without them and the filling at the end.
        (CODEC_ID_AAC, _) => {
            track.delay.map(|delay| Span { skip: u64::from(delay), frames: track.num_frames })
        }
        (CODEC_ID_MP1 | CODEC_ID_MP2, _) => None,
        // The decoder leaves them out itself, where LAME's header counts them.
        (CODEC_ID_MP3, _) => track.delay.filter(|delay| *delay > 0).map(|_| WHOLE),
        _ => Some(WHOLE),
    }
}

/// The name of a coding that leaves something out.
fn lossy_coding(codec: AudioCodecId) -> Option<&'static str> {
    match codec {
        CODEC_ID_MP3 => Some("MP3"),
        CODEC_ID_MP1 | CODEC_ID_MP2 => Some("MP2"),
        CODEC_ID_AAC => Some("AAC"),
        CODEC_ID_OPUS => Some("Opus"),
        CODEC_ID_VORBIS => Some("Vorbis"),
        CODEC_ID_ADPCM_IMA_WAV | CODEC_ID_ADPCM_MS => Some("ADPCM"),
        CODEC_ID_PCM_ALAW => Some("A-law"),
        CODEC_ID_PCM_MULAW => Some("µ-law"),
        _ => None,
    }
}

/// A symphonia error while opening.
fn not_audio(error: SymphoniaError) -> AudioFileError {
    match error {
        SymphoniaError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            NotAudio::Header("it ends within the header").into()
        }
        SymphoniaError::IoError(e) => AudioFileError::Io(e),
        other => NotAudio::Decoder(other.into()).into(),
    }
}

/// Refuses rates and channel counts that nothing downstream can use.
fn check_format(sample_rate_hz: u32, channels: usize) -> Result<(), AudioFileError> {
    if !(MIN_SAMPLE_RATE_HZ..=MAX_SAMPLE_RATE_HZ).contains(&sample_rate_hz) {
        return Err(AudioFileError::SampleRate(sample_rate_hz));
    }
    if !(1..=2).contains(&channels) {
        return Err(AudioFileError::Channels(channels));
    }
    Ok(())
}
