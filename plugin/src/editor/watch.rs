//! Looks for what has changed, and asks for a frame only then. The framework draws every frame that is asked for, whatever is
//! in it, and where OpenGL is software a frame takes a hundred times as long as a look. So looking has a thread of its own,
//! as long as the window is open.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::pace::Pace;

/// What was shown last, and what it took.
#[derive(Debug)]
struct Shown<T> {
    /// `None` before the first frame.
    seen: Option<Arc<T>>,
    /// When it is to be drawn anew even if nothing changes: something that is held lets go.
    until: Option<Instant>,
    took: Duration,
}

/// See the module documentation.
pub struct Watch<T> {
    shown: Arc<Mutex<Shown<T>>>,
    /// The thread ends when this goes.
    running: Option<(Sender<Infallible>, JoinHandle<()>)>,
}

impl<T: PartialEq + Send + Sync + 'static> Watch<T> {
    /// Looks from now on. `look` is given what was shown last; `ask` asks for a frame. Both are called on the thread that
    /// looks; without one, which the system may refuse, nothing is asked for.
    pub fn start(look: impl FnMut(&T) -> T + Send + 'static, ask: impl Fn() + Send + 'static) -> Self {
        let shown = Arc::new(Mutex::new(Shown { seen: None, until: None, took: Duration::ZERO }));
        let (running, over) = channel();
        let watched = Arc::clone(&shown);
        let spawned = std::thread::Builder::new()
            .name("tributary-editor".into())
            .spawn(move || run(&watched, look, &ask, &over));
        Self { shown, running: spawned.ok().map(|thread| (running, thread)) }
    }

    /// Notes what a frame shows, and until when.
    pub fn show(&self, seen: T, until: Option<Instant>) {
        let mut shown = lock(&self.shown);
        shown.seen = Some(Arc::new(seen));
        shown.until = until;
    }

    /// What notes how long a frame took, once it is drawn.
    pub fn timer(&self) -> impl Fn(Duration) + Send + Sync + use<T> {
        let shown = Arc::clone(&self.shown);
        move |took| lock(&shown).took = took
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if let Some((running, thread)) = self.running.take() {
            drop(running);
            // A panic there has been reported already.
            let _ = thread.join();
        }
    }
}

fn run<T: PartialEq>(
    shown: &Mutex<Shown<T>>,
    mut look: impl FnMut(&T) -> T,
    ask: &impl Fn(),
    over: &Receiver<Infallible>,
) {
    let (mut pace, mut wait) = (Pace::default(), super::pace::USUAL);
    while over.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let Some((seen, until, took)) = last(shown) else { continue };
        let changed = look(&seen) != *seen || until.is_some_and(|until| Instant::now() >= until);
        if changed {
            ask();
        }
        wait = pace.next(changed, took);
    }
}

/// What was shown last. Looking takes locks of its own and the window waits for this one, so it is not held meanwhile.
fn last<T>(shown: &Mutex<Shown<T>>) -> Option<(Arc<T>, Option<Instant>, Duration)> {
    let shown = lock(shown);
    shown.seen.clone().map(|seen| (seen, shown.until, shown.took))
}

fn lock<T>(shown: &Mutex<Shown<T>>) -> MutexGuard<'_, Shown<T>> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    /// Longest wait for a thread on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// What there is to see, how often it was looked at, and how often a frame was asked for.
    #[derive(Default)]
    struct World {
        value: AtomicU32,
        looks: AtomicU32,
        asked: AtomicU32,
    }

    fn watch(world: &Arc<World>) -> Watch<u32> {
        let (seen, told) = (Arc::clone(world), Arc::clone(world));
        let look = move |_: &u32| {
            seen.looks.fetch_add(1, SeqCst);
            seen.value.load(SeqCst)
        };
        Watch::start(look, move || {
            told.asked.fetch_add(1, SeqCst);
        })
    }

    fn wait_for(what: impl Fn() -> bool) {
        let began = Instant::now();
        while !what() {
            assert!(began.elapsed() < PATIENCE, "nothing happens");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_frame_is_asked_for_when_something_changed_and_only_then() {
        let world = Arc::<World>::default();
        let watch = watch(&world);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(world.looks.load(SeqCst), 0, "nothing was shown yet");
        watch.show(0, None);
        wait_for(|| world.looks.load(SeqCst) >= 5);
        assert_eq!(world.asked.load(SeqCst), 0, "nothing has changed");
        world.value.store(1, SeqCst);
        wait_for(|| world.asked.load(SeqCst) >= 2);
        watch.show(1, None);
        // A look may be under way that still knows what was shown before.
        let looks = world.looks.load(SeqCst);
        wait_for(|| world.looks.load(SeqCst) > looks + 1);
        let asked = world.asked.load(SeqCst);
        wait_for(|| world.looks.load(SeqCst) > looks + 4);
        assert_eq!(world.asked.load(SeqCst), asked, "the change is shown");
        watch.show(1, Some(Instant::now()));
        wait_for(|| world.asked.load(SeqCst) > asked);
        drop(watch);
        let looks = world.looks.load(SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(world.looks.load(SeqCst), looks, "nobody looks at a closed window");
    }
}
