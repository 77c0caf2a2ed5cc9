//! The simulation with clocks that drift, hang, run ahead and were asleep, and a worker that is late: whether the audio
//! side waits, how long, and what a host's pause costs.

use std::cell::RefCell;

use super::*;

thread_local! {
    /// The worker that goes on while the host renders and waits.
    static BUSY: RefCell<Option<Busy>> = const { RefCell::new(None) };
}

/// A worker whose hops take their time.
struct Busy {
    worker: Worker,
    hop_takes: Duration,
    /// Since when it makes one.
    began: Option<Instant>,
    hops: usize,
    /// One hop that takes another time.
    stall: Option<(usize, Duration)>,
}

impl Busy {
    /// Does what can be done by now. The host's rate is the model's, so frames count alike.
    fn work(&mut self) {
        while self.worker.pipeline.missing_frames() <= self.worker.input.slots() / CHANNELS {
            let stalls = self.stall.filter(|(at, _)| *at == self.hops).map(|(_, takes)| takes);
            let takes = stalls.unwrap_or(self.hop_takes);
            if now() < *self.began.get_or_insert_with(now) + takes {
                return;
            }
            self.worker.round().unwrap();
            self.began = None;
            self.hops += 1;
        }
    }
}

/// Whether a worker may allocate while the host waits for it.
pub(super) fn is_worker_here() -> bool {
    BUSY.with_borrow(Option::is_some)
}

/// Time has passed.
pub(super) fn work() {
    BUSY.with_borrow_mut(|busy| busy.iter_mut().for_each(Busy::work));
}

/// A host that renders at fifty times real time as long as it is let.
struct Render {
    host: Arc<Mutex<Option<Host>>>,
    longest_wait: Duration,
}

impl Render {
    fn new(seed: u64, geometry: WindowGeometry, offline: bool, hop_takes: Duration) -> Self {
        let Simulation { worker, host, .. } = Simulation::with_geometry(seed, geometry);
        if let Some(host) = &mut *host.lock().unwrap() {
            host.settings.offline = offline;
            host.speed = 50.0;
        }
        BUSY.set(Some(Busy { worker, hop_takes, began: None, hops: 0, stall: None }));
        Self { host, longest_wait: Duration::ZERO }
    }

    fn run(&mut self, seconds: f64) {
        let mut host = self.host.lock().unwrap();
        let host = host.as_mut().unwrap();
        for _ in 0..(seconds * RATE_HZ) as usize / MAX_BLOCK {
            let before = WAITED.get();
            host.play_block(MAX_BLOCK);
            self.longest_wait = self.longest_wait.max(WAITED.get() - before);
            work();
        }
    }

    /// Seconds of the file that are not the mix, and what the record says.
    fn wrong_and_report(&self) -> (Vec<f64>, crate::RenderReport) {
        let mut host = self.host.lock().unwrap();
        let host = host.as_mut().unwrap();
        let latency = host.audio.latency_frames();
        let file = host.out[latency..].iter().enumerate();
        let wrong = file.filter(|(n, out)| (*out - MODEL_GAIN * 4.0 * chord(*n)).abs() > 1e-6);
        let wrong_s = wrong.map(|(n, _)| n as f64 / RATE_HZ).collect();
        (wrong_s, host.telemetry.render(RATE_HZ).unwrap())
    }
}

/// Hops of 406 ms.
const LONG: WindowGeometry = WindowGeometry { hop_frames: 8 * 2240, computing_frames: 8 * 2240, ..GEOMETRY };

#[test]
fn an_announced_render_lacks_nothing_however_slow_the_worker() {
    // A hundred times slower than real time.
    let mut render = Render::new(80, GEOMETRY, true, Duration::from_millis(5_080));
    render.run(5.0);
    let (wrong_s, report) = render.wrong_and_report();
    assert!(wrong_s.is_empty() && report.announced && report.lost_s.is_empty(), "{report:?}");
    assert!(WAITED.get() > Duration::from_secs(400), "{:?}", WAITED.get());
}

#[test]
fn hops_that_take_longer_than_a_call_may_wait_are_waited_for_in_many_calls() {
    // 2.3 times real time, and each hop almost twice as long as a call may wait.
    let mut render = Render::new(81, LONG, false, Duration::from_millis(180));
    render.run(30.0);
    let (wrong_s, report) = render.wrong_and_report();
    assert!(wrong_s.is_empty() && !report.announced && report.lost_s.is_empty(), "{report:?}");
    assert!(render.longest_wait < Duration::from_millis(101), "{:?}", render.longest_wait);
}

#[test]
fn what_an_unannounced_render_loses_is_told_and_no_call_waits_long() {
    for (hop_takes, stall) in [
        // Slower than real time, or a hop that stands still for five seconds.
        (Duration::from_millis(60), None),
        (Duration::from_millis(10), Some((40, Duration::from_secs(5)))),
    ] {
        let mut render = Render::new(82, GEOMETRY, false, hop_takes);
        BUSY.with_borrow_mut(|busy| busy.as_mut().unwrap().stall = stall);
        render.run(150.0);
        assert!(render.longest_wait < Duration::from_millis(101), "{:?}", render.longest_wait);
        let (wrong_s, report) = render.wrong_and_report();
        let is_told = |s: &f64| report.lost_s.iter().any(|[from, to]| (*from..*to).contains(s));
        let untold: Vec<_> = wrong_s.iter().filter(|s| !is_told(s)).collect();
        assert!(!wrong_s.is_empty() && untold.is_empty(), "{} of {}", untold.len(), wrong_s.len());
        assert!(report.words().unwrap().contains("does not say that it renders"), "{report:?}");
    }
}

/// The worst that clocks do to a host which plays, with a worker that is late most of the time.
#[test]
fn a_host_that_plays_never_waits_whatever_its_clock_does() {
    for (seed, speed) in
        [0.999, 0.999_95, 1.000_05, 1.001, 1.02, 25.0 / 24.0, 48.0 / 44.1].into_iter().enumerate()
    {
        let mut simulation = Simulation::new(50 + seed as u64);
        simulation.host(|host| host.speed = speed);
        for round in 0..25 {
            simulation.run(1.5, round % 3 > 0);
            match round % 5 {
                1 => simulation.host(|host| host.hang(0.5)),
                2 => simulation.host(|host| host.hang(1.5)),
                // Half a second ahead, as if from nowhere.
                3 => simulation.host(|host| host.behind_frames = 22_050),
                4 if round % 2 == 0 => simulation.host(|host| host.audio.reset()),
                _ => {}
            }
            if round == 15 {
                let_pass(Duration::from_secs(8 * 3600));
            }
        }
        assert_eq!(WAITED.get(), Duration::ZERO, "speed {speed}");
        let telemetry = &simulation.worker.telemetry;
        assert!(telemetry.underruns.load(Relaxed) > 10, "late hops are what it might wait for");
        assert!(telemetry.render(RATE_HZ).is_none(), "and none of it is a render");
    }
}

/// Nobody makes the hops: all waits are in vain, and each is as long as it may be.
#[test]
fn waits_end_even_when_nothing_comes() {
    // Said: a minute once, then no more until there is progress.
    let mut simulation = Simulation::new(60);
    simulation.host(|host| host.settings.offline = true);
    let latency = simulation.host(|host| host.audio.latency_frames());
    let rendered = |simulation: &Simulation| simulation.worker.telemetry.render(RATE_HZ).unwrap();
    let render = |simulation: &Simulation, frames: usize| {
        (0..frames.div_ceil(MAX_BLOCK)).for_each(|_| simulation.host(|host| host.play_block(MAX_BLOCK)));
    };
    render(&simulation, latency + 44_100);
    let waited = WAITED.get().as_secs_f64();
    assert!((60.0..60.1).contains(&waited), "{waited}");
    let lost = rendered(&simulation).lost_s;
    assert!(lost.len() == 1 && lost[0][0] == 0.0 && (lost[0][1] - 1.0).abs() < 0.05, "{lost:?}");
    // The worker is back: what follows is the mix again, and what was lost stays said.
    while simulation.worker.round().unwrap() == Round::Busy {}
    for _ in 0..400 {
        simulation.host(|host| host.play_block(MAX_BLOCK));
        while simulation.worker.round().unwrap() == Round::Busy {}
    }
    let (out, wanted) = simulation.signals();
    let end = out.len() - 44_100;
    let worst = out[end..].iter().zip(&wanted[end..]).map(|(out, x)| (out - MODEL_GAIN * x).abs());
    assert!(worst.fold(0.0, f32::max) < 1e-6);
    assert!(rendered(&simulation).lost_s[0][1] < 3.0, "{:?}", rendered(&simulation));
    assert!(WAITED.get().as_secs_f64() < 60.1, "not once more");

    // Not said: a tenth of a second a call, and not for long, because that is no render's pace any more.
    let simulation = Simulation::new(61);
    simulation.host(|host| host.speed = 1e6);
    let mut longest = Duration::ZERO;
    for _ in 0..(latency + 44_100) / MAX_BLOCK {
        let before = WAITED.get();
        simulation.host(|host| host.play_block(MAX_BLOCK));
        longest = longest.max(WAITED.get() - before);
    }
    assert!((0.099..0.101).contains(&longest.as_secs_f64()), "{longest:?}");
    assert!(WAITED.get() < Duration::from_secs(1), "{:?}", WAITED.get());
    assert!(!rendered(&simulation).announced);
}

/// The monitor path's window: hops of 6 ms.
const MONITOR: WindowGeometry = WindowGeometry {
    context_frames: 0,
    hop_frames: 256,
    lookahead_frames: 0,
    crossfade_frames: 0,
    computing_frames: 256,
    ..GEOMETRY
};

/// The worker sleeps as long as it says, in simulated time, while the host plays, pauses and plays again.
#[test]
fn a_pause_of_the_host_costs_no_underrun() {
    for (seed, geometry) in [(70, MONITOR), (71, GEOMETRY)] {
        let mut simulation = Simulation::with_geometry(seed, geometry);
        let mut wakes = now();
        for pause_s in [0.0, 0.3, 0.6, 2.0, 7.0, 0.7, 1.1, 3.3, 2.7] {
            let resumes = now() + Duration::from_secs_f64(pause_s);
            let mut played = 0;
            while played < 300 {
                if wakes <= now() {
                    wakes = now() + simulation.pass_round();
                } else if resumes <= now() {
                    simulation.host(|host| host.play_block(MAX_BLOCK));
                    played += 1;
                } else {
                    let_pass(wakes.min(resumes) - now());
                }
            }
        }
        let underruns = simulation.worker.telemetry.underruns.load(Relaxed);
        assert_eq!(underruns, 0, "hops of {} frames", geometry.hop_frames);
    }
}
