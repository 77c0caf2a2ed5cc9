//! Every file of a bundle, damaged at random from fixed seeds: contract, targets, impulse response, graph. No reader panics,
//! none hangs, and what is accepted can be used.

use serde_json::{Value, json};
use tributary_dsp::{CorrectionSource, FxNormalizer, Recipe, Targets};
use tributary_engine::{Contract, ModelBundle, OnnxLibrary};

use crate::bundle::{bundle_with_room, room_wav, split_contract};
use crate::common::{Noise, repository};
use crate::networks::{load, sha256, whole_bundle};

/// Changes a file in one to four places: other bytes, flipped bits, parts missing, twice or cut off.
fn damage(original: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..1 + noise.below(4) {
        let at = noise.below(bytes.len());
        match noise.below(5) {
            0 => bytes[at] = noise.next() as u8,
            1 => bytes[at] ^= 1 << noise.below(8),
            2 => drop(bytes.drain(at..(at + 1 + noise.below(8)).min(bytes.len()))),
            3 => bytes.truncate(at),
            _ => {
                let again = bytes[at..(at + 64).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
fn damaged_contracts_are_refused_or_usable() {
    let original = split_contract().to_string();
    let mut noise = Noise(11);
    let mut refused = 0;
    for _ in 0..20_000 {
        let Ok(text) = String::from_utf8(damage(original.as_bytes(), &mut noise)) else { continue };
        match Contract::from_json(&text) {
            Ok(contract) => contract.geometry().check().unwrap(),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(refused > 8_000, "{refused}");
    let deep = format!("{{\"format\":1,\"notes\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(Contract::from_json(&deep).is_err());
}

#[test]
fn damaged_targets_are_refused_or_usable() {
    let original = std::fs::read(repository("assets/models/default/targets.json")).unwrap();
    let mut noise = Noise(12);
    let (mut refused, mut used) = (0, 0);
    for round in 0..3_000 {
        let Ok(text) = String::from_utf8(damage(&original, &mut noise)) else { continue };
        match Targets::from_json(&text) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
            // What is accepted: a normalizer that makes numbers of it.
            Ok(targets) if round % 20 == 0 => {
                let recipe = Recipe::default();
                let normalizer =
                    FxNormalizer::new(&recipe, &targets, CorrectionSource::Adaptive, 44_100.0, 256);
                used += usize::from(normalizer.is_ok());
            }
            Ok(_) => {}
        }
    }
    assert!(refused > 500 && used > 0, "{refused} refused, {used} used");
}

#[test]
fn damaged_impulse_responses_are_refused_or_finite() {
    let original = room_wav(2, 44_100, 300, 0.5);
    let mut noise = Noise(13);
    let mut refused = 0;
    let rounds = 400;
    for _ in 0..rounds {
        let folder = bundle_with_room("room-damaged", &damage(&original, &mut noise));
        match ModelBundle::open(&folder.0) {
            Err(_) => refused += 1,
            Ok(bundle) => {
                let room = bundle.recipe().reverb.room.clone().unwrap();
                assert!(room.sides().into_iter().flatten().all(|x| x.is_finite()));
            }
        }
    }
    assert!(refused > 20 && refused < rounds, "{refused}");
}

/// What passes the inspection goes on to ONNX Runtime, which refuses it, or loads and proves it, and never takes the process
/// down.
#[test]
fn damaged_graphs_end_in_a_sentence_or_in_audio() {
    let library = match OnnxLibrary::find(None) {
        Ok(library) => library,
        Err(error) => {
            eprintln!("SKIPPED: damaged_graphs_end_in_a_sentence_or_in_audio: {error}");
            return;
        }
    };
    let folder = whole_bundle("damaged-graph", "whole.onnx", 4096);
    let (graph, contract) = (folder.0.join("whole.onnx"), folder.0.join("contract.json"));
    let original = std::fs::read(&graph).unwrap();
    let mut json: Value = serde_json::from_str(&std::fs::read_to_string(&contract).unwrap()).unwrap();
    let mut noise = Noise(14);
    let (mut refused_by_us, mut refused_later, mut loaded) = (0, 0, 0);
    for round in 0..1_000 {
        // Every other time in the nodes, which come before the weights, and of the same length: more of it passes.
        let mut changed = original.clone();
        if round % 2 == 0 {
            (0..1 + noise.below(2)).for_each(|_| changed[noise.below(1_400)] ^= 1 << noise.below(8));
        } else {
            changed = damage(&original, &mut noise);
        }
        std::fs::write(&graph, changed).unwrap();
        json["network"]["graph"]["sha256"] = json!(sha256(&graph));
        std::fs::write(&contract, json.to_string()).unwrap();
        match load(&folder, &library) {
            Ok(_) => loaded += 1,
            Err(tributary_engine::ModelError::Refused { .. }) => refused_by_us += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused_later += 1;
            }
        }
    }
    eprintln!("{refused_by_us} refused by the inspection, {refused_later} later, {loaded} loaded");
    assert!(refused_by_us > 100 && refused_later > 10 && loaded > 10);
}
