//! Where a network runs: on the CPU, or on an NVIDIA GPU through ONNX Runtime's CUDA provider when the user asks for it and
//! the library can. Whatever goes wrong with the GPU – a library built without it, no driver, no memory, results that are
//! not its author's – the CPU takes over and says why.

use ort::ep::{CUDA, ExecutionProviderDispatch};

use crate::contract::WindowGeometry;
use crate::error::ModelError;
use crate::model::{MixHop, MixModel};
use crate::statistics::Statistics;
use crate::window::StemWindow;

/// Names the provider to use when nothing else does: `cpu` or `cuda`.
pub const PROVIDER_VARIABLE: &str = "TRIBUTARY_PROVIDER";

/// What ONNX Runtime computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provider {
    /// One core.
    #[default]
    Cpu,
    /// The first NVIDIA GPU.
    Cuda,
}

impl Provider {
    /// All providers, the usual one first.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Cuda];

    /// Its name on the command line and in the environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    /// What the environment asks for; the CPU when it asks for nothing that exists.
    pub fn from_environment() -> Self {
        let wanted = std::env::var(PROVIDER_VARIABLE).unwrap_or_default();
        Self::ALL.into_iter().find(|provider| provider.name() == wanted).unwrap_or_default()
    }

    /// What a session is to be built with beyond the CPU, which is always there. Registering fails when the library cannot.
    pub(super) fn dispatches(self) -> Vec<ExecutionProviderDispatch> {
        match self {
            Self::Cpu => vec![],
            Self::Cuda => vec![CUDA::default().build().error_on_failure()],
        }
    }
}

/// Loads with `load` on the provider that is wanted, or else on the CPU.
pub(super) fn load_on(
    wanted: Provider,
    load: impl Fn(Provider) -> Result<Box<dyn MixModel>, ModelError>,
) -> Result<Box<dyn MixModel>, ModelError> {
    match (wanted, load(wanted)) {
        (Provider::Cpu, loaded) | (_, loaded @ Ok(_)) => loaded,
        (Provider::Cuda, Err(error)) => {
            let remark =
                format!("The network runs on the CPU, because CUDA was asked for and failed: {error}");
            Ok(Box::new(OnCpuInstead { inner: load(Provider::Cpu)?, remark }))
        }
    }
}

/// A model that should have run elsewhere.
struct OnCpuInstead {
    inner: Box<dyn MixModel>,
    remark: String,
}

impl MixModel for OnCpuInstead {
    fn geometry(&self) -> WindowGeometry {
        self.inner.geometry()
    }

    fn remark(&self) -> Option<&str> {
        Some(&self.remark)
    }

    fn reset(&mut self) {
        self.inner.reset();
    }

    fn rest(&mut self) {
        self.inner.rest();
    }

    fn statistics(&self) -> Option<Statistics> {
        self.inner.statistics()
    }

    fn freeze_statistics(&mut self, statistics: Option<Statistics>) -> Result<(), ModelError> {
        self.inner.freeze_statistics(statistics)
    }

    fn look_ahead(&mut self) -> bool {
        self.inner.look_ahead()
    }

    fn listen(&mut self, window: &StemWindow) -> Result<(), ModelError> {
        self.inner.listen(window)
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.inner.run(window, mix)
    }
}
