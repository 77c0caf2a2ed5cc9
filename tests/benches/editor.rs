//! What the built plug-in's window costs, in percent of one core: what the threads that came with the window use, its drawing
//! threads included where OpenGL is software. On a display without a screen, where it is.
//!
//! `cargo xtask bundle && cargo bench -p tributary-tests --bench editor`; `cargo xtask bench` collects the figures.

#[cfg(target_os = "linux")]
fn main() {
    if let Err(error) = linux::measure() {
        eprintln!("editor bench: {error:#}");
        std::process::exit(1);
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: editor bench: threads are counted on Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    use anyhow::{Context, Result};
    use clap_host::bundled::{CLAP_ID, StagedClap, StagedModel, built_clap, model_folder};
    use clap_host::signals::bursts;
    use clap_host::{AudioSetup, Instance, Library, Processor, display};

    const RATE_HZ: f64 = 48_000.0;
    const BLOCK: usize = 512;
    /// The stems go around after so many seconds.
    const SONG_S: usize = 12;
    /// Before a measurement, so that meters have come to where they go, and its length.
    const SETTLING: Duration = Duration::from_secs(8);
    const MEASURING: Duration = Duration::from_secs(10);
    const MODEL_LIMIT: Duration = Duration::from_secs(60);

    /// What the host does.
    const RESTING: u8 = 0;
    const SILENT: u8 = 1;
    const PLAYING: u8 = 2;

    /// Opens the window and measures while the host rests, hands over silence, and plays.
    pub fn measure() -> Result<()> {
        if !display::start()? {
            return Ok(());
        }
        let Some(clap) = built_clap() else { return Ok(()) };
        // The plain sum: only the window is of interest, and a network's threads would be busy.
        let staged = StagedClap::new(&clap, &StagedModel::CopyOf(model_folder("sum")), true)?;
        let library = Library::load(&staged.clap())?;
        let mut instance = library.instantiate(CLAP_ID)?;
        let mut processor = instance.activate(AudioSetup::live(RATE_HZ, BLOCK))?;
        instance.wait_for_model(MODEL_LIMIT).context("the model does not load")?;
        let (doing, over) = (AtomicU8::new(RESTING), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let host = scope.spawn(|| play(&mut processor, &doing, &over));
            let looked = look_at(&mut instance, &doing);
            over.store(true, Relaxed);
            host.join().ok().context("the host's thread broke")?.and(looked)
        })?;
        processor.stop();
        instance.deactivate(processor);
        Ok(())
    }

    /// Opens the window, and prints a figure for each thing that the host does.
    fn look_at(instance: &mut Instance, doing: &AtomicU8) -> Result<()> {
        // The host's thread has come.
        std::thread::sleep(Duration::from_millis(100));
        let others: BTreeSet<u32> = times()?.into_keys().collect();
        instance.open_window()?;
        instance.show_window()?;
        for (name, what) in [
            ("editor_resting_percent", RESTING),
            ("editor_silent_percent", SILENT),
            ("editor_playing_percent", PLAYING),
            ("editor_paused_percent", SILENT),
        ] {
            doing.store(what, Relaxed);
            instance.serve_requests();
            std::thread::sleep(SETTLING);
            println!("{name:32} {:.2}", percent(&others)?);
        }
        instance.close_window();
        println!("{:32} {:.2}", "editor_closed_percent", percent(&others)?);
        Ok(())
    }

    /// Hands over blocks as time goes.
    fn play(processor: &mut Processor, doing: &AtomicU8, over: &AtomicBool) -> Result<()> {
        let stem = |seed: u64| bursts(SONG_S * RATE_HZ as usize, 0.2, RATE_HZ, seed);
        let song: Vec<Vec<f32>> = (0..10).map(stem).collect();
        let silence = vec![0.0; BLOCK];
        let mut output = [vec![0.0; BLOCK], vec![0.0; BLOCK]];
        let began = Instant::now();
        for number in 0_usize.. {
            if over.load(Relaxed) {
                break;
            }
            let from = number * BLOCK % (song[0].len() - BLOCK);
            let what = doing.load(Relaxed);
            let side = |bus: usize, side: usize| match what {
                PLAYING => &song[2 * bus + side][from..from + BLOCK],
                _ => silence.as_slice(),
            };
            if what != RESTING {
                let [left, right] = &mut output;
                processor.process(
                    &std::array::from_fn(|bus| [side(bus, 0), side(bus, 1)]),
                    [left, right],
                    &[],
                )?;
            }
            let due = Duration::from_secs_f64((number + 1) as f64 * BLOCK as f64 / RATE_HZ);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        Ok(())
    }

    /// What threads other than these use, in percent of a core.
    fn percent(others: &BTreeSet<u32>) -> Result<f64> {
        let (before, began) = (times()?, Instant::now());
        std::thread::sleep(MEASURING);
        let used: u64 = times()?
            .into_iter()
            .filter(|(thread, _)| !others.contains(thread))
            .map(|(thread, time_ns)| time_ns - before.get(&thread).copied().unwrap_or(0).min(time_ns))
            .sum();
        Ok(100.0 * used as f64 / began.elapsed().as_nanos() as f64)
    }

    /// Time that each thread of this process has had a processor, in nanoseconds.
    fn times() -> Result<BTreeMap<u32, u64>> {
        let mut times = BTreeMap::new();
        for entry in std::fs::read_dir("/proc/self/task")? {
            let folder = entry?;
            // A thread may end meanwhile.
            let Ok(text) = std::fs::read_to_string(folder.path().join("schedstat")) else { continue };
            let thread = folder.file_name().to_string_lossy().parse()?;
            let time = text.split_whitespace().next().context("the kernel keeps no times of threads")?;
            times.insert(thread, time.parse()?);
        }
        Ok(times)
    }
}
