//! Bundles as hostile input: every kind of damage gets its own plain sentence and nothing else happens.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tributary_dsp::reverb::{ImpulseResponse, RoomName};
use tributary_engine::{BundleError, Contract, ModelBundle, impulse_response};

use crate::common::{TemporaryFolder, repository};

fn sum_contract() -> Value {
    let path = repository("assets/models/sum/contract.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn error_of(contract: &Value) -> String {
    Contract::from_json(&contract.to_string()).expect_err("must be refused").to_string()
}

#[test]
fn the_sum_bundle_opens() {
    let bundle = ModelBundle::open(repository("assets/models/sum")).unwrap();
    assert_eq!(bundle.contract().name, "Sum of stems");
    assert_eq!(bundle.sha256().len(), 64);
    assert!(!bundle.needs_library());
    bundle.find_library_and_load(None).unwrap();
}

#[test]
fn every_shipped_bundle_opens() {
    let mut opened = 0;
    for entry in std::fs::read_dir(repository("assets/models")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("contract.json").is_file() {
            ModelBundle::open(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
            opened += 1;
        }
    }
    assert!(opened > 0);
}

#[test]
fn wrong_values_are_named() {
    let cases: [(&str, Value, &str); 17] = [
        ("/format", json!(2), "format is 2"),
        ("/name", json!(""), "name must be"),
        ("/name", json!("a\u{7}b"), "name must be"),
        ("/stems", json!(["bass", "vocals", "drums", "other"]), "stems is"),
        ("/channels_per_stem", json!(1), "channels_per_stem is 1"),
        ("/sample_rate_hz", json!(7), "sample_rate_hz is 7"),
        ("/sample_rate_hz", json!(-44_100), "-44100"),
        ("/window/hop_frames", json!(0), "hop_frames is 0"),
        ("/window/hop_frames", json!(100), "multiple of 64"),
        ("/window/hop_frames", json!(640), "crossfade_frames is 1024"),
        ("/window/lookahead_frames", json!(64), "lookahead_frames is 64"),
        ("/window/context_frames", json!(u64::MAX), "18446744073709551615"),
        ("/window/context_frames", json!(1_u64 << 40), "at most"),
        ("/targets/file", json!("../../../etc/passwd"), "not a plain file name"),
        ("/targets/file", json!("/etc/passwd"), "not a plain file name"),
        ("/targets/sha256", json!("zz"), "sha256"),
        ("/network/kind", json!("magic"), "magic"),
    ];
    for (path, value, expected) in cases {
        let mut contract = sum_contract();
        *contract.pointer_mut(path).unwrap() = value;
        let message = error_of(&contract);
        assert!(message.contains(expected), "{path}: {message}");
        assert!(message.ends_with('.') && !message.contains('\n'), "one sentence: {message}");
    }
}

#[test]
fn a_limiter_is_optional_and_its_ceiling_sensible() {
    let mut contract = sum_contract();
    for (ceiling_dbtp, usable) in [(-1.0, true), (0.0, true), (0.1, false), (-25.0, false)] {
        contract["limiter"] = json!({ "ceiling_dbtp": ceiling_dbtp });
        match Contract::from_json(&contract.to_string()) {
            Ok(read) => assert!(usable && read.limiter.unwrap().ceiling_dbtp == ceiling_dbtp),
            Err(error) => assert!(!usable && error.to_string().contains("limiter.ceiling_dbtp"), "{error}"),
        }
    }
}

#[test]
fn unknown_and_missing_fields_are_refused() {
    for path in ["", "/window", "/network", "/targets", "/recipe"] {
        let mut contract = sum_contract();
        contract.pointer_mut(path).unwrap()["surprise"] = json!(1);
        assert!(error_of(&contract).contains("surprise"), "{path}");
    }
    let fields: Vec<String> = sum_contract().as_object().unwrap().keys().cloned().collect();
    for field in fields {
        let mut contract = sum_contract();
        contract.as_object_mut().unwrap().remove(&field);
        assert!(error_of(&contract).contains(&field), "{field}");
    }
    let mut contract = sum_contract();
    contract["notes"] = json!({ "anything": [1, 2, { "goes": true }] });
    Contract::from_json(&contract.to_string()).unwrap();
}

pub fn split_contract() -> Value {
    let graph = |name: &str| json!({ "file": name, "sha256": "0".repeat(64) });
    let mut contract = sum_contract();
    contract["network"] = json!({
        "kind": "split", "frame_ratio": 64, "filters": 128, "margin_frames": 128,
        "front": graph("front.onnx"), "latent": graph("latent.onnx"), "back": graph("back.onnx"),
    });
    contract
}

#[test]
fn split_networks_have_rules_of_their_own() {
    Contract::from_json(&split_contract().to_string()).unwrap();
    for (path, value, expected) in [
        ("/network/frame_ratio", json!(32), "frame_ratio is 32"),
        ("/network/filters", json!(1_000_000), "filters is 1000000"),
        ("/network/margin_frames", json!(64), "margin_frames is 64"),
        ("/network/front/file", json!("a/b.onnx"), "not a plain file name"),
        ("/network/back/sha256", json!("ABCDEF".repeat(11)), "sha256"),
        ("/window/lookahead_frames", json!(1152), "at least 1216"),
        ("/window/context_frames", json!(0), "context_frames is 0"),
    ] {
        let mut contract = split_contract();
        *contract.pointer_mut(path).unwrap() = value;
        let message = error_of(&contract);
        assert!(message.contains(expected), "{path}: {message}");
    }
}

#[test]
fn damaged_folders_are_explained() {
    let sum = repository("assets/models/sum");
    let missing = ModelBundle::open(sum.join("nowhere"));
    assert!(matches!(missing, Err(BundleError::Missing { .. })));

    let folder = TemporaryFolder::copy_of("damaged", &sum);
    let targets = folder.0.join("targets.json");
    let original = std::fs::read(&targets).unwrap();
    let mut changed = original.clone();
    changed[100] ^= 1;
    std::fs::write(&targets, changed).unwrap();
    let message = ModelBundle::open(&folder.0).err().unwrap().to_string();
    assert!(message.contains("checksum"), "{message}");

    std::fs::write(&targets, vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(matches!(ModelBundle::open(&folder.0), Err(BundleError::TooLarge { .. })));
    std::fs::remove_file(&targets).unwrap();
    assert!(matches!(ModelBundle::open(&folder.0), Err(BundleError::Missing { .. })));
    std::fs::create_dir(&targets).unwrap();
    assert!(matches!(ModelBundle::open(&folder.0), Err(BundleError::Unreadable { .. })));

    let contract = folder.0.join("contract.json");
    std::fs::write(&contract, vec![b' '; (64 << 10) + 1]).unwrap();
    assert!(matches!(ModelBundle::open(&folder.0), Err(BundleError::TooLarge { .. })));
    std::fs::write(&contract, [0xFF, 0xFE]).unwrap();
    assert!(matches!(ModelBundle::open(&folder.0), Err(BundleError::Malformed { .. })));
}

/// A copy of the sum bundle whose recipe names an impulse response with these bytes.
pub fn bundle_with_room(name: &str, bytes: &[u8]) -> TemporaryFolder {
    let folder = TemporaryFolder::copy_of(name, &repository("assets/models/sum"));
    std::fs::write(folder.0.join("room.wav"), bytes).unwrap();
    let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut contract = sum_contract();
    contract["recipe"]["reverb"] = json!({
        "enabled": true, "amount": 0.5, "levels_db": { "drums": -12.0 },
        "impulse_response": { "file": "room.wav", "sha256": sha256 },
    });
    std::fs::write(folder.0.join("contract.json"), contract.to_string()).unwrap();
    folder
}

/// A WAV file of decaying taps, in 32-bit floats.
pub fn room_wav(channels: u16, sample_rate_hz: u32, frames: usize, level: f32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: sample_rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for frame in 0..frames {
        for _ in 0..channels {
            let decay = (-(frame as f32) / (0.1 * sample_rate_hz as f32)).exp();
            writer.write_sample(level * decay).unwrap();
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn impulse_responses_of_any_rate_reach_the_normalizer() {
    for (channels, rate_hz) in [(1, 44_100), (2, 48_000), (1, 96_000), (2, 8_000)] {
        let bytes = room_wav(channels, rate_hz, rate_hz as usize / 2, 0.1);
        let folder = bundle_with_room(&format!("room-{channels}-{rate_hz}"), &bytes);
        let bundle = ModelBundle::open(&folder.0).unwrap();
        let reverb = &bundle.recipe().reverb;
        let room = reverb.room.as_ref().expect("was read");
        assert!(room.frames() >= 21_900 && room.frames() <= 22_050, "half a second: {}", room.frames());
        // A steady tone far below either rate is answered by the sum of all taps: that of the file stays.
        let wanted = 0.1 * 0.1 * rate_hz as f32 * (1.0 - (-5.0_f32).exp());
        for side in room.sides() {
            let sum: f32 = side.iter().sum();
            assert!((sum / wanted - 1.0).abs() < 0.02, "{rate_hz}: {sum} {wanted}");
        }
        let gains = tributary_dsp::Stem::ALL.map(|stem| reverb.gain(stem).is_some());
        assert_eq!(gains, [true, false, true, true]);
        let (source, targets) = (tributary_dsp::CorrectionSource::Adaptive, bundle.targets());
        tributary_dsp::FxNormalizer::new(bundle.recipe(), targets, source, 44_100.0, 512).unwrap();
    }
}

#[test]
fn the_files_of_our_rooms_hold_what_the_normalizer_generates() {
    for name in RoomName::ALL {
        let path = repository("assets/ir").join(name.name()).with_extension("wav");
        let (read, file) = impulse_response::read(&path, 44_100).unwrap();
        assert_eq!(file.file, format!("{}.wav", name.name()));
        // What precedes the largest sample is cut off a file.
        let generated = ImpulseResponse::generate(&name.room(), 44_100.0);
        let generated = generated.sides().map(|side| &side[generated.frames() - read.frames()..]);
        let differences = read.sides().into_iter().flatten().zip(generated.into_iter().flatten());
        let worst = differences.map(|(read, generated)| (read - generated).abs()).fold(0.0, f32::max);
        assert!(worst <= 2.0_f32.powi(-24), "{}: {worst}", path.display());
    }
}

#[test]
fn impulse_responses_are_hostile_input() {
    let good = room_wav(2, 44_100, 20_000, 0.5);
    let mut cut = good.clone();
    cut.truncate(30);
    for (name, bytes, expected) in [
        (
            "room-text",
            b"not audio at all, just text that is long enough to be probed".to_vec(),
            "WAV or FLAC",
        ),
        ("room-cut", cut, "room.wav"),
        ("room-empty", room_wav(2, 44_100, 0, 0.5), "samples"),
        ("room-wide", room_wav(3, 44_100, 1_000, 0.5), "3 channels"),
        ("room-long", room_wav(1, 8_000, 80_001, 0.5), "10 s"),
        ("room-slow", room_wav(1, 100, 50, 0.5), "100 Hz"),
        ("room-loud", room_wav(2, 44_100, 100, 1e30), "beyond"),
        ("room-nan", room_wav(2, 44_100, 100, f32::NAN), "numbers"),
    ] {
        let folder = bundle_with_room(name, &bytes);
        let message = ModelBundle::open(&folder.0).expect_err(name).to_string();
        assert!(message.contains(expected), "{name}: {message}");
        assert!(message.ends_with('.') && !message.contains('\n'), "one sentence: {message}");
    }
    let folder = bundle_with_room("room-changed", &good);
    let mut changed = good;
    changed[1_000] ^= 1;
    std::fs::write(folder.0.join("room.wav"), changed).unwrap();
    assert!(matches!(ModelBundle::open(&folder.0), Err(BundleError::Checksum { .. })));
    let mut contract = sum_contract();
    contract["recipe"]["reverb"]["impulse_response"] =
        json!({ "file": "../room.wav", "sha256": "0".repeat(64) });
    assert!(error_of(&contract).contains("not a plain file name"));
}

/// Opening a pipe waits until somebody writes to it: a bundle with one must not hang the thread that activates a plug-in.
#[cfg(unix)]
#[test]
fn a_pipe_in_a_files_place_is_refused_at_once() {
    let sum = repository("assets/models/sum");
    let names = ["contract.json", "targets.json"];
    for pipe in names {
        let folder = TemporaryFolder::new("pipe");
        for name in names.into_iter().filter(|name| *name != pipe) {
            std::fs::copy(sum.join(name), folder.0.join(name)).unwrap();
        }
        let made = std::process::Command::new("mkfifo").arg(folder.0.join(pipe)).status().unwrap();
        assert!(made.success());
        let (opened, outcome) = std::sync::mpsc::channel();
        let path = folder.0.clone();
        std::thread::spawn(move || opened.send(ModelBundle::open(path).map(drop)));
        let outcome = outcome.recv_timeout(std::time::Duration::from_secs(10)).expect("an answer");
        let sentence = outcome.expect_err("a pipe is no file").to_string();
        assert!(sentence.contains(pipe) && sentence.contains("not a file"), "{sentence}");
    }
}
