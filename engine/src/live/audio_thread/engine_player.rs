//! One engine after another without a gap: a [`EnginePlayer`] plays the audio side of an engine and, when the main thread offers
//! that of another, lets it listen along until its mix has come through and its running estimates have settled, then
//! crossfades to it. Both have the same latency, so every frame of one belongs to the same frame of the other.
//!
//! Sides travel between the threads through two rings, one each way: the audio thread neither makes nor drops one.

use rtrb::{Consumer, Producer, RingBuffer};
use tributary_dsp::CHANNELS;

use super::audio_side::AudioSide;
use super::parts::{MAX_BLOCK_LIMIT, in_parts};
use super::settings::Settings;

/// How long another engine's mix runs unheard, as long as finished corrections listen along
/// (`tributary_dsp::transition`).
const LISTEN_S: f64 = 6.0;
/// Crossfade between two engines. Their mixes are of the same song, so the gains add up to 1.
const FADE_S: f64 = 1.0;

/// An engine's audio side and its number.
struct Numbered {
    number: u64,
    side: AudioSide,
}

/// The audio thread's end: call [`EnginePlayer::process`] for every block.
pub struct EnginePlayer {
    current: Numbered,
    next: Option<Numbered>,
    /// Frames for which the next one's mix has come through, then frames of the crossfade.
    heard_frames: usize,
    listen_frames: usize,
    fade_frames: usize,
    offered: Consumer<Numbered>,
    retired: Producer<Numbered>,
    scratch: [Vec<f32>; 2],
}

/// The main thread's end.
pub struct PlayerControl {
    offer: Producer<Numbered>,
    retired: Consumer<Numbered>,
    latency_frames: usize,
    /// Number of the newest side, and of the one that plays as far as is known.
    newest: u64,
    playing: u64,
}

/// What has become of an offer.
pub enum Retired {
    /// The offered engine plays; this is the side that played before.
    Replaced(AudioSide),
    /// The offered engine has failed and never played; this is its side.
    Refused(AudioSide),
}

impl EnginePlayer {
    /// A player that plays `side`, whose engine runs at `rate_hz` and announced blocks of at most `max_block` frames.
    /// Allocates.
    pub fn new(side: AudioSide, rate_hz: f64, max_block: usize) -> (Self, PlayerControl) {
        let (offer, offered) = RingBuffer::new(1);
        let (retired, collected) = RingBuffer::new(1);
        let frames = |seconds: f64| (seconds * rate_hz.clamp(1.0, 768e3)) as usize;
        let control = PlayerControl {
            offer,
            retired: collected,
            latency_frames: side.latency_frames(),
            newest: 0,
            playing: 0,
        };
        let scratch = vec![0.0; max_block.clamp(1, MAX_BLOCK_LIMIT)];
        let player = Self {
            current: Numbered { number: 0, side },
            next: None,
            heard_frames: 0,
            listen_frames: frames(LISTEN_S),
            fade_frames: frames(FADE_S).max(1),
            offered,
            retired,
            scratch: [scratch.clone(), scratch],
        };
        (player, control)
    }

    /// Frames between an input and its output; the same for every engine that plays here.
    pub fn latency_frames(&self) -> usize {
        self.current.side.latency_frames()
    }

    /// As [`AudioSide::reset`]. Nothing goes on across a reset, so a next engine whose mix has come through takes over.
    /// Real-time safe.
    pub fn reset(&mut self) {
        if self.has_failed() {
            self.refuse();
        } else if self.heard_frames > 0 {
            self.replace();
        }
        self.current.side.reset();
        if let Some(next) = &mut self.next {
            next.side.reset();
        }
    }

    /// As [`AudioSide::process`], of which it takes two calls while another engine comes in. One that fails meanwhile goes
    /// out again as it came. Real-time safe likewise.
    pub fn process(&mut self, main: [&mut [f32]; 2], stems: [&[f32]; CHANNELS], settings: &Settings) {
        if self.next.is_none() {
            self.next = self.offered.pop().ok();
        }
        if self.has_failed() && self.heard_frames <= self.listen_frames {
            self.refuse();
        }
        if self.next.is_none() {
            return self.current.side.process(main, stems, settings);
        }
        let mut settings = *settings;
        in_parts(main, stems, self.scratch[0].len(), |main, stems| {
            let frames = main[0].len();
            self.process_both(main, stems, &settings);
            settings = settings.after(frames);
        });
    }

    fn process_both(&mut self, main: [&mut [f32]; 2], stems: [&[f32]; CHANNELS], settings: &Settings) {
        let Some(next) = &mut self.next else { return self.current.side.process(main, stems, settings) };
        let frames = main[0].len();
        let [left, right] = self.scratch.each_mut().map(|side| &mut side[..frames]);
        left.copy_from_slice(main[0]);
        right.copy_from_slice(main[1]);
        next.side.process_unshown([&mut *left, &mut *right], stems, settings);
        let [main_left, main_right] = main;
        self.current.side.process_unshown([&mut *main_left, &mut *main_right], stems, settings);
        if !next.side.is_mixing() && self.heard_frames < self.listen_frames {
            self.heard_frames = 0;
            return [next, &mut self.current]
                .into_iter()
                .for_each(|of| of.side.show([main_left, main_right]));
        }
        let direction = if next.side.is_failed() { -1 } else { 1 };
        let faded = self.heard_frames as isize - self.listen_frames as isize;
        for (out, new) in [(&mut *main_left, left), (&mut *main_right, right)] {
            for (i, (out, new)) in out.iter_mut().zip(new.iter()).enumerate() {
                let weight =
                    ((faded + direction * i as isize) as f32 / self.fade_frames as f32).clamp(0.0, 1.0);
                *out = *out * (1.0 - weight) + *new * weight;
            }
        }
        [next, &mut self.current].into_iter().for_each(|of| of.side.show([main_left, main_right]));
        self.heard_frames = self.heard_frames.saturating_add_signed(direction * frames as isize);
        if self.heard_frames >= self.listen_frames + self.fade_frames {
            self.replace();
        }
    }

    fn has_failed(&self) -> bool {
        self.next.as_ref().is_some_and(|next| next.side.is_failed())
    }

    /// The next engine plays from now on.
    fn replace(&mut self) {
        if let Some(next) = &mut self.next {
            std::mem::swap(&mut self.current, next);
            self.refuse();
        }
    }

    /// Sends the side that is not to play back to the main thread. There is room: one is offered at a time.
    fn refuse(&mut self) {
        self.heard_frames = 0;
        if let Some(side) = self.next.take()
            && let Err(rtrb::PushError::Full(side)) = self.retired.push(side)
        {
            self.next = Some(side);
        }
    }
}

impl PlayerControl {
    /// Offers another engine's side. It must have the player's latency (see [`crate::Engine::start_at_latency`]), and the offer
    /// before it must have been [collected](Self::collect).
    ///
    /// # Errors
    /// Otherwise it comes back.
    #[expect(clippy::result_large_err, reason = "what comes back is what was given")]
    pub fn offer(&mut self, side: AudioSide) -> Result<(), AudioSide> {
        if side.latency_frames() != self.latency_frames || self.is_pending() {
            return Err(side);
        }
        self.newest += 1;
        self.offer
            .push(Numbered { number: self.newest, side })
            .map_err(|rtrb::PushError::Full(back)| back.side)
    }

    /// The latency that another engine must have.
    pub fn latency_frames(&self) -> usize {
        self.latency_frames
    }

    /// Whether an offer has not been collected.
    pub fn is_pending(&self) -> bool {
        self.newest != self.playing
    }

    /// What has become of the last offer; `None` while that is open. Dropping an [`crate::EngineHandle`] afterwards ends
    /// the engine that does not play.
    pub fn collect(&mut self) -> Option<Retired> {
        let Numbered { number, side } = self.retired.pop().ok()?;
        if number == self.newest {
            self.newest = self.playing;
            return Some(Retired::Refused(side));
        }
        self.playing = self.newest;
        Some(Retired::Replaced(side))
    }
}
