//! Networks through ONNX Runtime: the only place in the workspace that names `ort`. A graph is hostile input like the
//! rest of a bundle: it is checked against its checksum, inspected (`onnx/inspect.rs`) in its bytes, given to the runtime from
//! memory, checked against the contract's shapes, and its first run is limited in time. Sessions use one thread and no
//! spinning: several instances share the cores with a host, and two spinning threads run slower than one.

mod back_end;
mod collector;
mod ends;
mod incremental;
mod inspect;
pub mod library;
mod mixer;
pub mod provider;
mod split;
mod whole;
mod wire;

pub use library::OnnxLibrary;
pub use provider::Provider;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ort::session::builder::GraphOptimizationLevel;
use ort::session::{RunOptions, Session};
use ort::value::{Outlet, TensorElementType, ValueType};

use crate::bundle::ModelBundle;
use crate::contract::{FRAME_RATIO, FileReference, Network};
use crate::error::ModelError;
use crate::model::MixModel;
use crate::window::HOPS_SHOWN;

/// Longest time a model's proof run may take. It covers a fraction of a second of audio and must run faster than that.
const FIRST_RUN_LIMIT: Duration = Duration::from_secs(15);

/// Loads a bundle's network: checksums, sessions, shapes, and the contract's parity vectors as warm-up and proof.
pub(crate) fn load(bundle: &ModelBundle, library: &OnnxLibrary) -> Result<Box<dyn MixModel>, ModelError> {
    provider::load_on(bundle.provider(), |provider| load_whole(&bundle.clone().on(provider), library))
}

fn load_whole(bundle: &ModelBundle, library: &OnnxLibrary) -> Result<Box<dyn MixModel>, ModelError> {
    let parity = bundle.read_parity()?;
    let drive_db = bundle.contract().network.output_drive_db();
    match &bundle.contract().network {
        Network::Split { filters, front, latent, back, .. } => {
            let graphs = [front, latent, back].map(|graph| Graph::open(bundle, library, graph));
            let [front, latent, back] = graphs;
            let mut model =
                split::SplitModel::new(bundle.geometry(), *filters, front?, latent?, back?, drive_db)?;
            limited(|options| model.warm_up(options, parity.as_ref()))?;
            Ok(Box::new(model))
        }
        Network::Incremental {
            filters,
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
        } => {
            let sizes = mixer::Sizes {
                filters: *filters,
                delay: delay_frames / FRAME_RATIO,
                memory_rows: *memory_rows,
                norms: *norms,
                lstm_rows: 2 * lstm_layers,
                lstm_units: *lstm_units,
            };
            let prior = bundle.read_prior(statistics, sizes.norms, sizes.filters)?;
            let open = |graph| Graph::open(bundle, library, graph);
            let graphs = incremental::Graphs {
                front: open(front)?,
                temporal: open(temporal)?,
                recurrent: open(recurrent)?,
                back: open(back)?,
            };
            let reopen = {
                let (bundle, library, ends) =
                    (bundle.clone(), library.clone(), [front.clone(), back.clone()]);
                let open = move |file: &_| Graph::open(&bundle, &library, file);
                Box::new(move || {
                    let fronts = (0..HOPS_SHOWN).map(|_| open(&ends[0])).collect::<Result<_, _>>()?;
                    Ok((fronts, open(&ends[1])?))
                })
            };
            let mut model = incremental::IncrementalModel::new(
                bundle.geometry(),
                sizes,
                graphs,
                reopen,
                prior,
                drive_db,
            )?;
            limited(|options| model.warm_up(options, parity.as_ref()))?;
            Ok(Box::new(model))
        }
        Network::Whole { graph, input, output } => {
            let graph = Graph::open(bundle, library, graph)?;
            let mut model = whole::WholeModel::new(bundle.geometry(), graph, input, output)?;
            limited(|options| model.warm_up(options, parity.as_ref()))?;
            Ok(Box::new(model))
        }
        Network::Sum {} => Ok(Box::new(crate::model::SumModel::new(bundle.geometry()))),
    }
}

/// A graph's session and its file name, for messages.
pub(crate) struct Graph {
    name: String,
    session: Session,
}

/// One tensor of a graph: its name and its fixed dimensions (`None`: any length).
pub(crate) struct Port<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: [Option<usize>; 3],
}

impl Graph {
    fn open(
        bundle: &ModelBundle,
        library: &OnnxLibrary,
        reference: &FileReference,
    ) -> Result<Self, ModelError> {
        let bytes = bundle.read_graph(reference)?;
        let graph = || reference.file.clone();
        inspect::inspect(&bytes).map_err(|reason| ModelError::Refused { graph: graph(), reason })?;
        let session = build_session(library, bundle.provider(), &bytes).map_err(|reason| {
            ModelError::Load { graph: graph(), reason: reason.trim_end_matches('.').into() }
        })?;
        Ok(Self { name: reference.file.clone(), session })
    }

    /// Checks that the graph has exactly these inputs and outputs.
    pub(crate) fn check(&self, inputs: &[Port<'_>], outputs: &[Port<'_>]) -> Result<(), ModelError> {
        for (side, ports, found) in
            [("inputs", inputs, self.session.inputs()), ("outputs", outputs, self.session.outputs())]
        {
            let matches = ports.len() == found.len()
                && ports.iter().all(|port| found.iter().any(|outlet| port.matches(outlet)));
            if !matches {
                let expected: Vec<String> = ports.iter().map(Port::describe).collect();
                let actual: Vec<String> =
                    found.iter().map(|o| format!("{} {}", o.name(), o.dtype())).collect();
                return Err(ModelError::Shape {
                    graph: self.name.clone(),
                    expected: format!("{side} {}", expected.join(", ")),
                    actual: actual.join(", "),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Port<'_> {
    fn matches(&self, outlet: &Outlet) -> bool {
        let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = outlet.dtype() else {
            return false;
        };
        outlet.name() == self.name
            && shape.len() == 3
            && shape.iter().zip(self.shape).all(|(&found, wanted)| match wanted {
                // −1: the graph takes any length here.
                Some(wanted) => found == -1 || found == wanted as i64,
                None => found == -1,
            })
    }

    fn describe(&self) -> String {
        let dimension = |d: Option<usize>| d.map_or("any".into(), |d: usize| d.to_string());
        let dimensions: Vec<String> = self.shape.into_iter().map(dimension).collect();
        format!("{} float ({})", self.name, dimensions.join(", "))
    }
}

fn build_session(library: &OnnxLibrary, provider: Provider, bytes: &[u8]) -> Result<Session, String> {
    let text = |e: ort::Error<ort::session::builder::SessionBuilder>| e.to_string();
    Session::builder(library.environment())
        .map_err(|e| e.to_string())?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(text)?
        .with_intra_threads(1)
        .map_err(text)?
        .with_inter_threads(1)
        .map_err(text)?
        .with_intra_op_spinning(false)
        .map_err(text)?
        .with_inter_op_spinning(false)
        .map_err(text)?
        .with_flush_to_zero()
        .map_err(text)?
        .with_execution_providers(provider.dispatches())
        .map_err(text)?
        .commit_from_memory(bytes)
        .map_err(|e| e.to_string())
}

/// Runs `first` with options that a watchdog terminates after [`FIRST_RUN_LIMIT`].
fn limited(first: impl FnOnce(&RunOptions) -> Result<(), ModelError>) -> Result<(), ModelError> {
    let options = Arc::new(RunOptions::new().map_err(run_error)?);
    let watched = Arc::clone(&options);
    let (done, is_done) = channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let late = is_done.recv_timeout(FIRST_RUN_LIMIT) == Err(RecvTimeoutError::Timeout);
        if late {
            let _ = watched.terminate();
        }
        late
    });
    let started = Instant::now();
    let outcome = first(&options);
    drop(done);
    if watchdog.join().unwrap_or(false) {
        return Err(ModelError::TooSlow {
            seconds: started.elapsed().as_secs_f64(),
            limit_seconds: FIRST_RUN_LIMIT.as_secs_f64(),
        });
    }
    outcome
}

pub(crate) fn run_error(error: ort::Error) -> ModelError {
    ModelError::Run { reason: error.to_string() }
}
