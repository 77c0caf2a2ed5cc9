//! The drive of a network's final tanh: what a lower one does follows from what comes out without it, none changes no bit,
//! and a contract may ask for it only with bounds and a limiter.

use serde_json::{Value, json};
use tributary_engine::{BundleError, MixModel, ModelBundle, StemWindow};

use crate::common::{TemporaryFolder, difference, noise_stems, part};
use crate::incremental::{LOOKAHEAD_FRAMES, incremental};
use crate::networks::{library, load, run};

const HOP_FRAMES: usize = 1024;

/// A bundle of the tiny incremental network whose contract has this drive, and a limiter if it is to have one.
fn driven(name: &str, output_drive_db: Option<f64>, limiter: bool) -> TemporaryFolder {
    let folder = incremental(name, HOP_FRAMES, LOOKAHEAD_FRAMES);
    let path = folder.0.join("contract.json");
    let mut contract: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    if let Some(drive_db) = output_drive_db {
        contract["network"]["output_drive_db"] = json!(drive_db);
    }
    if limiter {
        contract["limiter"] = json!({ "ceiling_dbtp": -1.0 });
    }
    std::fs::write(path, contract.to_string()).unwrap();
    folder
}

/// Four hops of noise, loud enough to bend the tanh.
fn stream(model: &mut dyn MixModel) -> [Vec<f32>; 2] {
    let stems = noise_stems(LOOKAHEAD_FRAMES + 5 * HOP_FRAMES, 80);
    let mut window = StemWindow::new(model.geometry());
    window.append(part(&stems, 0..stems[0].len()));
    let mut mix = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        for (side, made) in mix.iter_mut().zip(run(model, &window)) {
            side.extend_from_slice(&made[..HOP_FRAMES]);
        }
        window.advance(true);
    }
    mix
}

#[test]
fn a_lower_drive_is_the_tanh_of_less_with_more_behind_it() {
    let Some(library) = library("output_drive::a_lower_drive_is_the_tanh_of_less_with_more_behind_it") else {
        return;
    };
    let plain = stream(&mut *load(&driven("drive-none", None, true), &library).unwrap());
    let gain = 10_f64.powf(-12.0 / 20.0);
    let lower = stream(&mut *load(&driven("drive-lower", Some(-12.0), true), &library).unwrap());
    let peak = plain[0].iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    assert!((0.5..0.95).contains(&peak), "the plain tanh must bend, not break: {peak}");
    for (plain, lower) in plain.iter().zip(&lower) {
        let wanted: Vec<f32> =
            plain.iter().map(|&x| ((gain * f64::from(x).atanh()).tanh() / gain) as f32).collect();
        let (error, change) = (difference(lower, &wanted), difference(lower, plain));
        assert!(error < 2e-5 && change > 0.02, "{error} {change}");
    }
}

#[test]
fn no_drive_changes_no_bit_and_both_threads_have_the_same_one() {
    let Some(library) = library("output_drive::no_drive_changes_no_bit_and_both_threads_have_the_same_one")
    else {
        return;
    };
    let absent = stream(&mut *load(&driven("drive-absent", None, true), &library).unwrap());
    assert_eq!(absent, stream(&mut *load(&driven("drive-zero", Some(0.0), true), &library).unwrap()));
    let folder = driven("drive-shared", Some(-9.0), true);
    let alone = stream(&mut *load(&folder, &library).unwrap());
    let mut shared = load(&folder, &library).unwrap();
    assert!(shared.look_ahead());
    assert_eq!(alone, stream(&mut *shared));
}

#[test]
fn a_drive_has_bounds_and_a_limiter_behind_it() {
    for (drive_db, limiter, expected) in [
        (3.0, true, "output_drive_db is 3"),
        (-41.0, true, "output_drive_db is -41"),
        (-12.0, false, "leaves peaks to a limiter"),
        (0.0, false, "leaves peaks to a limiter"),
    ] {
        match ModelBundle::open(&driven("drive-bounds", Some(drive_db), limiter).0) {
            Err(BundleError::Unsupported { reason }) => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{drive_db}, limiter {limiter}: {other:?}"),
        }
    }
    let folder = driven("drive-kept", Some(-12.0), true);
    let bundle = ModelBundle::open(&folder.0).unwrap();
    assert_eq!(bundle.contract().network.output_drive_db(), Some(-12.0));
}
