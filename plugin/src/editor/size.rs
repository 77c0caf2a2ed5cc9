//! The window's size, saved with the project as a setting of its own: a user who has found a good one keeps it. And the
//! scale that follows from it: the layout has a size of its own, and the whole of it, text too, is as large as the window
//! has room for. Room that is left over to one side goes to the layout.

use crate::saved::Setting;
use serde::{Deserialize, Serialize};

/// The least size of the layout, in points of its own: everything fits into it without scrolling.
pub const LAYOUT: [u32; 2] = [1092, 720];
/// Size of the window when first opened, in points of the screen.
pub const SIZE: [u32; 2] = LAYOUT;
/// Smallest size of the window, in points of the screen: that of the layout at the smallest scale.
pub const MIN_SIZE: [u32; 2] = [819, 540];

/// The smallest and the largest scale. In a window that is larger still, the layout has more room.
const SCALES: [f64; 2] = [0.75, 2.0];
/// Scales are whole hundredths: each one draws all glyphs anew.
const SCALE_STEPS: f64 = 100.0;
/// Scales in the menu, in percent.
pub const OFFERED_PERCENT: [u32; 6] = [75, 100, 125, 150, 175, 200];

/// Largest size that is kept, in points to either side: more than any screen has, and a bound for what a project may ask.
const SIZE_MAX: u32 = 16_384;

/// How large everything is in a window of this size, in points of the screen.
pub fn scale(width: f64, height: f64) -> f32 {
    let room = (width / f64::from(LAYOUT[0])).min(height / f64::from(LAYOUT[1]));
    // A hair more, so that what is meant to be a whole step does not fall below it.
    let stepped = (room * SCALE_STEPS + 1e-6).floor() / SCALE_STEPS;
    stepped.clamp(SCALES[0], SCALES[1]) as f32
}

/// The window's size at a scale, in points of the screen.
pub fn at_percent(percent: u32) -> [u32; 2] {
    // Rounded up: a window that is a fraction of a point too small is a step smaller.
    LAYOUT.map(|points| (points * percent).div_ceil(100))
}

/// A size between [`MIN_SIZE`] and any screen's, in points. Saved as text, `960x684`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EditorSize([u32; 2]);

impl EditorSize {
    /// Width and height.
    pub fn points(self) -> [u32; 2] {
        self.0
    }

    /// How large everything is.
    pub fn scale(self) -> f32 {
        let [width, height] = self.0.map(f64::from);
        scale(width, height)
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
            ["818x700", "900x1", "99999x700", "900", "900.5x700", "-1x700", "+900x700", "0900x700", "", "x"]
        {
            assert!(EditorSize::try_from(refused.to_owned()).is_err(), "{refused}");
        }
        let size = EditorSize::nearest(1000.0, 700.0);
        assert_eq!(serde_json::to_string(&size).expect("JSON"), "\"1000x700\"");
        assert_eq!(serde_json::from_str::<EditorSize>("\"1000x700\"").expect("a size"), size);
    }

    /// The usual and the smallest size of the versions before the layout had a scale.
    #[test]
    fn the_sizes_of_earlier_versions_load() {
        for earlier in ["960x684", "820x604"] {
            let size = EditorSize::try_from(earlier.to_owned()).expect(earlier);
            assert_eq!(String::from(size), earlier);
        }
    }

    #[test]
    fn the_layout_is_as_large_as_the_window_has_room_for() {
        let of = |[width, height]: [u32; 2]| scale(f64::from(width), f64::from(height));
        assert_eq!((of(SIZE), of(MIN_SIZE), of([1, 1]), of([9000, 9000])), (1.0, 0.75, 0.75, 2.0));
        assert_eq!(of([SIZE[0] + 400, SIZE[1]]), 1.0, "the narrower side decides");
        for percent in OFFERED_PERCENT {
            assert_eq!(of(at_percent(percent)), percent as f32 / 100.0);
        }
        for window in [[960, 684], [1500, 900], [4000, 1000], MIN_SIZE] {
            let room = window.map(|points| points as f32 / of(window));
            assert!(room.iter().zip(LAYOUT).all(|(room, layout)| *room >= layout as f32 - 0.01), "{room:?}");
        }
    }
}
