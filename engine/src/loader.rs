//! Where a bundle becomes a network: its graphs are read, checked and opened, put together in the form that the contract
//! names, and proved on the bundle's parity vectors, which is also the warm-up. Apart from the bundle, which only reads and
//! checks, and from the networks, which do not know where their graphs come from. What had to be done otherwise than asked –
//! a GPU that failed – is said in a remark beside the model.

use std::path::Path;

use crate::bundle::ModelBundle;
use crate::bundle::contract::{FRAME_RATIO, FileReference, Network};
use crate::crafx2::incremental::{Graphs, IncrementalModel, Reopen};
use crate::crafx2::mixer::Sizes;
use crate::crafx2::split::SplitModel;
use crate::crafx2::whole::WholeModel;
use crate::error::ModelError;
use crate::model::{MixModel, SumModel};
use crate::onnx::first_run::limited;
use crate::onnx::graph::Graph;
use crate::onnx::{OnnxLibrary, Provider};
use crate::pipeline::window::HOPS_SHOWN;

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
            let [front, latent, back] = [front, latent, back].map(open);
            let mut model =
                SplitModel::new(bundle.geometry(), *filters, front?, latent?, back?, *output_drive_db)?
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

/// Opens the four graphs of an incremental network, and keeps how to open those of both ends once more.
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
    let graphs = Graphs {
        front: open(front)?,
        temporal: open(temporal)?,
        recurrent: open(recurrent)?,
        back: open(back)?,
    };
    let reopen: Reopen = {
        let (bundle, library, front, back) = (bundle.clone(), library.clone(), front.clone(), back.clone());
        Box::new(move || {
            let open = |graph: &_| open_graph(&bundle, &library, provider, graph);
            let fronts = (0..HOPS_SHOWN).map(|_| open(&front)).collect::<Result<_, _>>()?;
            Ok((fronts, open(&back)?))
        })
    };
    IncrementalModel::new(bundle.geometry(), sizes, graphs, reopen, prior, *output_drive_db)
}

fn open_graph(
    bundle: &ModelBundle,
    library: &OnnxLibrary,
    provider: Provider,
    graph: &FileReference,
) -> Result<Graph, ModelError> {
    Graph::open(library, provider, &graph.file, &bundle.read_graph(graph)?)
}
