//! Impulse responses from files: WAV or FLAC, mono or stereo, any rate, up to ten seconds, for the reverb send of a
//! model bundle or of the command line. A file comes from anywhere, so it is read as hostile input: its size is limited
//! before a byte is read, decoding stops at the longest response, and every refusal is one plain sentence.
//!
//! This is a reader of its own beside that of `tributary-audio-io`: that one stands above the engine, reads a dozen codings
//! and files of any length, and would bring all of it into the plug-in for files of two kinds and ten seconds.

use std::io::{Cursor, ErrorKind};
use std::path::Path;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use tributary_dsp::recipe::RoomFile;
use tributary_dsp::reverb::{ImpulseResponse, LONGEST_SECONDS};
use tributary_dsp::{Cause, StereoBuffer};

use super::files::{read_limited, sha256_hex};
use crate::error::BundleError;
use crate::resample::{RATE_RANGE_HZ, convert};

/// Largest file in bytes: ten seconds of stereo at 384 kHz in 32 bits.
pub const RESPONSE_LIMIT_BYTES: u64 = 32 * 1024 * 1024;

/// Reads an impulse response at a rate; returns it with the reference that a recipe names it by: its file name, without
/// the folder.
///
/// # Errors
/// [`BundleError`] for a file that is missing, too large, no audio or no usable response.
pub fn read(path: &Path, sample_rate_hz: u32) -> Result<(ImpulseResponse, RoomFile), BundleError> {
    let bytes = read_limited(path, RESPONSE_LIMIT_BYTES)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = RoomFile { file: name, sha256: sha256_hex(&bytes) };
    Ok((decode(path, bytes, sample_rate_hz)?, file))
}

/// The response in the bytes of a file, at a rate. `path` is told in errors only.
pub(crate) fn decode(
    path: &Path,
    bytes: Vec<u8>,
    sample_rate_hz: u32,
) -> Result<ImpulseResponse, BundleError> {
    let unusable = |reason: Cause| BundleError::Unreadable { path: path.to_path_buf(), reason };
    let (audio, file_rate_hz) = samples(bytes).map_err(|error| unusable(Cause::new(error)))?;
    let (from_hz, to_hz) = (f64::from(file_rate_hz), f64::from(sample_rate_hz));
    let converted = convert(&audio, from_hz, to_hz).map_err(|error| unusable(Cause::new(error)))?;
    // Fewer samples stand for the same response: each weighs more.
    let weight = (from_hz / to_hz) as f32;
    let side = |side: Vec<f32>| side.into_iter().map(|tap| tap * weight).collect();
    let (left, right) = (side(converted.left), side(converted.right));
    ImpulseResponse::new(left, right, to_hz).map_err(|error| unusable(Cause::new(error)))
}

/// Why the audio of a file is no response.
#[derive(Debug, thiserror::Error)]
enum ResponseError {
    #[error("it is not a WAV or FLAC file that can be read ({0})")]
    NotAudio(#[source] SymphoniaError),
    #[error("it holds no audio")]
    Empty,
    #[error("its coding is unknown")]
    UnknownCoding,
    #[error("its sample rate is {0} Hz; 8000 to 768000 Hz can be used")]
    Rate(u32),
    #[error("it is damaged ({0})")]
    Damaged(#[source] SymphoniaError),
    #[error("it has {0} channels; one or two can be used")]
    Channels(usize),
    #[error("it lasts more than {LONGEST_SECONDS} s")]
    TooLong,
}

/// All samples of a file, both sides alike when it is mono, and its rate.
fn samples(bytes: Vec<u8>) -> Result<(StereoBuffer, u32), ResponseError> {
    use ResponseError::{Channels, Damaged, Empty, NotAudio, Rate, TooLong, UnknownCoding};
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut reader = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(NotAudio)?;
    let track = reader.default_track(TrackType::Audio).ok_or(Empty)?;
    let track_id = track.id;
    let params = track.codec_params.as_ref().and_then(|params| params.audio()).ok_or(UnknownCoding)?;
    let rate_hz = params.sample_rate.unwrap_or(0);
    if !RATE_RANGE_HZ.contains(&f64::from(rate_hz)) {
        return Err(Rate(rate_hz));
    }
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(NotAudio)?;
    let longest = (LONGEST_SECONDS * f64::from(rate_hz)) as usize;
    let (mut audio, mut interleaved) = (StereoBuffer::default(), Vec::new());
    while let Some(packet) = next_packet(reader.as_mut(), track_id).map_err(NotAudio)? {
        let decoded = decoder.decode(&packet).map_err(Damaged)?;
        let channels = decoded.num_planes();
        if !(1..=2).contains(&channels) {
            return Err(Channels(channels));
        }
        interleaved.clear();
        decoded.copy_to_vec_interleaved(&mut interleaved);
        for frame in interleaved.chunks_exact(channels) {
            audio.left.push(frame[0]);
            audio.right.push(frame[channels - 1]);
        }
        if audio.left.len() > longest {
            return Err(TooLong);
        }
    }
    Ok((audio, rate_hz))
}

/// The next packet of the track; none at the end, also where a file is cut short.
fn next_packet(
    reader: &mut dyn FormatReader,
    track_id: u32,
) -> Result<Option<symphonia::core::packet::Packet>, SymphoniaError> {
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id != track_id => {}
            Err(SymphoniaError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(None);
            }
            other => return other,
        }
    }
}
