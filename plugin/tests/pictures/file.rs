//! Pictures as files. They are kept with no more than 256 colors each, which halves them: those that are most frequent, and
//! whatever is between takes the nearest.

use super::canvas::Picture;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::Path;

type Rgb = [u8; 3];

/// As many as an index of one byte tells apart.
const COLORS: usize = 256;

/// Writes a picture as small as may be.
pub fn write(path: &Path, picture: &Picture) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("written");
    let pixels: Vec<Rgb> = picture.rgb.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let palette = palette(&pixels);
    let mut known = HashMap::new();
    let indices: Vec<u8> = pixels
        .iter()
        .map(|pixel| *known.entry(*pixel).or_insert_with(|| nearest(&palette, *pixel) as u8))
        .collect();
    let height = pixels.len() / picture.width;
    let file = BufWriter::new(File::create(path).expect("written"));
    let mut encoder = png::Encoder::new(file, picture.width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().expect("written");
    writer.write_image_data(&indices).expect("written");
}

/// `None` when there is none.
pub fn read(path: &Path) -> Option<Picture> {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path).ok()?));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a picture");
    let mut rgb = vec![0; reader.output_buffer_size().expect("of some size")];
    let info = reader.next_frame(&mut rgb).expect("a picture");
    assert_eq!(info.color_type, png::ColorType::Rgb);
    Some(Picture { width: info.width as usize, rgb })
}

/// The most frequent colors.
fn palette(pixels: &[Rgb]) -> Vec<Rgb> {
    let mut counts: HashMap<Rgb, usize> = HashMap::new();
    pixels.iter().for_each(|pixel| *counts.entry(*pixel).or_default() += 1);
    let mut colors: Vec<(Rgb, usize)> = counts.into_iter().collect();
    // By color among those as frequent, so that a picture is always the same file.
    colors.sort_by_key(|(color, count)| (std::cmp::Reverse(*count), *color));
    colors.into_iter().take(COLORS).map(|(color, _)| color).collect()
}

fn nearest(palette: &[Rgb], pixel: Rgb) -> usize {
    let distance = |color: &Rgb| -> u32 {
        color.iter().zip(pixel).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
    };
    // By color among those as near, so that the order of a palette does not matter.
    let found = palette.iter().enumerate().min_by_key(|(_, color)| (distance(color), **color));
    found.expect("a picture has a color").0
}

/// The picture with the colors of another one, as it would have been kept with them.
pub fn with_colors_of(picture: &Picture, other: &Picture) -> Picture {
    let colors = |picture: &Picture| -> Vec<Rgb> {
        picture.rgb.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
    };
    let mut palette = colors(other);
    palette.sort_unstable();
    palette.dedup();
    let mut known: HashMap<Rgb, Rgb> = HashMap::new();
    let near = colors(picture)
        .into_iter()
        .flat_map(|pixel| *known.entry(pixel).or_insert_with(|| palette[nearest(&palette, pixel)]));
    Picture { width: picture.width, rgb: near.collect() }
}
