//! Bundles as hostile input: every kind of damage gets its own plain sentence and nothing else happens.

use serde_json::{Value, json};
use tributary_engine::{BundleError, Contract, ModelBundle};

use crate::common::{Noise, TemporaryFolder, repository};

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

fn split_contract() -> Value {
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

#[test]
fn random_damage_never_panics_and_never_passes_silently() {
    let original = split_contract().to_string();
    let mut noise = Noise(11);
    let mut refused = 0;
    for _ in 0..5_000 {
        let mut bytes = original.clone().into_bytes();
        for _ in 0..1 + noise.below(4) {
            let at = noise.below(bytes.len());
            match noise.below(3) {
                0 => bytes[at] = noise.next() as u8,
                1 => bytes.truncate(at),
                _ => {
                    let again = bytes[at..].to_vec();
                    bytes.extend(again);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Ok(text) = String::from_utf8(bytes) {
            match Contract::from_json(&text) {
                Ok(contract) => contract.geometry().check().unwrap(),
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 2_000, "{refused}");
    let deep = format!("{{\"format\":1,\"notes\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(Contract::from_json(&deep).is_err());
}
