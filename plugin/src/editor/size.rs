//! The window's size, saved with the project as a setting of its own: a user who has found a good one keeps it.

use crate::saved::Setting;
use serde::{Deserialize, Serialize};

/// Size of the window when first opened, in points.
pub const SIZE: [u32; 2] = [960, 684];
/// Smallest size at which everything is legible, in points.
pub const MIN_SIZE: [u32; 2] = [820, 604];

/// Largest size that is kept, in points to either side: more than any screen has, and a bound for what a project may ask.
const SIZE_MAX: u32 = 16_384;

/// A size between [`MIN_SIZE`] and any screen's, in points. Saved as text, `960x684`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EditorSize([u32; 2]);

impl EditorSize {
    /// Width and height.
    pub fn points(self) -> [u32; 2] {
        self.0
    }

    /// The allowed size that is nearest.
    pub fn nearest(width: f64, height: f64) -> Self {
        let near = |points: f64, least: u32| (points.round() as u32).clamp(least, SIZE_MAX);
        Self([near(width, MIN_SIZE[0]), near(height, MIN_SIZE[1])])
    }
}

impl Default for EditorSize {
    fn default() -> Self {
        Self(SIZE)
    }
}

impl TryFrom<String> for EditorSize {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let sides = text
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        let size =
            sides.map(|(width, height): (u32, u32)| Self::nearest(f64::from(width), f64::from(height)));
        size.filter(|size| String::from(*size) == text).ok_or("not the size of a window")
    }
}

impl From<EditorSize> for String {
    fn from(EditorSize([width, height]): EditorSize) -> Self {
        format!("{width}x{height}")
    }
}

impl Setting for EditorSize {
    const FIELD: &'static str = "window";
    const KEY: &'static str = "size";
    const UNKNOWN: &'static str =
        "The window size of this project cannot be read by this version of Tributary; the usual one is used.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_that_a_window_can_have() {
        assert_eq!(EditorSize::default().points(), SIZE);
        assert_eq!(EditorSize::nearest(1200.4, 800.0).points(), [1200, 800]);
        assert_eq!(EditorSize::nearest(0.0, f64::NAN).points(), MIN_SIZE);
        assert_eq!(EditorSize::nearest(-5.0, f64::INFINITY).points(), [MIN_SIZE[0], SIZE_MAX]);
        for refused in
            ["819x700", "900x1", "99999x700", "900", "900.5x700", "-1x700", "+900x700", "0900x700", "", "x"]
        {
            assert!(EditorSize::try_from(refused.to_owned()).is_err(), "{refused}");
        }
        let size = EditorSize::nearest(1000.0, 700.0);
        assert_eq!(serde_json::to_string(&size).expect("JSON"), "\"1000x700\"");
        assert_eq!(serde_json::from_str::<EditorSize>("\"1000x700\"").expect("a size"), size);
    }
}
