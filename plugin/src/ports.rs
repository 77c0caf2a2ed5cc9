//! The buses: a stereo main bus in and out, and one stereo sidechain per stem, in the order of [`Stem::ALL`].
//!
//! What arrives from a host is checked here once, so that everything behind sees eight slices of the block's length, or empty ones.

#![warn(clippy::disallowed_methods)]

use nice_plug::prelude::*;
use tributary_dsp::{CHANNELS, Stem};

/// Input buses: main and one per stem.
pub const INPUT_BUSES: usize = 1 + Stem::COUNT;

const STEREO: NonZeroU32 = new_nonzero_u32(2);

/// The only layout. `main_input` stays unnamed: the framework would give the output the same name.
pub const LAYOUTS: &[AudioIOLayout] = &[AudioIOLayout {
    main_input_channels: Some(STEREO),
    main_output_channels: Some(STEREO),
    aux_input_ports: &[STEREO; Stem::COUNT],
    aux_output_ports: &[],
    names: PortNames {
        layout: Some("Mix of four stems"),
        main_input: None,
        main_output: None,
        aux_inputs: &["Vocals", "Bass", "Drums", "Other"],
        aux_outputs: &[],
    },
}];

/// The eight stem channels of a block of `frames`, planar, in the order of [`Stem::ALL`].
///
/// A bus the host left out comes from the framework with a stale length; such a channel is returned empty, which the
/// engine takes as silence. Real-time safe.
pub fn stem_channels<'a>(inputs: &'a [Buffer<'_>], frames: usize) -> [&'a [f32]; CHANNELS] {
    std::array::from_fn(|channel| {
        inputs
            .get(channel / 2)
            .and_then(|bus| bus.as_slice_immutable().get(channel % 2))
            .filter(|samples| samples.len() == frames)
            .map_or(&[][..], |samples| &**samples)
    })
}

/// Both channels of the main bus, or `None` when the host gave no stereo output. Real-time safe.
pub fn main_channels<'a>(buffer: &'a mut Buffer<'_>) -> Option<[&'a mut [f32]; 2]> {
    match buffer.as_slice() {
        [left, right] if left.len() == right.len() => Some([&mut **left, &mut **right]),
        _ => None,
    }
}

#[cfg(test)]
#[allow(unsafe_code)] // The framework's buffers can only be filled through its unsafe setter.
mod tests {
    use super::*;

    fn bus<'a>(frames: usize, channels: &'a mut [Vec<f32>]) -> Buffer<'a> {
        let mut buffer = Buffer::default();
        // SAFETY: the vectors outlive the buffer.
        unsafe { buffer.set_slices(frames, |s| s.extend(channels.iter_mut().map(Vec::as_mut_slice))) };
        buffer
    }

    #[test]
    fn names_follow_the_stem_order() {
        let names = LAYOUTS[0].names.aux_inputs;
        for stem in Stem::ALL {
            assert_eq!(names[stem.index()].to_lowercase(), stem.name());
        }
        assert_eq!(LAYOUTS[0].aux_input_ports.len(), Stem::COUNT);
    }

    #[test]
    fn each_bus_lands_on_its_own_pair() {
        let mut data: Vec<Vec<f32>> = (0..8).map(|c| vec![c as f32 + 1.0; 6]).collect();
        let (a, rest) = data.split_at_mut(2);
        let (b, rest) = rest.split_at_mut(2);
        let (c, d) = rest.split_at_mut(2);
        let inputs = [bus(6, a), bus(6, b), bus(6, c), bus(6, d)];
        let got = stem_channels(&inputs, 6);
        for (channel, samples) in got.iter().enumerate() {
            assert_eq!(*samples, [channel as f32 + 1.0; 6]);
        }
    }

    #[test]
    #[cfg(not(debug_assertions))] // the framework asserts equal lengths in debug builds
    fn stale_lengths_and_absent_buses_count_as_silent() {
        let mut short = vec![vec![1.0; 3], vec![1.0; 3]];
        let mut long = vec![vec![1.0; 99], vec![1.0; 99]];
        let mut mono = vec![vec![0.5; 6]];
        let inputs = [bus(6, &mut short), bus(6, &mut long), bus(6, &mut mono)];
        for (channel, samples) in stem_channels(&inputs, 6).iter().enumerate() {
            assert_eq!(samples.len(), if channel == 4 { 6 } else { 0 }, "channel {channel}");
        }
    }
}
