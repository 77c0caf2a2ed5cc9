//! Where a bundle becomes a network: its graphs are read, checked and opened, put together in the form that the contract
//! names, and proved on the bundle's parity vectors, which is also the warm-up. Apart from the bundle, which only reads and
//! checks, and from the networks, which do not know where their graphs come from. What had to be done otherwise than asked –
//! a GPU that failed – is said in a remark beside the model.

use std::path::Path;

use crate::bundle::ModelBundle;
use crate::bundle::contract::{FRAME_RATIO, FileReference, Network};
use crate::crafx2::bank::EndWeights;
use crate::crafx2::ends::Ends;
use crate::crafx2::incremental::{IncrementalModel, Parts, Reopen};
use crate::crafx2::mixer::Sizes;
use crate::crafx2::split::SplitModel;
use crate::crafx2::whole::WholeModel;
use crate::error::ModelError;
use crate::model::{MixModel, SumModel};
use crate::onnx::first_run::limited;
use crate::onnx::graph::Graph;
use crate::onnx::initializers::initializers;
use crate::onnx::{OnnxLibrary, Provider};

/// A model that is ready to run.
pub struct LoadedModel {
    /// The model.
    pub model: Box<dyn MixModel>,
    /// What the user should know about how it runs; `None` when it runs as asked.
    pub remark: Option<String>,
}

impl ModelBundle {
    /// Loads the network: checksums, sessions, shapes, one warm-up run. When the provider that is asked for cannot, the CPU
    /// takes over. Takes up to seconds; never call it on the audio or GUI thread. A bundle that needs no library ignores
    /// `library`.
    ///
    /// # Errors
    /// [`ModelError`] with the reason in plain words.
    pub fn load_model(&self, library: &OnnxLibrary) -> Result<LoadedModel, ModelError> {
        if !self.needs_library() {
            return Ok(self.sum());
        }
        match (self.provider(), load_on(self, library, self.provider())) {
            (Provider::Cuda, Err(error)) => {
                let remark =
                    format!("The network runs on the CPU, because CUDA was asked for and failed: {error}");
                Ok(LoadedModel { model: load_on(self, library, Provider::Cpu)?, remark: Some(remark) })
            }
            (_, loaded) => Ok(LoadedModel { model: loaded?, remark: None }),
        }
    }

    /// Finds ONNX Runtime only when the network needs it, then loads the model. `library` names the file to use; when
    /// it is `None` the usual places are searched.
    ///
    /// # Errors
    /// As [`Self::load_model`], and when the library is missing or too old.
    pub fn find_library_and_load(&self, library: Option<&Path>) -> Result<LoadedModel, ModelError> {
        if self.needs_library() { self.load_model(&OnnxLibrary::find(library)?) } else { Ok(self.sum()) }
    }

    fn sum(&self) -> LoadedModel {
        LoadedModel { model: Box::new(SumModel::new(self.geometry())), remark: None }
    }
}

/// Loads the network in the form of its contract.
fn load_on(
    bundle: &ModelBundle,
    library: &OnnxLibrary,
    provider: Provider,
) -> Result<Box<dyn MixModel>, ModelError> {
    let parity = bundle.read_parity()?;
    let open = |graph: &_| open_graph(bundle, library, provider, graph);
    match &bundle.contract().network {
        Network::Split { filters, front, latent, back, output_drive_db, .. } => {
            let (ends, _) = open_ends(bundle, library, provider, *filters, [front, back])?;
            let mut model =
                SplitModel::new(bundle.geometry(), *filters, ends, open(latent)?, *output_drive_db)?
                    .with_mask_share(bundle.contract().network.mask_share());
            limited(|options| model.warm_up(options, parity.as_ref()))?;
            Ok(Box::new(model))
        }
        Network::Incremental { .. } => {
            let share = bundle.contract().network.mask_share();
            let mut model = build_incremental(bundle, library, provider)?.with_mask_share(share);
            limited(|options| model.warm_up(options, parity.as_ref()))?;
            Ok(Box::new(model))
        }
        Network::Whole { graph, input, output } => {
            let mut model = WholeModel::new(bundle.geometry(), open(graph)?, input, output)?;
            limited(|options| model.warm_up(options, parity.as_ref()))?;
            Ok(Box::new(model))
        }
        Network::Sum {} => Ok(Box::new(SumModel::new(bundle.geometry()))),
    }
}

/// Puts together the four parts of an incremental network.
fn build_incremental(
    bundle: &ModelBundle,
    library: &OnnxLibrary,
    provider: Provider,
) -> Result<IncrementalModel, ModelError> {
    let Network::Incremental {
        filters,
        output_drive_db,
        delay_frames,
        memory_rows,
        norms,
        lstm_layers,
        lstm_units,
        statistics,
        front,
        temporal,
        recurrent,
        back,
        ..
    } = &bundle.contract().network
    else {
        return Err(ModelError::Run { reason: "the network is not incremental".into() });
    };
    let sizes = Sizes {
        filters: *filters,
        delay: delay_frames / FRAME_RATIO,
        memory_rows: *memory_rows,
        norms: *norms,
        lstm_rows: 2 * lstm_layers,
        lstm_units: *lstm_units,
    };
    let prior = bundle.read_prior(statistics, sizes.norms, sizes.filters)?;
    let open = |graph: &_| open_graph(bundle, library, provider, graph);
    let (ends, reopen) = open_ends(bundle, library, provider, *filters, [front, back])?;
    let parts = Parts { ends, temporal: open(temporal)?, recurrent: open(recurrent)?, reopen };
    IncrementalModel::new(bundle.geometry(), sizes, parts, prior, *output_drive_db)
}

/// Both ends, as a filter bank where they are one and the CPU runs them, and how to make them once more.
fn open_ends(
    bundle: &ModelBundle,
    library: &OnnxLibrary,
    provider: Provider,
    filters: usize,
    graphs: [&FileReference; 2],
) -> Result<(Ends, Reopen), ModelError> {
    let open = {
        let (bundle, library, graphs) = (bundle.clone(), library.clone(), graphs.map(Clone::clone));
        move || {
            let [front, back] = graphs.each_ref().map(|graph| open_graph(&bundle, &library, provider, graph));
            Ends::of_graphs(front?, back?, filters)
        }
    };
    let mut ends = open()?;
    let mut bank = None;
    if provider == Provider::Cpu
        && let Some(weights) = EndWeights::find(&initializers(&bundle.read_graph(graphs[0])?), filters)
    {
        limited(|options| {
            bank = ends.as_bank(&weights, filters, options)?;
            Ok(())
        })?;
    }
    match bank {
        Some(bank) => Ok((Ends::of_bank(&bank), Box::new(move || Ok(Ends::of_bank(&bank))))),
        None => Ok((ends, Box::new(open))),
    }
}

fn open_graph(
    bundle: &ModelBundle,
    library: &OnnxLibrary,
    provider: Provider,
    graph: &FileReference,
) -> Result<Graph, ModelError> {
    Graph::open(library, provider, &graph.file, &bundle.read_graph(graph)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::crafx2::ends::{BackEnd, FrontEnd};

    #[test]
    fn the_ends_of_the_models_that_ship_are_banks() {
        let Ok(library) = OnnxLibrary::find(None) else {
            eprintln!("SKIPPED: ONNX Runtime was not found (cargo xtask setup)");
            return;
        };
        for model in ["default", "small"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models").join(model);
            let bundle = ModelBundle::open(folder).expect("a bundle that ships");
            let Network::Incremental { filters, front, back, .. } = &bundle.contract().network else {
                panic!("{model} is incremental");
            };
            let (ends, reopen) =
                open_ends(&bundle, &library, Provider::Cpu, *filters, [front, back]).expect("ends");
            for ends in [ends, reopen().expect("the ends once more")] {
                assert!(matches!(ends, Ends { front: FrontEnd::Bank(_), back: BackEnd::Bank(_) }), "{model}");
            }
        }
    }
}
