//! Draws what egui leaves to a graphics card: textured triangles, on the processor. Slow and plain, and the same on every
//! machine, so that pictures can be compared without a display or a driver.

use egui::epaint::{ClippedPrimitive, ColorImage, ImageData, ImageDelta, Mesh, Primitive, Vertex};
use egui::{Color32, Context, Event, RawInput, Rect, TextureId, TexturesDelta, Ui, ViewportId, pos2, vec2};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A picture: RGB, row by row.
#[derive(Clone, PartialEq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// Three bytes a pixel.
    pub rgb: Vec<u8>,
}

/// What a window of `size` pixels shows at a `scale` after the user has done `frames`, one list of events a frame, with so
/// many seconds between two.
pub fn shoot(
    ctx: &Context,
    size: [u32; 2],
    scale: f32,
    (frames, step_s): (&[Vec<Event>], f64),
    draw: impl Fn(&mut Ui),
) -> Picture {
    let points = size.map(|pixels| pixels as f32 / scale);
    let mut textures = HashMap::new();
    let mut shapes = Vec::new();
    ctx.set_zoom_factor(scale);
    // Two frames ahead, in which the scale comes into force and areas find their sizes, and as many behind.
    let still = [vec![], vec![], vec![]];
    for (number, events) in still.iter().chain(frames).chain(&still[..2]).enumerate() {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(points[0], points[1]))),
            time: Some(step_s * number as f64),
            events: events.clone(),
            focused: true,
            ..RawInput::default()
        };
        input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(1.0);
        let mut output = ctx.run_ui(input, &draw);
        keep(&mut textures, &mut output.textures_delta);
        shapes = output.shapes;
    }
    let mut canvas = Canvas::new(size, scale);
    for primitive in ctx.tessellate(shapes, scale) {
        canvas.draw(&primitive, &textures);
    }
    canvas.picture()
}

/// Time of the processor for a frame without its pixels: layout and triangles. The median of many.
pub fn frame_time(ctx: &Context, size: [u32; 2], draw: impl Fn(&mut Ui)) -> Duration {
    let [width, height] = size.map(|pixels| pixels as f32);
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let screen_rect = Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(width, height)));
            let began = Instant::now();
            let mut output = ctx.run_ui(RawInput { screen_rect, ..RawInput::default() }, &draw);
            output.textures_delta.clear();
            let triangles = ctx.tessellate(output.shapes, 1.0);
            assert!(!triangles.is_empty());
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Takes over what has changed in the textures.
fn keep(textures: &mut HashMap<TextureId, ColorImage>, delta: &mut TexturesDelta) {
    for (id, changes) in delta.set.drain() {
        for ImageDelta { image: ImageData::Color(image), pos, .. } in changes {
            match (pos, textures.get_mut(&id)) {
                (Some([left, top]), Some(whole)) => {
                    let [width, height] = image.size;
                    for row in 0..height {
                        let at = (top + row) * whole.size[0] + left;
                        whole.pixels[at..at + width].copy_from_slice(&image.pixels[row * width..][..width]);
                    }
                }
                _ => drop(textures.insert(id, (*image).clone())),
            }
        }
    }
    delta.clear();
}

struct Canvas {
    size: [usize; 2],
    scale: f32,
    /// Gamma-encoded and premultiplied, as egui blends.
    pixels: Vec<[f32; 3]>,
}

impl Canvas {
    fn new(size: [u32; 2], scale: f32) -> Self {
        let size = size.map(|pixels| pixels as usize);
        Self { size, scale, pixels: vec![[0.0; 3]; size[0] * size[1]] }
    }

    fn picture(self) -> Picture {
        let rgb = self.pixels.iter().flatten().map(|value| value.round().clamp(0.0, 255.0) as u8).collect();
        Picture { width: self.size[0], rgb }
    }

    fn draw(&mut self, primitive: &ClippedPrimitive, textures: &HashMap<TextureId, ColorImage>) {
        let Primitive::Mesh(mesh) = &primitive.primitive else { panic!("only meshes are drawn") };
        let clip = primitive.clip_rect * self.scale;
        let clip = Rect::from_min_max(clip.min.round(), clip.max.round());
        let texture = &textures[&mesh.texture_id];
        for triangle in mesh.indices.chunks_exact(3) {
            self.triangle(mesh, triangle, clip, texture);
        }
    }

    fn triangle(&mut self, mesh: &Mesh, corners: &[u32], clip: Rect, texture: &ColorImage) {
        let [a, b, c]: [&Vertex; 3] = std::array::from_fn(|corner| &mesh.vertices[corners[corner] as usize]);
        let at = [a, b, c].map(|vertex| vertex.pos * self.scale);
        let edge = |from: egui::Pos2, to: egui::Pos2, point: egui::Pos2| {
            (to.x - from.x) * (point.y - from.y) - (to.y - from.y) * (point.x - from.x)
        };
        let area = edge(at[0], at[1], at[2]);
        if area == 0.0 || !area.is_finite() {
            return;
        }
        let bounds = Rect::from_points(&at).intersect(clip);
        let end = |value: f32, most: usize| (value.ceil().max(0.0) as usize).min(most);
        let start = |value: f32| value.floor().max(0.0) as usize;
        // A pixel's center on an edge that two triangles share belongs to one of them.
        let ours = |from: egui::Pos2, to: egui::Pos2| {
            let (x, y) = ((to.x - from.x) * area.signum(), (to.y - from.y) * area.signum());
            y < 0.0 || (y == 0.0 && x > 0.0)
        };
        let sides = [(at[1], at[2]), (at[2], at[0]), (at[0], at[1])];
        for y in start(bounds.top())..end(bounds.bottom(), self.size[1]) {
            for x in start(bounds.left())..end(bounds.right(), self.size[0]) {
                let center = pos2(x as f32 + 0.5, y as f32 + 0.5);
                if !(clip.min.x <= center.x
                    && center.x < clip.max.x
                    && clip.min.y <= center.y
                    && center.y < clip.max.y)
                {
                    continue;
                }
                let shares = sides.map(|(from, to)| edge(from, to, center) / area);
                let inside = shares
                    .iter()
                    .zip(sides)
                    .all(|(share, (from, to))| *share > 0.0 || (*share == 0.0 && ours(from, to)));
                if inside {
                    let color = shade([a, b, c], shares, texture);
                    let pixel = &mut self.pixels[y * self.size[0] + x];
                    for (under, over) in pixel.iter_mut().zip(color) {
                        *under = over + *under * (1.0 - color[3] / 255.0);
                    }
                }
            }
        }
    }
}

/// The color within a triangle, where its corners have these shares.
fn shade(corners: [&Vertex; 3], shares: [f32; 3], texture: &ColorImage) -> [f32; 4] {
    let mut color = [0.0; 4];
    let mut uv = egui::Vec2::ZERO;
    for (corner, share) in corners.iter().zip(shares) {
        uv += corner.uv.to_vec2() * share;
        for (sum, value) in color.iter_mut().zip(corner.color.to_array()) {
            *sum += f32::from(value) * share;
        }
    }
    let texel = sample(texture, uv);
    std::array::from_fn(|channel| color[channel] * texel[channel] / 255.0)
}

/// Between four texels, as a graphics card does.
fn sample(texture: &ColorImage, uv: egui::Vec2) -> [f32; 4] {
    let [width, height] = texture.size;
    let (x, y) = (uv.x * width as f32 - 0.5, uv.y * height as f32 - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let texel = |x: f32, y: f32| -> Color32 {
        let x = (x.max(0.0) as usize).min(width - 1);
        texture.pixels[(y.max(0.0) as usize).min(height - 1) * width + x]
    };
    let corners = [
        (texel(left, top), (1.0 - right_share) * (1.0 - bottom_share)),
        (texel(left + 1.0, top), right_share * (1.0 - bottom_share)),
        (texel(left, top + 1.0), (1.0 - right_share) * bottom_share),
        (texel(left + 1.0, top + 1.0), right_share * bottom_share),
    ];
    let mut color = [0.0; 4];
    for (corner, share) in corners {
        for (sum, value) in color.iter_mut().zip(corner.to_array()) {
            *sum += f32::from(value) * share;
        }
    }
    color
}
