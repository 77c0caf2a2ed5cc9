//! What stands beside the plug-in may be missing, broken or of another shape. Then it passes its main input, aligned, and
//! says why in the state that the editor shows too.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::bundled::{StagedClap, StagedModel, model_folder};
use clap_host::play::play_aligned;
use clap_host::{AudioSetup, Bus, Partition};
use common::{
    MODEL_LIMIT, MODEL_RATE_HZ, NULL_DB, OVERRIDES, Plugin, ran_without_environment, replace_in_file, song,
};
use serde_json::Value;

/// Loads the altered plug-in, and expects aligned dry and a reason that holds all of `words`.
fn expect_dry(plugin: Option<Plugin>, words: &[&str]) {
    let Some(mut plugin) = plugin else { return };
    let audio = song(88_200, MODEL_RATE_HZ, 1);
    for setup in [AudioSetup::offline(MODEL_RATE_HZ, 512), AudioSetup::live(MODEL_RATE_HZ, 512)] {
        let mut processor = plugin.instance.activate(setup).unwrap();
        let word = plugin.instance.wait_for_model(MODEL_LIMIT);
        assert_eq!(word.as_deref(), Some("failed"), "{words:?}");
        let latency = plugin.instance.latency_frames();
        let output = play_aligned(&mut processor, &audio, &Partition::Fixed(512), latency).unwrap();
        let report = plugin.instance.save_state().unwrap().report().unwrap();
        plugin.instance.deactivate(processor);
        let residual_db = output.residual_db(audio.bus(Bus::Main));
        assert!(residual_db <= NULL_DB, "{words:?}: the dry signal is off by {residual_db:.1} dB");
        let reason = report.reason();
        for word in words {
            assert!(reason.to_lowercase().contains(&word.to_lowercase()), "{reason:?} does not say {word:?}");
        }
        assert!(reason.len() > 20 && !reason.contains("panicked"), "not a plain sentence: {reason:?}");
    }
}

fn altered_default(alter: impl FnOnce(&StagedClap)) -> Option<Plugin> {
    Plugin::altered(&StagedModel::CopyOf(model_folder("default")), true, alter)
}

/// Changes one entry of the staged contract.
fn edit_contract(staged: &StagedClap, edit: impl FnOnce(&mut Value)) {
    let path = staged.model_folder().join("contract.json");
    let mut contract: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut contract);
    std::fs::write(&path, contract.to_string()).unwrap();
}

/// The first graph file of the staged model.
fn a_graph(staged: &StagedClap) -> std::path::PathBuf {
    let files = std::fs::read_dir(staged.model_folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut graphs: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "onnx")).collect();
    graphs.sort();
    graphs.swap_remove(0)
}

#[test]
fn no_model_at_all() {
    if ran_without_environment("no_model_at_all", &OVERRIDES) {
        return;
    }
    expect_dry(Plugin::with_model(&StagedModel::Absent), &["model"]);
}

#[test]
fn no_contract_in_the_model() {
    if ran_without_environment("no_contract_in_the_model", &OVERRIDES) {
        return;
    }
    let alter =
        |staged: &StagedClap| std::fs::remove_file(staged.model_folder().join("contract.json")).unwrap();
    expect_dry(altered_default(alter), &["contract.json"]);
}

#[test]
fn a_contract_that_is_not_json() {
    if ran_without_environment("a_contract_that_is_not_json", &OVERRIDES) {
        return;
    }
    let alter =
        |staged: &StagedClap| std::fs::write(staged.model_folder().join("contract.json"), "{ oops").unwrap();
    expect_dry(altered_default(alter), &["contract.json"]);
}

#[test]
fn a_contract_of_a_future_format() {
    if ran_without_environment("a_contract_of_a_future_format", &OVERRIDES) {
        return;
    }
    expect_dry(
        altered_default(|staged| edit_contract(staged, |contract| contract["format"] = 99.into())),
        &["format"],
    );
}

#[test]
fn a_contract_with_another_order_of_stems() {
    if ran_without_environment("a_contract_with_another_order_of_stems", &OVERRIDES) {
        return;
    }
    let alter = |staged: &StagedClap| {
        edit_contract(staged, |contract| {
            contract["stems"] = serde_json::json!(["drums", "bass", "vocals", "other"])
        });
    };
    expect_dry(altered_default(alter), &["stem"]);
}

#[test]
fn a_contract_that_names_a_file_outside() {
    if ran_without_environment("a_contract_that_names_a_file_outside", &OVERRIDES) {
        return;
    }
    let alter = |staged: &StagedClap| {
        edit_contract(staged, |contract| contract["targets"]["file"] = "../../../../etc/passwd".into());
    };
    expect_dry(altered_default(alter), &["passwd"]);
}

#[test]
fn a_graph_with_one_flipped_bit() {
    if ran_without_environment("a_graph_with_one_flipped_bit", &OVERRIDES) {
        return;
    }
    let alter = |staged: &StagedClap| {
        let graph = a_graph(staged);
        let mut bytes = std::fs::read(&graph).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(graph, bytes).unwrap();
    };
    expect_dry(altered_default(alter), &["onnx"]);
}

#[test]
fn a_graph_that_is_missing() {
    if ran_without_environment("a_graph_that_is_missing", &OVERRIDES) {
        return;
    }
    expect_dry(altered_default(|staged| std::fs::remove_file(a_graph(staged)).unwrap()), &["onnx"]);
}

#[test]
fn targets_that_are_missing() {
    if ran_without_environment("targets_that_are_missing", &OVERRIDES) {
        return;
    }
    let alter =
        |staged: &StagedClap| std::fs::remove_file(staged.model_folder().join("targets.json")).unwrap();
    expect_dry(altered_default(alter), &["targets"]);
}

#[test]
fn no_runtime() {
    // The user's cache is the last place that is searched.
    let places = [OVERRIDES[0], OVERRIDES[1], "XDG_CACHE_HOME", "HOME"];
    if ran_without_environment("no_runtime", &places) {
        return;
    }
    let plugin = Plugin::altered(&StagedModel::CopyOf(model_folder("default")), false, |_| {});
    expect_dry(plugin, &["ONNX Runtime"]);
}

#[test]
fn a_runtime_that_is_no_library() {
    if ran_without_environment("a_runtime_that_is_no_library", &OVERRIDES) {
        return;
    }
    let plugin = Plugin::altered(&StagedModel::CopyOf(model_folder("default")), false, |staged| {
        std::fs::write(staged.parts_folder().join("libonnxruntime.so.1.28.0"), "not a library").unwrap();
    });
    expect_dry(plugin, &["ONNX Runtime"]);
}

#[test]
fn the_sum_model_needs_no_runtime() {
    if ran_without_environment("the_sum_model_needs_no_runtime", &OVERRIDES) {
        return;
    }
    let Some(mut plugin) = Plugin::altered(&StagedModel::CopyOf(model_folder("sum")), false, |_| {}) else {
        return;
    };
    let audio = song(44_100, MODEL_RATE_HZ, 2);
    let mut processor = plugin.bounce(512);
    let latency = plugin.instance.latency_frames();
    let output = play_aligned(&mut processor, &audio, &Partition::Fixed(512), latency).unwrap();
    plugin.instance.deactivate(processor);
    assert!(output.residual_db(&audio.sum_of_stems()) <= NULL_DB);
}

#[test]
fn a_mended_model_works_at_the_next_activation() {
    if ran_without_environment("a_mended_model_works_at_the_next_activation", &OVERRIDES) {
        return;
    }
    let mut folder = None;
    let plugin = Plugin::altered(&StagedModel::CopyOf(model_folder("sum")), true, |staged| {
        folder = Some(staged.model_folder().join("contract.json"));
        replace_in_file(&staged.model_folder().join("contract.json"), "\"format\"", "\"formed\"");
    });
    let Some(mut plugin) = plugin else { return };
    let processor = plugin.instance.activate(AudioSetup::offline(MODEL_RATE_HZ, 512)).unwrap();
    assert_eq!(plugin.instance.wait_for_model(MODEL_LIMIT).as_deref(), Some("failed"));
    plugin.instance.deactivate(processor);
    replace_in_file(&folder.unwrap(), "\"formed\"", "\"format\"");
    let processor = plugin.bounce(512);
    plugin.instance.deactivate(processor);
}
