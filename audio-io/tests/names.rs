//! Names of audio files as recording programs, separation tools and people write them, and what each is taken for. The list
//! is `data/stem_names.txt`.

use tributary_audio_io::dataset::names::{Meaning, read_all};
use tributary_dsp::Stem;

const NAMES: &str = include_str!("data/stem_names.txt");
/// The list must not shrink to nothing unnoticed.
const LEAST_NAMES: usize = 300;

fn words(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Stem(stem) => stem.name().into(),
        Meaning::AllBut(stem) => format!("all but {stem}"),
        Meaning::Mixture => "mixture".into(),
        Meaning::Several(_) => "several".into(),
        Meaning::Unknown => "?".into(),
    }
}

#[test]
fn every_name_is_what_it_says() {
    let (mut count, mut wrong) = (0, Vec::new());
    for folder in NAMES.split("\n\n") {
        let lines = folder.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let rows: Vec<(&str, &str)> =
            lines.map(|line| line.rsplit_once(" = ").expect("name = meaning")).collect();
        let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        for ((name, expected), reading) in rows.iter().zip(read_all(&names)) {
            count += 1;
            let found = words(&reading.meaning);
            if found != *expected {
                wrong.push(format!("{name}: {found} instead of {expected}"));
            }
        }
    }
    assert!(count >= LEAST_NAMES, "only {count} names");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_whole_of_a_stem_is_told_from_its_parts() {
    let exact = |names: &[&str]| read_all(names).into_iter().map(|reading| reading.exact).collect::<Vec<_>>();
    assert_eq!(exact(&["vocals", "Lead Vox", "kick", "drums"]), [true, false, false, true]);
    assert_eq!(exact(&["MySong - Drums (Stereo)", "MySong - Bass (Stereo)"]), [true, true]);
    assert_eq!(exact(&["1_song_(Vocals)_htdemucs", "1_song_(Other)_htdemucs"]), [true, true]);
    assert_eq!(exact(&["vocals loud", "vocals"]), [false, true]);
}

#[test]
fn halves_of_a_pair_differ_in_their_side_only() {
    let read = read_all(&["05_Gtr L", "06_Gtr R", "07_Piano Left", "08_Vox"]);
    assert_eq!(read[0].without_side, read[1].without_side);
    assert_ne!(read[0].without_side, read[2].without_side);
    assert!(read[0].side.is_some() && read[2].side.is_some() && read[3].side.is_none());
    assert_eq!(read[0].meaning, Meaning::Stem(Stem::Other));
}
