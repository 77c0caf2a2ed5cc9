//! Where a network runs: on the CPU, or on an NVIDIA GPU through ONNX Runtime's CUDA provider when the user asks for it and
//! the library can. Whatever goes wrong with the GPU – a library built without it, no driver, no memory, results that are
//! not its author's – the loader takes the CPU and says why.

use ort::ep::{CUDA, ExecutionProviderDispatch};

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
