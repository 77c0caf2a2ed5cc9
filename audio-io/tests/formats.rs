//! Every format and header that people's files come in, made here byte by byte: each arrives as the very samples of a plain
//! WAV file, or is refused in words. Lossy formats are in `lossy.rs`.

use std::fs;
use std::path::Path;

use tributary_audio_io::reader::{self, AudioFile};
use tributary_test_support::wav::signal;
use tributary_test_support::{Folder, flac};

const RATE_HZ: u32 = 44_100;
const FRAMES: usize = 6_000;

/// The test signal as whole numbers of 16 bits, interleaved.
fn samples() -> Vec<i16> {
    let sample = |n: usize, c: u16| (signal(0, n as f64 / f64::from(RATE_HZ), c) * 32_768.0).round() as i16;
    (0..FRAMES).flat_map(|n| [sample(n, 0), sample(n, 1)]).collect()
}

/// As floating point.
fn expected() -> Vec<f32> {
    samples().into_iter().map(|x| f32::from(x) / 32_768.0).collect()
}

fn le16() -> Vec<u8> {
    samples().into_iter().flat_map(i16::to_le_bytes).collect()
}

fn be16() -> Vec<u8> {
    samples().into_iter().flat_map(i16::to_be_bytes).collect()
}

/// The samples in a wider whole number of so many bytes, low bits zero.
fn wide(bytes: usize) -> Vec<u8> {
    let pad = vec![0; bytes - 2];
    samples().into_iter().flat_map(|x| [pad.clone(), x.to_le_bytes().to_vec()].concat()).collect()
}

fn chunk(id: &[u8; 4], contents: &[u8], size: Option<u32>) -> Vec<u8> {
    let size = size.unwrap_or(contents.len() as u32);
    let padding = &[0][..contents.len() % 2];
    [&id[..], &size.to_le_bytes(), contents, padding].concat()
}

/// A `fmt ` chunk's contents: coding, bits, and what follows the first sixteen bytes.
fn fmt(coding: u16, bits: u16, more: &[u8]) -> Vec<u8> {
    let align = 2 * bits.div_ceil(8);
    let rate = RATE_HZ * u32::from(align);
    let head = [&coding.to_le_bytes()[..], &[2, 0], &RATE_HZ.to_le_bytes(), &rate.to_le_bytes()].concat();
    [&head[..], &align.to_le_bytes(), &bits.to_le_bytes(), more].concat()
}

fn riff(chunks: &[Vec<u8>], size: Option<u32>) -> Vec<u8> {
    let body = [b"WAVE".to_vec(), chunks.concat()].concat();
    let size = size.unwrap_or(body.len() as u32);
    [&b"RIFF"[..], &size.to_le_bytes(), &body].concat()
}

/// A WAV file of this format with these samples and nothing odd.
fn wav(fmt: Vec<u8>, data: &[u8]) -> Vec<u8> {
    riff(&[chunk(b"fmt ", &fmt, None), chunk(b"data", data, None)], None)
}

/// Format, extensible: valid bits, loudspeakers, and the GUID of a coding.
fn extensible(coding: u8, bits: u16, valid: u16) -> Vec<u8> {
    let guid = [coding, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
    fmt(0xfffe, bits, &[&[22, 0][..], &valid.to_le_bytes(), &[3, 0, 0, 0], &guid].concat())
}

fn float32() -> Vec<u8> {
    expected().into_iter().flat_map(f32::to_le_bytes).collect()
}

fn w64() -> Vec<u8> {
    let guid = |id: &[u8; 4]| {
        [&id[..], &[0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a]].concat()
    };
    let chunk = |id: &[u8; 4], contents: &[u8]| {
        let size = (24 + contents.len() as u64).to_le_bytes();
        let padding = vec![0; contents.len().next_multiple_of(8) - contents.len()];
        [guid(id), size.to_vec(), contents.to_vec(), padding].concat()
    };
    let body = [
        guid(b"wave"),
        chunk(b"fmt ", &fmt(1, 16, &[])),
        chunk(b"junk", &[1, 2, 3]),
        chunk(b"data", &le16()),
    ]
    .concat();
    let head = [
        &b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"[..],
        &(24 + body.len() as u64).to_le_bytes(),
    ];
    [head.concat(), body].concat()
}

const PCM_16: (u16, u16) = (1, 16);
const FLOAT_32: (u16, u16) = (3, 32);

/// The highest byte first, behind a chunk that nobody knows.
fn rifx((coding, bits): (u16, u16), data_size: Option<u32>) -> Vec<u8> {
    let data = match coding {
        3 => expected().into_iter().flat_map(f32::to_be_bytes).collect(),
        _ => be16(),
    };
    let align = 2 * bits / 8;
    let numbers = [RATE_HZ, RATE_HZ * u32::from(align)].map(u32::to_be_bytes).concat();
    let fmt =
        [&coding.to_be_bytes()[..], &[0, 2], &numbers, &align.to_be_bytes(), &bits.to_be_bytes()].concat();
    let size = data_size.unwrap_or(data.len() as u32);
    let body = [b"WAVE".to_vec(), be_chunk(b"junk", &[1, 2, 3]), be_chunk(b"fmt ", &fmt)].concat();
    let data = [&b"data"[..], &size.to_be_bytes(), &data].concat();
    [&b"RIFX"[..], &((body.len() + data.len()) as u32).to_be_bytes(), &body, &data].concat()
}

fn rf64(id: &[u8; 4], data_size: u32) -> Vec<u8> {
    let sizes = [0u64, le16().len() as u64, FRAMES as u64].map(u64::to_le_bytes).concat();
    let ds64 = chunk(b"ds64", &[sizes, vec![0; 4]].concat(), None);
    let body =
        [ds64, chunk(b"fmt ", &fmt(1, 16, &[]), None), chunk(b"data", &le16(), Some(data_size))].concat();
    [&id[..], &u32::MAX.to_le_bytes(), b"WAVE", &body].concat()
}

fn be_chunk(id: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    [&id[..], &(contents.len() as u32).to_be_bytes(), contents, &[0][..contents.len() % 2]].concat()
}

/// AIFF, or AIFF-C when it names a coding.
fn aiff(coding: Option<&[u8; 4]>, data: &[u8]) -> Vec<u8> {
    // 44,100 as an 80-bit number: exponent 16383 + 15, mantissa shifted to the top.
    let rate = [&[0x40, 0x0e][..], &(u64::from(RATE_HZ) << 48).to_be_bytes()].concat();
    let common =
        [&[0, 2][..], &(FRAMES as u32).to_be_bytes(), &[0, 16], &rate, coding.map_or(&[][..], |c| &c[..])]
            .concat();
    let common = if coding.is_some() { [&common[..], &[0, 0]].concat() } else { common };
    let sound = [&[0; 8][..], data].concat();
    let form = if coding.is_some() { b"AIFC" } else { b"AIFF" };
    let version = if coding.is_some() { be_chunk(b"FVER", &[0xa2, 0x80, 0x51, 0x40]) } else { Vec::new() };
    let body = [&form[..], &version, &be_chunk(b"COMM", &common), &be_chunk(b"SSND", &sound)].concat();
    [&b"FORM"[..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

fn caf() -> Vec<u8> {
    let chunk =
        |id: &[u8; 4], contents: &[u8]| [&id[..], &(contents.len() as u64).to_be_bytes(), contents].concat();
    let numbers = [0u32, 4, 1, 2, 16].map(u32::to_be_bytes).concat();
    let describe = [&f64::from(RATE_HZ).to_be_bytes()[..], b"lpcm", &numbers].concat();
    let data = [vec![0; 4], be16()].concat();
    [b"caff\x00\x01\x00\x00".to_vec(), chunk(b"desc", &describe), chunk(b"data", &data)].concat()
}

fn flac_bytes(root: &Path) -> Vec<u8> {
    let channel = |c: usize| samples().into_iter().skip(c).step_by(2).collect();
    let path = root.join("plain.flac");
    flac::write(&path, &[channel(0), channel(1)], RATE_HZ);
    fs::read(&path).expect("there")
}

fn id3v2() -> Vec<u8> {
    [&b"ID3\x04\x00\x00\x00\x00\x02\x00"[..], &[0; 256]].concat()
}

fn id3v1() -> Vec<u8> {
    [&b"TAG"[..], &[b' '; 125]].concat()
}

fn broken_list(size: u32) -> Vec<u8> {
    [&b"LIST"[..], &size.to_le_bytes(), b"INFOISFT\x03\x00\x00\x00abc"].concat()
}

fn with_list(list: Vec<u8>) -> Vec<u8> {
    riff(&[chunk(b"fmt ", &fmt(1, 16, &[]), None), list, chunk(b"data", &le16(), None)], None)
}

/// A header that cannot be believed: a RIFF size, and a size of the samples.
fn sizes(riff_size: Option<u32>, data_size: Option<u32>) -> Vec<u8> {
    riff(&[chunk(b"fmt ", &fmt(1, 16, &[]), None), chunk(b"data", &le16(), data_size)], riff_size)
}

/// Name with ending, and bytes, of files that hold the test signal to the last bit.
fn exact(root: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let le = le16();
    let flac = flac_bytes(root);
    let mut open_flac = flac.clone();
    open_flac[8..10].fill(0);
    let float64: Vec<u8> = expected().into_iter().flat_map(|x| f64::from(x).to_le_bytes()).collect();
    let small = le.len() as u32;
    let fact = |contents: &[u8]| {
        let format = chunk(b"fmt ", &fmt(3, 32, &[0, 0]), None);
        riff(&[format, chunk(b"fact", contents, None), chunk(b"data", &float32(), None)], None)
    };
    vec![
        ("pcm16.wav", wav(fmt(1, 16, &[]), &le)),
        ("pcm24.wav", wav(fmt(1, 24, &[]), &wide(3))),
        ("pcm32.wav", wav(fmt(1, 32, &[]), &wide(4))),
        ("pcm20-in-24.wav", wav(fmt(1, 20, &[]), &wide(3))),
        ("float32.wav", wav(fmt(3, 32, &[]), &float32())),
        ("float64.wav", wav(fmt(3, 64, &[0, 0]), &float64)),
        ("fmt18.wav", wav(fmt(1, 16, &[0, 0]), &le)),
        ("fmt20.wav", wav(fmt(1, 16, &[2, 0, 0, 0]), &le)),
        ("fmt40.wav", wav(fmt(1, 16, &[&[22, 0][..], &[0; 22]].concat()), &le)),
        ("float-fmt20.wav", wav(fmt(3, 32, &[2, 0, 0, 0]), &float32())),
        ("extensible16.wav", wav(extensible(1, 16, 16), &le)),
        ("extensible20-in-24.wav", wav(extensible(1, 24, 20), &wide(3))),
        ("extensible24-in-32.wav", wav(extensible(1, 32, 24), &wide(4))),
        ("extensible-float.wav", wav(extensible(3, 32, 32), &float32())),
        ("extensible-float-0-valid.wav", wav(extensible(3, 32, 0), &float32())),
        ("fact4.wav", fact(&(FRAMES as u32).to_le_bytes())),
        ("fact12.wav", fact(&[0; 12])),
        ("fact-wrong.wav", fact(&7u32.to_le_bytes())),
        ("riff-0.wav", sizes(Some(0), None)),
        ("riff-ones.wav", sizes(Some(u32::MAX), None)),
        ("riff-small.wav", sizes(Some(small + 28), None)),
        ("riff-smaller.wav", sizes(Some(20), None)),
        ("data-0.wav", sizes(None, Some(0))),
        ("both-0.wav", sizes(Some(0), Some(0))),
        ("data-ones.wav", sizes(None, Some(u32::MAX))),
        ("data-streamed.wav", sizes(None, Some(0x7fff_f000))),
        ("data-small.wav", sizes(None, Some(4_000))),
        ("list.wav", with_list(chunk(b"LIST", b"INFOISFT\x04\x00\x00\x00abc\x00", None))),
        ("list-unpadded.wav", with_list(broken_list(15))),
        ("list-too-long.wav", with_list(broken_list(0x00ff_ffff))),
        ("list-too-short.wav", with_list(broken_list(2))),
        ("list-behind.wav", [sizes(None, None), chunk(b"LIST", b"INFO", None)].concat()),
        ("id3-behind.wav", [sizes(None, None), chunk(b"id3 ", &id3v2(), None)].concat()),
        ("WAVE.wave", wav(fmt(1, 16, &[]), &le)),
        ("no-ending", wav(fmt(1, 16, &[]), &le)),
        ("wrong-ending.flac", wav(fmt(1, 16, &[]), &le)),
        ("rf64.wav", rf64(b"RF64", u32::MAX)),
        ("rf64.rf64", rf64(b"RF64", le.len() as u32)),
        ("bw64.wav", rf64(b"BW64", u32::MAX)),
        ("w64.w64", w64()),
        ("rifx.wav", rifx(PCM_16, None)),
        ("rifx-streamed.wav", rifx(PCM_16, Some(u32::MAX))),
        ("rifx-float.wav", rifx(FLOAT_32, None)),
        ("aiff.aif", aiff(None, &be16())),
        ("aifc.aifc", aiff(Some(b"NONE"), &be16())),
        ("sowt.aiff", aiff(Some(b"sowt"), &le)),
        ("caf.caf", caf()),
        ("caf-padded.caf", [caf(), vec![0]].concat()),
        ("plain.flac", flac.clone()),
        ("id3-before.flac", [id3v2(), flac.clone()].concat()),
        ("id3-after.flac", [flac.clone(), id3v1()].concat()),
        ("id3-both.flac", [id3v2(), flac, id3v1()].concat()),
        ("open-block.flac", open_flac.clone()),
        ("open-block-id3.flac", [id3v2(), open_flac, id3v1()].concat()),
    ]
}

fn read(root: &Path, name: &str, bytes: &[u8]) -> Result<AudioFile, String> {
    let path = root.join(name);
    fs::write(&path, bytes).expect("written");
    reader::read(&path).map_err(|error| error.to_string())
}

fn interleaved(file: &AudioFile) -> Vec<f32> {
    file.audio.left.iter().zip(&file.audio.right).flat_map(|(left, right)| [*left, *right]).collect()
}

#[test]
fn every_format_arrives_to_the_sample() {
    let root = Folder::new();
    let expected = expected();
    let mut wrong = Vec::new();
    for (name, bytes) in exact(&root) {
        match read(&root, name, &bytes) {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(file) if file.sample_rate_hz != RATE_HZ => {
                wrong.push(format!("{name}: {} Hz", file.sample_rate_hz))
            }
            Ok(file) if interleaved(&file) != expected => {
                wrong.push(format!(
                    "{name}: other samples, {} frames; {:?}",
                    file.audio.frames(),
                    file.notes
                ));
            }
            Ok(file) if !file.notes.is_empty() && name != "data-small.wav" => {
                wrong.push(format!("{name}: {:?}", file.notes));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn telephone_codings_arrive_as_their_tables_say() {
    // ITU-T G.711: sign, three bits of segment, four bits within it.
    let a_law = |code: u8| {
        let code = code ^ 0x55;
        let (segment, step) = (i32::from(code >> 4 & 7), i32::from(code & 15));
        let level = if segment == 0 { step * 16 + 8 } else { (step * 16 + 264) << (segment - 1) };
        if code & 0x80 == 0 { -level } else { level }
    };
    let mu_law = |code: u8| {
        let code = !code;
        let level = (((i32::from(code & 15) << 3) + 132) << (code >> 4 & 7)) - 132;
        if code & 0x80 == 0 { level } else { -level }
    };
    let codes: Vec<u8> = (0..=255).collect();
    let root = Folder::new();
    let check = |name: &str, fmt: Vec<u8>, table: &dyn Fn(u8) -> i32| {
        let file = read(&root, name, &wav(fmt, &codes)).expect(name);
        let wanted: Vec<f32> = codes.iter().map(|&code| table(code) as f32 / 32_768.0).collect();
        assert_eq!(interleaved(&file), wanted, "{name}");
        assert!(file.notes[0].to_string().contains("coded with loss"), "{name}");
    };
    for more in [&[][..], &[0, 0]] {
        check("a.wav", fmt(6, 8, more), &a_law);
        check("mu.wav", fmt(7, 8, more), &mu_law);
    }
    let eight: Vec<u8> = (0..=255).collect();
    let file = read(&root, "8.wav", &wav(fmt(1, 8, &[]), &eight)).expect("8 bit");
    assert_eq!(interleaved(&file), eight.iter().map(|&x| (f32::from(x) - 128.0) / 128.0).collect::<Vec<_>>());
}

#[test]
fn what_is_odd_is_said_and_what_is_not_decoded_is_refused_in_words() {
    let root = Folder::new();
    let whole = sizes(None, None);
    let cut = read(&root, "cut.wav", &whole[..whole.len() / 2]).expect("what is there");
    assert!(
        cut.notes[0].to_string().contains(&format!("of {FRAMES}; the rest is silent")),
        "{:?}",
        cut.notes
    );
    let second = [whole, chunk(b"data", &[1; 400], None)].concat();
    let second = read(&root, "second.wav", &second).expect("the first");
    assert!(second.audio.frames() == FRAMES && second.notes[0].to_string().contains("second data chunk"));
    for (name, bytes, sentence) in [
        ("gsm.wav", wav(fmt(0x31, 0, &[2, 0, 0x40, 1]), &[0; 650]), "GSM 6.10"),
        ("ac3.wav", wav(fmt(0x2000, 16, &[]), &[0; 650]), "AC-3"),
        ("pcm64.wav", wav(fmt(1, 64, &[]), &[0; 640]), "numbers of 64 bits"),
        ("no-data.wav", riff(&[chunk(b"fmt ", &fmt(1, 16, &[]), None)], None), "no data chunk"),
        ("no-fmt.wav", riff(&[chunk(b"data", &le16(), None)], None), "fmt chunk is missing"),
        ("empty.wav", wav(fmt(1, 16, &[]), &[]), "holds no audio"),
        ("adpcm-damaged.wav", wav(fmt(2, 4, &[]), &[0; 640]), "fmt chunk is damaged"),
        ("text.mp3", b"this is no music".to_vec(), "is not a readable audio file"),
        (
            "opus.opus",
            [&b"OggS\x00\x02"[..], &[0; 20], b"\x01\x13OpusHead\x01\x02", &[0; 9]].concat(),
            "is not a readable",
        ),
    ] {
        let error = read(&root, name, &bytes).err().unwrap_or_else(|| panic!("{name} was read"));
        assert!(error.contains(sentence), "{name}: {error}");
    }
}
