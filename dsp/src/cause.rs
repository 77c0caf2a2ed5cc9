//! What lies behind an error, kept as it came: another library's error, the system's, a caller's. Errors of this workspace are
//! compared and copied, because tests ask for them and the editor shows them; most errors of others can do neither.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// An error of any type as the cause of another one: said in its own words, and found again with [`Cause::is`].
///
/// Equal to another cause that says the same.
///
/// ```
/// use std::io;
/// use tributary_dsp::Cause;
///
/// let cause = Cause::new(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
/// assert_eq!(cause.to_string(), "the disk is full");
/// assert!(cause.is::<io::Error>());
/// assert_eq!(cause, Cause::from("the disk is full"));
/// ```
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Keeps an error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// Whether what was kept is an error of this type.
    pub fn is<E: Error + 'static>(&self) -> bool {
        self.0.is::<E>()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Cause {}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // What was kept stands for itself here, so that whoever walks the causes finds it.
        Some(&*self.0)
    }
}

impl From<String> for Cause {
    fn from(sentence: String) -> Self {
        Self::new(sentence)
    }
}

impl From<&str> for Cause {
    fn from(sentence: &str) -> Self {
        Self::new(sentence)
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}
