//! Blocks of any length, cut into parts of a length that everything behind was made for.

use tributary_dsp::CHANNELS;

/// Largest block handled in one go; longer ones are cut.
pub(crate) const MAX_BLOCK_LIMIT: usize = 65_536;

/// Cuts a block into parts of at most `longest` frames. A stem shorter than `main` is shorter, or empty, in the last ones.
pub(crate) fn in_parts(
    [left, right]: [&mut [f32]; 2],
    stems: [&[f32]; CHANNELS],
    longest: usize,
    mut take: impl FnMut([&mut [f32]; 2], [&[f32]; CHANNELS]),
) {
    let frames = left.len().min(right.len());
    let mut from = 0;
    while from < frames {
        let to = frames.min(from + longest);
        let part = |stem: &'_ [f32]| from.min(stem.len())..to.min(stem.len());
        take([&mut left[from..to], &mut right[from..to]], stems.map(|stem| &stem[part(stem)]));
        from = to;
    }
}
