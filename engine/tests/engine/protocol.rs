//! The stream protocol between audio side and worker, checked over every interleaving of its steps. The model below has
//! the same loads and stores in the same order as `protocol.rs`, `audio_side.rs` and `worker.rs`; frames carry their own
//! number, so that a wrong one is seen. Memory is sequentially consistent here: the release/acquire pairs of the real
//! code only have to make each single hand-over visible, which the rings and one word do.

use std::collections::{HashSet, VecDeque};

/// Everything both sides can see, and both sides' own state.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    input: VecDeque<u8>,
    /// Output frames as (stream they were made in, stream frame, song frame the stream was said to begin with).
    output: VecDeque<(u8, u8, u8)>,
    stream_start: u8,
    song_frame: u8,
    output_start: u8,
    acknowledged: u8,
    audio: Audio,
    worker: Worker,
}

/// No stream has been declared.
const NONE: u8 = u8::MAX;

/// The audio side: writes frames, restarts the stream at given moments, reads output.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Audio {
    step: u8,
    /// The stream it is on, once it is declared.
    stream: Option<u8>,
    /// Its song frame: another one for every stream.
    song: u8,
    writing: Writing,
    written: u8,
    taken: u8,
    start: Option<u8>,
    /// Next stream frame expected.
    next: u8,
    reading: Reading,
}

/// Where the audio side is within a [`Do::Write`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Writing {
    StoreSongFrame,
    StoreStreamStart,
    Push,
}

/// Where the audio side is within a [`Do::Read`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    LookAtFill,
    /// With the fill it has seen.
    LookAtAcknowledged(u8),
    /// With the frames to throw away, or to read when the stream is live.
    Take(u8),
}

/// Which two steps are taken in the wrong order, to show that the model would notice.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// The worker looks at the stream before the input's fill.
    Worker,
    /// The audio side looks at the acknowledged stream before the output's fill.
    Audio,
    /// The audio side stores the stream before the song frame it begins with.
    Song,
    /// The audio side declares a stream when it restarts, not when it writes; so two can have the same start.
    Early,
}

/// The worker: looks at the fill, at the stream, takes a frame, acknowledges.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Worker {
    at: Point,
    seen_fill: u8,
    stream: u8,
    song: u8,
    taken: u8,
    written: u8,
    made: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Point {
    LookAtFill,
    LookAtStream,
    LookAtSongFrame,
    StoreOutputStart,
    Acknowledge,
    Take,
}

/// What the audio side does, in order. `Write` declares the stream if it is new, `Read` takes what is there, either in
/// three steps.
#[derive(Clone, Copy)]
enum Do {
    Write,
    Restart,
    Read,
}

const SCRIPT: [Do; 16] = [
    Do::Write,
    Do::Write,
    Do::Read,
    Do::Restart,
    Do::Write,
    Do::Read,
    Do::Restart,
    Do::Restart,
    Do::Write,
    Do::Write,
    Do::Read,
    Do::Restart,
    Do::Write,
    Do::Read,
    Do::Write,
    Do::Read,
];

impl World {
    fn new() -> Self {
        Self {
            input: VecDeque::new(),
            output: VecDeque::new(),
            stream_start: NONE,
            song_frame: 0,
            output_start: 0,
            acknowledged: NONE,
            audio: Audio {
                step: 0,
                stream: None,
                song: 100,
                writing: Writing::StoreSongFrame,
                written: 0,
                taken: 0,
                start: None,
                next: 0,
                reading: Reading::LookAtFill,
            },
            worker: Worker {
                at: Point::LookAtFill,
                seen_fill: 0,
                stream: NONE,
                song: 0,
                taken: 0,
                written: 0,
                made: 0,
            },
        }
    }

    /// One step of the audio side; `None` when its script is done.
    fn audio_steps(&self, mistake: Mistake) -> Option<Self> {
        let mut world = self.clone();
        let audio = &mut world.audio;
        match *SCRIPT.get(audio.step as usize)? {
            Do::Write => return Some(world.write(mistake)),
            Do::Restart => {
                audio.stream = None;
                audio.song += 1;
                audio.start = None;
                audio.next = 0;
                if mistake == Mistake::Early {
                    audio.stream = Some(audio.written);
                    (world.stream_start, world.song_frame) = (audio.written, audio.song);
                }
            }
            Do::Read => return Some(world.read(mistake)),
        }
        world.audio.step += 1;
        Some(world)
    }

    /// One step of a write.
    fn write(mut self, mistake: Mistake) -> Self {
        let audio = &mut self.audio;
        if audio.stream.is_some() && audio.writing == Writing::StoreSongFrame {
            audio.writing = Writing::Push;
        }
        let is_song = (audio.writing == Writing::StoreSongFrame) != (mistake == Mistake::Song);
        audio.writing = match audio.writing {
            Writing::Push => {
                self.input.push_back(audio.written);
                audio.written += 1;
                audio.step += 1;
                Writing::StoreSongFrame
            }
            first_or_second => {
                if is_song {
                    self.song_frame = audio.song;
                } else {
                    self.stream_start = audio.written;
                }
                if first_or_second == Writing::StoreSongFrame {
                    Writing::StoreStreamStart
                } else {
                    audio.stream = Some(audio.written);
                    Writing::Push
                }
            }
        };
        self
    }

    /// One step of a read.
    fn read(mut self, mistake: Mistake) -> Self {
        let audio = &mut self.audio;
        match audio.reading {
            Reading::LookAtFill => {
                audio.reading = Reading::LookAtAcknowledged(self.output.len() as u8);
            }
            Reading::LookAtAcknowledged(seen) => {
                if audio.start.is_none() && audio.stream == Some(self.acknowledged) {
                    audio.start = Some(self.output_start);
                }
                audio.reading = Reading::Take(seen);
            }
            Reading::Take(seen) => {
                let live = audio.start.is_some();
                let count = if live || mistake == Mistake::Audio { self.output.len() } else { seen.into() };
                for (stream, frame, song) in self.output.drain(..count) {
                    if audio.start.is_some_and(|start| audio.taken >= start) {
                        assert_eq!(
                            Some(stream),
                            audio.stream,
                            "a frame of another stream was taken for one of this"
                        );
                        assert_eq!(song, audio.song, "a stream was anchored to another one's place");
                        assert_eq!(frame, audio.next, "a frame came out of its place");
                        audio.next += 1;
                    }
                    audio.taken += 1;
                }
                audio.reading = Reading::LookAtFill;
                audio.step += 1;
            }
        }
        self
    }

    /// One step of the worker; `None` when there is nothing left to do.
    fn worker_steps(&self, mistake: Mistake) -> Option<Self> {
        let mut world = self.clone();
        let worker = &mut world.worker;
        let wrong_order = mistake == Mistake::Worker;
        let (first, second) = if wrong_order {
            (Point::LookAtStream, Point::LookAtFill)
        } else {
            (Point::LookAtFill, Point::LookAtStream)
        };
        match worker.at {
            Point::LookAtFill => {
                worker.seen_fill = world.input.len() as u8;
                worker.at = if wrong_order { Point::Take } else { second };
            }
            Point::LookAtStream => {
                let changed = world.stream_start != worker.stream;
                if changed {
                    worker.stream = world.stream_start;
                    worker.made = 0;
                }
                worker.at = match (changed, wrong_order) {
                    (true, _) => Point::LookAtSongFrame,
                    (false, true) => second,
                    (false, false) => Point::Take,
                };
            }
            Point::LookAtSongFrame => {
                worker.song = world.song_frame;
                worker.at = Point::StoreOutputStart;
            }
            Point::StoreOutputStart => {
                world.output_start = worker.written;
                worker.at = Point::Acknowledge;
            }
            Point::Acknowledge => {
                world.acknowledged = worker.stream;
                worker.at = if wrong_order { second } else { Point::Take };
            }
            Point::Take if worker.seen_fill == 0 => {
                worker.at = first;
                // Nothing to take and nothing new to see: the worker sleeps.
                if world.input.is_empty() && world.stream_start == worker.stream {
                    return None;
                }
            }
            Point::Take => {
                worker.seen_fill -= 1;
                let frame = world.input.pop_front()?;
                assert_eq!(frame, worker.taken);
                worker.taken += 1;
                if worker.stream != NONE && frame >= worker.stream {
                    assert_eq!(frame, worker.stream + worker.made, "a frame of the stream was lost");
                    world.output.push_back((worker.stream, worker.made, worker.song));
                    worker.written += 1;
                    worker.made += 1;
                }
            }
        }
        Some(world)
    }
}

/// Visits every reachable state; returns how many there are and how many reads got something.
fn explore(mistake: Mistake) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![World::new()];
    while let Some(world) = open.pop() {
        if seen.insert(world.clone()) {
            open.extend(world.audio_steps(mistake));
            open.extend(world.worker_steps(mistake));
        }
    }
    seen.len()
}

#[test]
fn every_interleaving_delivers_each_stream_in_its_place() {
    let states = explore(Mistake::None);
    assert!(states > 1_000, "{states} states");
}

#[test]
fn the_model_notices_a_wrong_order() {
    // Looking at the stream before the input's fill lets frames of a new stream slip into the old one; throwing away
    // output that came after the look at the acknowledged stream loses that stream's first frames. A stream that is seen
    // before the song frame, or whose start is that of another one, is anchored to a wrong place.
    for mistake in [Mistake::Worker, Mistake::Audio, Mistake::Song, Mistake::Early] {
        assert!(std::panic::catch_unwind(|| explore(mistake)).is_err());
    }
}
