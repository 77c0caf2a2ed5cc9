//! Codings that leave something out: every one of them starts and ends where the recording did, to the frame, or a note says
//! that this cannot be known. Opus is encoded here, AAC is a small file that ffmpeg's encoder made of the test signal, and
//! with ffmpeg at hand there is much more of both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opus_pure::{Application, MAX_PACKET_BYTES, OggOpusWriter, OpusEncoder, OpusHead};
use tributary_audio_io::error::Note;
use tributary_audio_io::reader::{self, AudioFile};
use tributary_test_support::Folder;
use tributary_test_support::wav::{Wav, signal, write};

/// Half a second and a bit of the vocals' test signal at 44.1 kHz, AAC-LC of 128 kbit/s by ffmpeg 7, behind 1,024 frames of
/// the encoder: `ffmpeg -i tone.wav -c:a aac -b:a 128k tone.m4a`.
const TONE: &[u8] = include_bytes!("data/tone.m4a");
const TONE_FRAMES: usize = 22_827;

fn read(root: &Path, name: &str, bytes: &[u8]) -> Result<AudioFile, String> {
    let path = root.join(name);
    fs::write(&path, bytes).expect("written");
    reader::read(&path).map_err(|error| error.to_string())
}

/// How far a file lies behind the test signal in frames, and how much it differs there, as a share.
fn compared(file: &AudioFile) -> (i64, f64) {
    const MOST: i64 = 3_000;
    let rate_hz = f64::from(file.sample_rate_hz);
    let found = &file.audio.left;
    let count = found.len().min(20_000) as i64;
    let signal: Vec<f64> = (0..count + MOST).map(|n| signal(0, n as f64 / rate_hz, 0)).collect();
    let expected = |n: i64| usize::try_from(n).map_or(0.0, |n| signal[n]);
    let likeness = |lag: i64, step: usize| -> f64 {
        let frames = (lag.max(0)..count).step_by(step);
        frames.map(|n| f64::from(found[n as usize]) * expected(n - lag)).sum()
    };
    let best = |lags: &mut dyn Iterator<Item = i64>, step| {
        lags.max_by(|a, b| likeness(*a, step).total_cmp(&likeness(*b, step))).unwrap_or(0)
    };
    let near = best(&mut (-MOST + 60..=MOST - 60).step_by(2), 7);
    let lag = best(&mut (near - 60..=near + 60), 1);
    let difference: f64 =
        (0..count).map(|n| (f64::from(found[n as usize]) - expected(n - lag)).powi(2)).sum();
    let whole: f64 = (0..count).map(|n| expected(n - lag).powi(2)).sum();
    (lag, (difference / whole).sqrt())
}

/// What is wrong about a file that should be the test signal, to the frame.
fn complaint(file: &AudioFile, frames: usize, tolerance: f64) -> Option<String> {
    let (lag, share) = compared(file);
    let fine = lag == 0 && share < tolerance && file.audio.frames() == frames;
    (!fine).then(|| format!("{lag} frames late, {share:.3} off, {} of {frames} frames", file.audio.frames()))
}

/// The test signal as Opus in Ogg: 20 ms a packet, trimmed to the frame as RFC 7845 says.
fn opus(frames: usize) -> Vec<u8> {
    let pcm: Vec<f32> = (0..frames)
        .flat_map(|n| [0, 1].map(|channel| signal(0, n as f64 / 48_000.0, channel) as f32))
        .collect();
    let mut encoder = OpusEncoder::new(48_000, 2, Application::Audio).expect("an encoder");
    encoder.bitrate_bps = 192_000;
    let head = OpusHead::for_encoder(&encoder, 48_000);
    let (skip, block) = (head.pre_skip as usize, 960);
    let mut bytes = Vec::new();
    let mut writer = OggOpusWriter::new(&mut bytes, head).expect("in memory");
    let blocks = (frames + skip).div_ceil(block);
    for number in 0..blocks {
        let mut piece: Vec<f32> = pcm.iter().skip(2 * block * number).take(2 * block).copied().collect();
        piece.resize(2 * block, 0.0);
        let mut packet = vec![0; MAX_PACKET_BYTES];
        let count = encoder.encode(&piece, block, &mut packet).expect("encoded");
        let lasts = if number + 1 == blocks { skip + frames - block * number } else { block };
        writer.write_packet_with_duration(&packet[..count], lasts as u32).expect("in memory");
    }
    writer.finish().expect("in memory");
    bytes
}

#[test]
fn opus_starts_and_ends_where_the_recording_did() {
    let root = Folder::new();
    for frames in [48_000, 50_001, 960, 313] {
        let file = read(&root, "x.opus", &opus(frames)).expect("read");
        assert_eq!((file.sample_rate_hz, file.channels, file.audio.frames()), (48_000, 2, frames));
        assert_eq!(file.notes, [Note::Lossy { coding: "Opus" }]);
        if frames > 40_000 {
            assert_eq!(complaint(&file, frames, 0.1), None);
        }
    }
    let whole = opus(96_000);
    let cut = read(&root, "cut.opus", &whole[..whole.len() / 2]).expect("what is there");
    assert!(cut.notes.contains(&Note::CutOff) && cut.audio.frames() < 90_000, "{:?}", cut.notes);
}

/// The same file with one kind of box renamed to one that nobody reads.
fn without(bytes: &[u8], kind: &[u8; 4]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = bytes.windows(4).position(|four| four == kind).expect("the box is there");
    bytes[at..at + 4].copy_from_slice(b"free");
    bytes
}

fn boxed(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    [&(8 + contents.len() as u32).to_be_bytes()[..], kind, contents].concat()
}

/// The file with Apple's remark at the end of its movie, which is the last box of the file.
fn remarked(bytes: &[u8], remark: &str) -> Vec<u8> {
    let data = [&[0, 0, 0, 1, 0, 0, 0, 0][..], remark.as_bytes()].concat();
    let tag = [
        boxed(b"mean", b"\0\0\0\0com.apple.iTunes"),
        boxed(b"name", b"\0\0\0\0iTunSMPB"),
        boxed(b"data", &data),
    ];
    let meta = [b"\0\0\0\0".to_vec(), boxed(b"ilst", &boxed(b"----", &tag.concat()))].concat();
    let more = boxed(b"udta", &boxed(b"meta", &meta));
    // The first of two boxes of a kind counts.
    let bytes =
        if bytes.windows(4).any(|four| four == b"udta") { without(bytes, b"udta") } else { bytes.to_vec() };
    let at = bytes.windows(4).rposition(|four| four == b"moov").expect("a movie") - 4;
    let size = (bytes.len() - at + more.len()) as u32;
    [&bytes[..at], &size.to_be_bytes(), &bytes[at + 4..], &more].concat()
}

#[test]
fn aac_starts_where_the_edit_list_or_apple_says() {
    let root = Folder::new();
    let lossy = Note::Lossy { coding: "AAC" };
    let file = read(&root, "tone.m4a", TONE).expect("read");
    assert_eq!(complaint(&file, TONE_FRAMES, 0.2), None);
    assert_eq!(file.notes, std::slice::from_ref(&lossy));

    let bare = without(TONE, b"edts");
    let unknown = read(&root, "bare.m4a", &bare).expect("read");
    assert_eq!(unknown.notes, [lossy.clone(), Note::StartUnknown { coding: "AAC" }]);
    assert_eq!(compared(&unknown).0, 1_024, "as it comes from the decoder");

    let remark = format!(" 00000000 00000400 00000155 {TONE_FRAMES:016X} 00000000 00000000");
    let apple = read(&root, "apple.m4a", &remarked(&bare, &remark)).expect("read");
    assert_eq!(complaint(&apple, TONE_FRAMES, 0.2), None);
    assert_eq!(apple.notes, std::slice::from_ref(&lossy));

    // The samples come first in the file: cut within them there is no header, so the header is put before.
    let movie = TONE.windows(4).rposition(|four| four == b"moov").expect("a movie") - 4;
    assert!(read(&root, "cut.m4a", &TONE[..movie]).is_err());
}

#[test]
fn damage_in_boxes_is_an_error_or_does_no_harm() {
    let root = Folder::new();
    let header = TONE.windows(4).rposition(|four| four == b"moov").expect("a movie") - 4;
    for at in (header..TONE.len()).step_by(5) {
        for value in [0, 0xff, TONE[at] ^ 0x10] {
            let mut bytes = TONE.to_vec();
            bytes[at] = value;
            let _ = read(&root, "damaged.m4a", &bytes).map(|file| assert!(file.audio.frames() < 1 << 24));
        }
    }
}

/// A file by ffmpeg of the test signal: its arguments, its name, how much it may differ, and whether its start is known.
type Case = (&'static [&'static str], &'static str, f64, bool);

const BY_FFMPEG: [Case; 30] = [
    (&["-c:a", "aac", "-b:a", "128k"], "128.m4a", 0.2, true),
    (&["-c:a", "aac", "-b:a", "320k"], "320.m4a", 0.1, true),
    (&["-c:a", "aac", "-b:a", "64k"], "64.m4a", 0.3, true),
    (&["-c:a", "aac", "-ac", "1"], "mono.m4a", 0.3, true),
    (&["-c:a", "aac", "-ar", "48000"], "48.m4a", 0.2, true),
    (&["-c:a", "aac", "-ar", "96000"], "96.m4a", 0.2, true),
    (&["-c:a", "aac", "-ar", "32000"], "32.m4a", 0.2, true),
    (&["-c:a", "aac", "-ar", "22050"], "22.m4a", 0.2, true),
    (&["-c:a", "aac", "-movflags", "+faststart"], "faststart.m4a", 0.2, true),
    (&["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"], "fragments.mp4", 0.1, false),
    (&["-c:a", "aac"], "aac.mp4", 0.2, true),
    (&["-c:a", "aac"], "aac.mov", 0.2, true),
    (&["-c:a", "aac"], "bare.aac", 0.1, false),
    (&["-c:a", "alac"], "alac.m4a", 1e-4, true),
    (&["-c:a", "alac"], "alac.caf", 1e-4, true),
    (&["-c:a", "libmp3lame", "-b:a", "256k"], "256.mp3", 0.1, true),
    (&["-c:a", "libmp3lame", "-q:a", "2"], "variable.mp3", 0.1, true),
    (&["-c:a", "libmp3lame", "-ac", "1"], "mono.mp3", 0.3, true),
    (&["-c:a", "libmp3lame", "-write_xing", "0"], "no-header.mp3", 0.1, false),
    (&["-c:a", "mp2", "-b:a", "256k"], "x.mp2", 0.1, false),
    (&["-c:a", "libvorbis", "-q:a", "8"], "x.ogg", 0.1, true),
    (&["-c:a", "libopus", "-b:a", "192k"], "x.opus", 0.1, true),
    (&["-c:a", "libopus", "-b:a", "192k", "-frame_duration", "60"], "long.opus", 0.1, true),
    (&["-c:a", "libopus", "-b:a", "192k", "-frame_duration", "2.5"], "short.opus", 0.1, true),
    (&["-c:a", "libopus", "-b:a", "192k"], "opus.mp4", 0.1, true),
    (&["-c:a", "flac"], "flac.ogg", 1e-4, true),
    (&["-c:a", "flac", "-strict", "-2"], "flac.mp4", 1e-4, true),
    (&["-c:a", "pcm_s16le"], "pcm.mov", 1e-4, true),
    (&["-c:a", "pcm_f64be"], "f64.aiff", 1e-6, true),
    (&["-rf64", "always", "-c:a", "pcm_f32le"], "rf64.wav", 1e-6, true),
];

fn by_ffmpeg(root: &Path, source: &Path, arguments: &[&str], name: &str) -> Option<PathBuf> {
    let path = root.join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "quiet", "-y", "-i"]).arg(source).args(arguments).arg(&path);
    let made = command.status().is_ok_and(|status| status.success());
    if !made {
        eprintln!("SKIPPED: {name} cannot be made here; it takes ffmpeg with that coding");
    }
    made.then_some(path)
}

#[test]
fn what_ffmpeg_makes_is_read_to_the_frame() {
    let root = Folder::new();
    let source = root.join("plain.wav");
    write(&source, 0, Wav { seconds: 1.5, ..Wav::FLOAT });
    let mut wrong = Vec::new();
    for (arguments, name, tolerance, is_known) in BY_FFMPEG {
        let Some(path) = by_ffmpeg(&root, &source, arguments, name) else { continue };
        let file = match reader::read(&path) {
            Ok(file) => file,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let says = |wanted: fn(&Note) -> bool| file.notes.iter().any(wanted);
        let lossy = says(|note| matches!(note, Note::Lossy { .. }));
        let unknown = says(|note| matches!(note, Note::StartUnknown { .. }));
        if lossy != (tolerance > 1e-3) || unknown == is_known {
            wrong.push(format!("{name}: {:?}", file.notes));
        }
        let frames = (1.5 * f64::from(file.sample_rate_hz)).round() as usize;
        let complaint = complaint(&file, frames, tolerance);
        wrong.extend(complaint.filter(|_| is_known).map(|complaint| format!("{name}: {complaint}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn adpcm_by_ffmpeg_fills_at_most_its_last_block() {
    let root = Folder::new();
    let source = root.join("plain.wav");
    write(&source, 0, Wav { seconds: 1.5, ..Wav::FLOAT });
    for (coding, name) in [("adpcm_ima_wav", "ima.wav"), ("adpcm_ms", "ms.wav")] {
        let Some(path) = by_ffmpeg(&root, &source, &["-c:a", coding], name) else { continue };
        let file = reader::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (lag, share) = compared(&file);
        assert!(lag == 0 && share < 0.1 && file.audio.frames().abs_diff(66_150) < 2_304, "{name}");
    }
}

#[test]
fn what_cannot_be_decoded_is_refused_in_words() {
    let root = Folder::new();
    // Plain AAC becomes HE-AAC by the first five bits of its description, behind the tag of the decoder's data.
    let at = TONE.windows(4).position(|four| four[0] == 0x05 && four[2..] == [0x12, 0x10]).map(|at| at + 2);
    let at = at.or_else(|| TONE.windows(2).rposition(|two| two == [0x12, 0x10])).expect("a description");
    for (first, sentence) in [(0x2a, "HE-AAC is not supported"), (0x0a, "of AAC only AAC-LC is supported")] {
        let mut bytes = TONE.to_vec();
        bytes[at] = first;
        let error = read(&root, "kind.m4a", &bytes).expect_err("refused");
        assert!(error.contains(sentence), "{error}");
    }
    let short_head = [&b"OggS\x00\x02"[..], &[0; 20], b"\x01\x13OpusHead\x01\x02", &[0; 9]].concat();
    assert!(read(&root, "head.opus", &short_head).is_err());
}
