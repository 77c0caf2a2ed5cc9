//! One graph of a network: a session of ONNX Runtime over bytes that were inspected first. Sessions use one thread and no
//! spinning: several instances share the cores with a host, and two spinning threads run slower than one.

pub(crate) use ort::session::RunOptions;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};

use tributary_dsp::Cause;

use super::inspection::inspect;
use super::library::OnnxLibrary;
use super::provider::Provider;
use crate::error::ModelError;

/// A graph's session and its file name, for messages.
pub(crate) struct Graph {
    name: String,
    session: Session,
}

/// One tensor of a graph: its name and its fixed dimensions (`None`: any length).
pub(crate) struct Port<'a> {
    name: &'a str,
    shape: [Option<usize>; 3],
}

impl Graph {
    /// Inspects a graph's bytes, then hands them to the runtime. `name` is its file's, for messages.
    ///
    /// # Errors
    /// [`ModelError::Refused`] when it holds what no graph may hold, [`ModelError::Load`] when the runtime refuses it.
    pub(crate) fn open(
        library: &OnnxLibrary,
        provider: Provider,
        name: &str,
        bytes: &[u8],
    ) -> Result<Self, ModelError> {
        inspect(bytes).map_err(|reason| ModelError::Refused { graph: name.into(), reason })?;
        let session = build_session(library, provider, bytes)
            .map_err(|reason| ModelError::Load { graph: name.into(), reason })?;
        Ok(Self { name: name.into(), session })
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

    /// Runs the graph. Every input must have a name of its own that the graph knows.
    ///
    /// # Errors
    /// [`ModelError::Run`] with what the runtime says.
    pub(crate) fn run<'r, 's: 'r>(
        &'s mut self,
        options: &'r RunOptions,
        inputs: &[(&str, Input<'_>)],
    ) -> Result<Outputs<'r>, ModelError> {
        let mut named: Vec<(String, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (name, input) in inputs {
            named.push(((*name).to_owned(), input.value()?));
        }
        Ok(Outputs(self.session.run_with_options(named, options).map_err(run_error)?))
    }
}

/// What goes into a graph.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// Samples of a tensor of this shape.
    Samples([usize; 3], &'a [f32]),
    /// What a run has made.
    Made(&'a Tensor),
}

impl<'a> Input<'a> {
    fn value(&self) -> Result<SessionInputValue<'a>, ModelError> {
        match *self {
            Self::Samples(shape, samples) => {
                Ok(TensorRef::from_array_view((shape, samples)).map_err(run_error)?.into())
            }
            Self::Made(tensor) => Ok((&tensor.0).into()),
        }
    }
}

/// What a run has made, where the runtime put it: the bands of a hop are megabytes.
pub(crate) struct Tensor(DynValue);

impl Tensor {
    /// The samples, if the tensor has this shape: what a graph declares may leave it open. `name` is for the message.
    pub(crate) fn samples(&self, name: &str, wanted: [usize; 3]) -> Result<&[f32], ModelError> {
        samples(name, &self.0, wanted)
    }
}

/// The outputs of one run.
pub(crate) struct Outputs<'r>(SessionOutputs<'r>);

impl Outputs<'_> {
    /// The samples of an output, as [`Tensor::samples`].
    pub(crate) fn samples(&self, name: &str, wanted: [usize; 3]) -> Result<&[f32], ModelError> {
        samples(name, self.0.get(name).ok_or_else(|| missing(name))?, wanted)
    }

    /// An output, to be kept.
    pub(crate) fn take(&mut self, name: &str) -> Result<Tensor, ModelError> {
        self.0.remove(name).map(Tensor).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> ModelError {
    ModelError::Run { reason: format!("the graph made no {name}").into() }
}

fn samples<'a>(name: &str, value: &'a DynValue, wanted: [usize; 3]) -> Result<&'a [f32], ModelError> {
    let (shape, samples) = value.try_extract_tensor::<f32>().map_err(run_error)?;
    if shape.iter().map(|&size| size as usize).eq(wanted) {
        return Ok(samples);
    }
    Err(ModelError::Run { reason: format!("{name} has shape {shape:?} where {wanted:?} is expected").into() })
}

impl<'a> Port<'a> {
    /// A tensor (1, rows, any number of frames).
    pub(crate) fn any_length(name: &'a str, rows: usize) -> Self {
        Self { name, shape: [Some(1), Some(rows), None] }
    }

    /// A tensor (1, rows, columns).
    pub(crate) fn fixed(name: &'a str, rows: usize, columns: usize) -> Self {
        Self { name, shape: [Some(1), Some(rows), Some(columns)] }
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

fn build_session(library: &OnnxLibrary, provider: Provider, bytes: &[u8]) -> Result<Session, Cause> {
    // These errors carry the builder, which cannot be kept.
    let text = |e: ort::Error<ort::session::builder::SessionBuilder>| Cause::from(e.to_string());
    Session::builder(library.environment())
        .map_err(Cause::new)?
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
        .map_err(Cause::new)
}

/// Options of runs that nobody limits.
pub(crate) fn unlimited() -> Result<RunOptions, ModelError> {
    RunOptions::new().map_err(run_error)
}

/// What the runtime says of a run that failed.
pub(super) fn run_error(error: ort::Error) -> ModelError {
    ModelError::Run { reason: Cause::new(error) }
}
