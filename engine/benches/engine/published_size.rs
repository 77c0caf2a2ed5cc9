//! The network of the published size, in steps and re-run over a whole window, side by side. Its bundles are too large to
//! ship: `python -m crafx2.cost --bundles FOLDER` writes them, and `TRIBUTARY_PUBLISHED_SIZE` names the folder.

use std::path::PathBuf;

use tributary_engine::{MixModel, ModelBundle};

use super::{HOST_RATE_HZ, Results, SECONDS, network_rtf, run_pipeline, stems};

/// Adds the figures, or says loudly that there are none.
pub fn published_size(results: &mut Results) {
    let Some(folder) = std::env::var_os("TRIBUTARY_PUBLISHED_SIZE").map(PathBuf::from) else {
        eprintln!(
            "SKIPPED: published size: TRIBUTARY_PUBLISHED_SIZE names no bundles; run `cargo xtask bench`"
        );
        return;
    };
    let opened = load(folder.join("incremental")).and_then(|steps| Ok((steps, load(folder.join("whole"))?)));
    let ((bundle, mut model), (_, mut whole)) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("SKIPPED: published size: {error}");
            return;
        }
    };
    let network = network_rtf(&mut *model, SECONDS);
    // A second of it takes many seconds.
    let whole = network_rtf(&mut *whole, 1);
    results.push(("network_rtf_standard", network));
    results.push(("whole_window_rtf", whole));
    results.push(("speedup_over_whole_window", whole / network));
    let loud = stems(SECONDS * HOST_RATE_HZ as usize);
    results.push(("engine_rtf_standard", run_pipeline(&bundle, model, true, &loud)));
}

fn load(folder: PathBuf) -> Result<(ModelBundle, Box<dyn MixModel>), String> {
    let bundle = ModelBundle::open(&folder).map_err(|error| error.to_string())?;
    let model = bundle.find_library_and_load(None).map_err(|error| error.to_string())?.model;
    Ok((bundle, model))
}
