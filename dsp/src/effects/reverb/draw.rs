//! What data preparation draws of the reverb for each song.

use crate::filters::noise::uniform;

/// What data preparation draws for one song (paper section 3.4; ranges of the released code).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReverbDraw {
    /// Corner of the low shelf, 500 to 700 Hz.
    pub low_shelf_hz: f64,
    /// Corner of the high shelf, 7000 to 10000 Hz.
    pub high_shelf_hz: f64,
    /// Which of the rooms.
    pub room: usize,
}

impl ReverbDraw {
    /// The draw that belongs to a seed and a song's name, whatever other songs there are; `rooms` is at least 1.
    pub fn of_song(seed: u64, song: &str, rooms: usize) -> Self {
        // FNV-1a over the name, then three numbers of the generator.
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let mut state = song
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        Self {
            low_shelf_hz: 500.0 + 200.0 * uniform(&mut state),
            high_shelf_hz: 7_000.0 + 3_000.0 * uniform(&mut state),
            room: (uniform(&mut state) * rooms.max(1) as f64) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_belong_to_the_song_and_stay_in_range() {
        let draw = |seed, song: &str| ReverbDraw::of_song(seed, song, 3);
        assert_eq!(draw(1, "A"), draw(1, "A"));
        assert!(draw(1, "A") != draw(1, "B") && draw(1, "A") != draw(2, "A"));
        let draws: Vec<ReverbDraw> = (0..300).map(|n| draw(7, &format!("Song {n}"))).collect();
        assert!(draws.iter().all(|draw| (500.0..700.0).contains(&draw.low_shelf_hz)));
        assert!(draws.iter().all(|draw| (7_000.0..10_000.0).contains(&draw.high_shelf_hz)));
        for room in 0..3 {
            let share = draws.iter().filter(|draw| draw.room == room).count();
            assert!((60..140).contains(&share), "room {room}: {share} of 300");
        }
    }
}
