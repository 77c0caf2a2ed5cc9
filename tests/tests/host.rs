//! The host itself, on a double: what it reports about buses, gains, latency and blocks must be true before anything it
//! says about the real plug-in counts.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod double;

use clap_host::play::{play, play_aligned};
use clap_host::signals::{noise, residual_db};
use clap_host::{AudioSetup, Bus, BusAudio, Library, Partition, Stereo};
use tributary_dsp::Stem;

fn stems(frames: usize) -> BusAudio {
    Stem::ALL.iter().fold(BusAudio::silence(frames), |audio, &stem| {
        let seed = 2 * stem.index() as u64;
        let signal = Stereo { left: noise(frames, 0.2, seed), right: noise(frames, 0.2, seed + 1) };
        audio.with(Bus::Stem(stem), signal)
    })
}

#[test]
fn finds_the_buses_by_name_and_the_latency() {
    let mut instance = double::library::<4>().instantiate(double::ID).unwrap();
    assert_eq!(instance.latency_frames(), double::LATENCY_FRAMES);
    assert_eq!(instance.ports().input_of(Bus::Main).unwrap(), 0);
    assert_eq!(instance.ports().input_of(Bus::Stem(Stem::Drums)).unwrap(), 3);
    assert_eq!(instance.ports().outputs.len(), 1);
}

#[test]
fn plays_all_sidechains_aligned_whatever_the_blocks() {
    let audio = stems(20_000);
    let mut instance = double::library::<4>().instantiate(double::ID).unwrap();
    for partition in [
        Partition::Fixed(1),
        Partition::Fixed(512),
        Partition::Random { max_frames: 8192, seed: 5 },
        Partition::Cycle(vec![3, 1000, 64]),
    ] {
        let mut processor = instance.activate(AudioSetup::offline(48_000.0, 8192)).unwrap();
        let mix = play_aligned(&mut processor, &audio, &partition, double::LATENCY_FRAMES).unwrap();
        assert_eq!(mix, audio.sum_of_stems(), "{partition:?}");
        instance.deactivate(processor);
    }
}

#[test]
fn a_lost_sidechain_shows() {
    let audio = stems(4_000);
    let mut instance = double::library::<2>().instantiate(double::ID).unwrap();
    let mut processor = instance.activate(AudioSetup::offline(48_000.0, 256)).unwrap();
    let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(256), double::LATENCY_FRAMES).unwrap();
    assert!(mix.residual_db(&audio.sum_of_stems()) > -20.0);
    let mut expected = audio.sum_of_stems();
    for (to, drums) in expected.left.iter_mut().zip(&audio.bus(Bus::Stem(Stem::Drums)).left) {
        *to -= drums;
    }
    assert!(residual_db(&mix.left, &expected.left) < -120.0);
    instance.deactivate(processor);
}

#[test]
fn refuses_blocks_longer_than_announced() {
    let mut instance = double::library::<4>().instantiate(double::ID).unwrap();
    let mut processor = instance.activate(AudioSetup::offline(48_000.0, 64)).unwrap();
    assert!(play(&mut processor, &stems(1000), &Partition::Fixed(65)).is_err());
    instance.deactivate(processor);
}

#[test]
fn says_plainly_what_is_wrong_with_a_library() {
    let missing = Library::load(std::path::Path::new("nowhere/Tributary.clap")).err().unwrap();
    assert!(format!("{missing:#}").contains("no plug-in at nowhere/Tributary.clap"));
    let text = std::env::temp_dir().join(format!("not-a-plugin-{}.clap", std::process::id()));
    std::fs::write(&text, "this is no library").unwrap();
    let wrong = Library::load(&text).err().unwrap();
    std::fs::remove_file(&text).unwrap();
    assert!(format!("{wrong:#}").contains("cannot be loaded as a CLAP plug-in"), "{wrong:#}");
    assert!(double::library::<4>().instantiate("no.such.id").is_err());
}
