//! The options of the reverb send: level, stems, rooms – and the draw of data preparation, which belongs to a song's name
//! and a seed alone, so that order, shards and resumed runs do not change it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tributary_dsp::recipe::{ReverbSetting, RoomFile, SendLevels};
use tributary_dsp::reverb::{ImpulseResponse, ReverbDraw, RoomName};
use tributary_dsp::{Recipe, Stem};
use tributary_engine::impulse_response;

/// What is sent to a reverb, and where to.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ReverbArgs {
    /// Send stems to a reverb before anything else, at this level from 0 (off) to 1 [default: the recipe's, else 0]
    #[arg(long, value_name = "LEVEL")]
    reverb: Option<f64>,
    /// Level of each stem's send in dB, or "off": drums=-12,vocals=off [default: the recipe's, else vocals=0,other=0]
    #[arg(long, value_name = "STEM=DB,...", value_delimiter = ',')]
    reverb_levels: Vec<String>,
    /// Where to: chamber, hall, church, studio, an impulse response (WAV or FLAC, at most 10 s) or a folder of some
    /// [default: the recipe's, else hall]
    #[arg(long, value_name = "ROOM|FILE|FOLDER,...", value_delimiter = ',')]
    reverb_rooms: Vec<String>,
}

impl ReverbArgs {
    /// Puts the options into a recipe; `base` is the folder of the recipe's own impulse response, if it names one. The
    /// rooms that were named are returned: a recipe has only one, the first.
    ///
    /// # Errors
    /// An option out of range, a response that cannot be read, or options of a reverb that is off.
    pub fn apply(&self, recipe: &mut Recipe, base: Option<&Path>, sample_rate_hz: u32) -> Result<Vec<Room>> {
        let setting = &mut recipe.reverb;
        if let Some(level) = self.reverb {
            if !(0.0..=1.0).contains(&level) {
                bail!("the level of --reverb must be between 0 and 1, not {level}");
            }
            (setting.enabled, setting.amount) = (level > 0.0, level);
        }
        for text in &self.reverb_levels {
            let (stem, level_db) = parse_level(text)?;
            *setting.levels_db.stem_mut(stem) = level_db;
        }
        let rooms = Room::all_named(&self.reverb_rooms, sample_rate_hz)?;
        let has_details = !self.reverb_levels.is_empty() || !rooms.is_empty();
        if has_details && !setting.enabled {
            bail!("the recipe sends nothing to a reverb: say how much with --reverb, from 0 to 1");
        }
        match rooms.first() {
            Some(room) => room.put_into(setting),
            None => read_own(setting, base, sample_rate_hz)?,
        }
        Ok(rooms)
    }
}

impl ReverbArgs {
    /// The files and folders among the rooms that were named.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.reverb_rooms.iter().filter(|text| RoomName::from_name(text).is_none()).map(PathBuf::from)
    }
}

/// Reads the impulse response that a recipe file names beside itself.
fn read_own(setting: &mut ReverbSetting, base: Option<&Path>, sample_rate_hz: u32) -> Result<()> {
    let (Some(wanted), Some(base), true) = (&setting.impulse_response, base, setting.enabled) else {
        return Ok(());
    };
    let path = base.join(&wanted.file);
    let (response, found) = impulse_response::read(&path, sample_rate_hz)?;
    if found.sha256 != wanted.sha256 {
        bail!("{} does not have the checksum that the recipe names", path.display());
    }
    setting.room = Some(Arc::new(response));
    Ok(())
}

/// Reads `stem=level`.
fn parse_level(text: &str) -> Result<(Stem, Option<f64>)> {
    let (name, level) =
        text.split_once('=').with_context(|| format!("\"{text}\" is no level of a send; write drums=-12"))?;
    let stem = Stem::from_name(name.trim()).with_context(|| format!("\"{name}\" is not a stem"))?;
    match level.trim() {
        "off" => Ok((stem, None)),
        level => match level.parse::<f64>() {
            Ok(level_db) if SendLevels::RANGE_DB.contains(&level_db) => Ok((stem, Some(level_db))),
            _ => {
                bail!("the reverb level of {stem} must be \"off\" or between -60 and 12 dB, not \"{level}\"")
            }
        },
    }
}

/// A room that was named on the command line.
#[derive(Debug, Clone)]
pub enum Room {
    /// One of our own making.
    Generated(RoomName),
    /// An impulse response, read.
    File(RoomFile, Arc<ImpulseResponse>),
}

impl Room {
    /// The rooms of a list: names, files, and all WAV and FLAC files of folders, by name.
    fn all_named(list: &[String], sample_rate_hz: u32) -> Result<Vec<Room>> {
        let mut rooms = Vec::new();
        for text in list {
            if let Some(room) = RoomName::from_name(text) {
                rooms.push(Room::Generated(room));
                continue;
            }
            for path in files_of(Path::new(text))? {
                let (response, file) = impulse_response::read(&path, sample_rate_hz)?;
                rooms.push(Room::File(file, Arc::new(response)));
            }
        }
        Ok(rooms)
    }

    fn put_into(&self, setting: &mut ReverbSetting) {
        match self {
            Room::Generated(room) => {
                setting.generated = *room;
                (setting.impulse_response, setting.room) = (None, None);
            }
            Room::File(file, response) => {
                setting.impulse_response = Some(file.clone());
                setting.room = Some(response.clone());
            }
        }
    }

    /// What tells it from others.
    fn identity(&self) -> &str {
        match self {
            Room::Generated(room) => room.name(),
            Room::File(file, _) => &file.sha256,
        }
    }
}

/// A file itself, or the audio files of a folder in the order of their names.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let is_audio = |path: &PathBuf| {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        path.is_file() && extension.is_some_and(|extension| extension == "wav" || extension == "flac")
    };
    let entries = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("the folder {} cannot be read", path.display()))?;
    let mut files: Vec<PathBuf> = entries.into_iter().filter(is_audio).collect();
    files.sort();
    if files.is_empty() {
        bail!("{} holds no impulse response: expected .wav or .flac files", path.display());
    }
    Ok(files)
}

/// The draw of corners and room for every song.
#[derive(Debug)]
pub struct Draws {
    seed: u64,
    rooms: Vec<Room>,
}

impl Draws {
    /// Draws by a seed among these rooms, or among our own of the paper's length when there are none.
    ///
    /// # Errors
    /// The recipe sends nothing to a reverb.
    pub fn new(seed: u64, rooms: Vec<Room>, recipe: &Recipe) -> Result<Self> {
        if !recipe.reverb.enabled {
            bail!("--reverb-seed draws a reverb for every song: say how much with --reverb, from 0 to 1");
        }
        let ours = || RoomName::DRAWN.map(Room::Generated).into();
        Ok(Self { seed, rooms: if rooms.is_empty() { ours() } else { rooms } })
    }

    /// Everything that decides what is drawn, apart from the song.
    pub fn settings(&self) -> Value {
        let rooms: Vec<&str> = self.rooms.iter().map(Room::identity).collect();
        json!({ "seed": self.seed, "rooms": rooms })
    }

    /// The recipe with a song's own draw.
    pub fn of_song(&self, recipe: &Recipe, song: &str) -> Recipe {
        let draw = ReverbDraw::of_song(self.seed, song, self.rooms.len());
        let mut recipe = recipe.clone();
        (recipe.reverb.low_shelf_hz, recipe.reverb.high_shelf_hz) = (draw.low_shelf_hz, draw.high_shelf_hz);
        self.rooms[draw.room].put_into(&mut recipe.reverb);
        recipe
    }
}
