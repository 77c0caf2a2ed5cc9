//! What effects tell one another about a stem.

/// What effects find out about a stem as it came, for those that stand behind them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Findings {
    /// Whether it was recorded in mono: 1 for yes, 0 for a stem that somebody has given a side. `None` when nobody looks for
    /// that, or not for long enough yet.
    pub mono: Option<f32>,
}
