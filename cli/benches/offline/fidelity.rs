//! How near the stream is to the default network over the whole song: the signal-to-distortion ratio, worst of the songs.
//!
//! The reference is one run over the whole song with the song's own statistics: passes over the song are repeated, the
//! statistics of the pass before held, until they stay. That this equals the plain network is proved where the network is
//! exported. Against it: every latency mode with statistics that start from the bundle's and follow the song
//! (`stream_sdr_db_low`, `_standard`, `_high`), and the standard mode with those of one pass, as *Learn* and `tributary mix`
//! have them (`stream_sdr_db_learned`). The songs: the demo's and, where it is, one of `../shared/real`, twelve seconds each.

use std::path::Path;

use serde_json::{Value, json};
use tributary_dsp::{CHANNELS, Stem, StemStore, StereoBuffer, normalize_stem};
use tributary_engine::{LatencyMode, MixHop, MixModel, ModelBundle, Statistics, StemWindow};

use super::{RATE_HZ, Results, repository, song};

/// Whole latent frames, so that the network over the whole song ends with it.
const SONG_FRAMES: usize = 12 * RATE_HZ as usize / 64 * 64;

/// The statistics of a network of n norms in a row are final after about n passes.
const MOST_PASSES: usize = 60;

type Channels = [Vec<f32>; CHANNELS];
type Mix = [Vec<f32>; 2];

/// Adds the figures, or says loudly that there are none.
pub fn fidelity(results: &mut Results) {
    let bundle = match ModelBundle::open(repository("assets/models/default")) {
        Ok(bundle) if bundle.has_statistics() => bundle,
        _ => return eprintln!("SKIPPED: fidelity: the default model is no incremental network"),
    };
    if let Err(error) = bundle.find_library_and_load(None) {
        return eprintln!("SKIPPED: fidelity: {error}");
    }
    let mut worst: Vec<(&'static str, f64)> = Vec::new();
    for name in ["assets/demo", "../shared/real/Francium"] {
        let folder = repository(name);
        if !folder.is_dir() {
            eprintln!("SKIPPED: fidelity on {name}: absent");
            continue;
        }
        for (key, sdr_db) in song_fidelity(&bundle, &folder) {
            println!("  {name}: {key} {sdr_db:.1} dB");
            match worst.iter_mut().find(|(known, _)| *known == key) {
                Some((_, least)) => *least = least.min(sdr_db),
                None => worst.push((key, sdr_db)),
            }
        }
    }
    results.extend(worst);
}

fn song_fidelity(bundle: &ModelBundle, folder: &Path) -> Vec<(&'static str, f64)> {
    let stems = song(folder).stems;
    let mut normalized: [StereoBuffer; 4] = Stem::ALL.map(|stem| {
        let mut audio = stems[stem.index()].clone().unwrap_or_default();
        audio.left.resize(SONG_FRAMES, 0.0);
        audio.right.resize(SONG_FRAMES, 0.0);
        let (recipe, targets) = (bundle.recipe(), bundle.targets());
        normalize_stem(stem, &audio, recipe, targets, f64::from(RATE_HZ)).map_or(audio, |(audio, _)| audio)
    });
    let mut channels =
        normalized.each_ref().map(|stem| [stem.left.clone(), stem.right.clone()]).into_iter().flatten();
    let channels: Channels = std::array::from_fn(|_| channels.next().expect("two of four stems"));
    let wanted = whole_song(bundle, &channels);

    let mut found = Vec::new();
    for (mode, key) in [
        (LatencyMode::Low, "stream_sdr_db_low"),
        (LatencyMode::Standard, "stream_sdr_db_standard"),
        (LatencyMode::High, "stream_sdr_db_high"),
    ] {
        let mut model = bundle.clone().in_mode(mode).find_library_and_load(None).unwrap().model;
        found.push((key, sdr_db(&stream(&mut *model, &channels), &wanted)));
    }
    let stores = normalized.each_mut().map(|stem| Some(stem as &mut dyn StemStore));
    let learned = bundle.song_statistics(None, stores, true, &mut |_| Ok(())).unwrap();
    let mut model = bundle.find_library_and_load(None).unwrap().model;
    model.learner().unwrap().freeze(learned).unwrap();
    found.push(("stream_sdr_db_learned", sdr_db(&stream(&mut *model, &channels), &wanted)));
    found
}

/// The network over the whole song at once, with the song's own statistics.
fn whole_song(bundle: &ModelBundle, channels: &Channels) -> Mix {
    let folder = std::env::temp_dir().join(format!("tributary-fidelity-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(bundle.folder()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let contract = folder.join("contract.json");
    let mut json: Value = serde_json::from_str(&std::fs::read_to_string(&contract).unwrap()).unwrap();
    let delay_frames = json["network"]["delay_frames"].as_u64().unwrap();
    // One hop that is the song, then silence for as long as the temporal net is behind and the backward LSTMs look.
    json["window"] = json!({
        "context_frames": 256, "hop_frames": SONG_FRAMES, "lookahead_frames": delay_frames + 64 * 302,
        "crossfade_frames": 64,
    });
    std::fs::write(&contract, json.to_string()).unwrap();
    let mut model = ModelBundle::open(&folder).unwrap().find_library_and_load(None).unwrap().model;
    let mut held: Option<Statistics> = None;
    for pass in 0.. {
        let mix = stream(&mut *model, channels);
        let learned = model.learner().unwrap().learned();
        if learned == held {
            std::fs::remove_dir_all(&folder).unwrap();
            println!("  statistics stay after {pass} passes");
            return mix;
        }
        assert!(pass < MOST_PASSES, "the statistics do not settle");
        model.learner().unwrap().freeze(learned.clone()).unwrap();
        held = learned;
    }
    unreachable!("the loop returns or panics")
}

/// Streams the song from a fresh start.
fn stream(model: &mut dyn MixModel, channels: &Channels) -> Mix {
    model.reset();
    let geometry = model.geometry();
    let mut window = StemWindow::new(geometry);
    window.append(std::array::from_fn(|channel| &channels[channel][..]));
    let mut made = [vec![0.0; geometry.mix_frames()], vec![0.0; geometry.mix_frames()]];
    let mut mix = Mix::default();
    while mix[0].len() < SONG_FRAMES {
        if window.is_complete() {
            let [left, right] = &mut made;
            model.run(&window, &mut MixHop { left, right }).unwrap();
            window.advance(true);
            for (mix, made) in mix.iter_mut().zip(&made) {
                mix.extend_from_slice(&made[..geometry.hop_frames]);
            }
        } else {
            window.append([&[0.0; 4096]; CHANNELS]);
        }
    }
    mix.map(|mut side| {
        side.truncate(SONG_FRAMES);
        side
    })
}

/// Signal to distortion in dB.
fn sdr_db(found: &Mix, wanted: &Mix) -> f64 {
    let pairs = || found.iter().flatten().zip(wanted.iter().flatten());
    let signal: f64 = pairs().map(|(_, &wanted)| f64::from(wanted).powi(2)).sum();
    let distortion: f64 = pairs().map(|(&found, &wanted)| f64::from(found - wanted).powi(2)).sum();
    10.0 * (signal / distortion.max(1e-30)).log10()
}
