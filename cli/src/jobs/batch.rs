//! Works through many songs on several threads, or on several machines: a shared counter for the first, `--shard i/n`
//! for the second.
//!
//! Songs are independent, so the result does not depend on the number of threads or shards; only the order in which
//! they finish does, and results are returned in the order of the input.

use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One of `count` equal parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: usize,
    /// How many parts.
    pub count: usize,
}

impl Shard {
    /// Whether the `position`-th song (from 0, in sorted order) belongs to this part.
    pub fn contains(self, position: usize) -> bool {
        position % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `i/n` with 1 ≤ i ≤ n.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(format!("\"{text}\" is not a shard; write i/n with i from 1 to n, such as 2/8")),
        }
    }
}

/// Threads to use when the user names none.
pub fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `work` on every item on up to `jobs` threads and returns the results in the items' order.
pub fn run<I: Sync, R: Send>(items: &[I], jobs: usize, work: impl Fn(&I) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    let result = work(item);
                    results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// As [`run`], for items that the work takes over.
pub fn run_each<I: Send, R: Send>(items: Vec<I>, jobs: usize, work: impl Fn(I) -> R + Sync) -> Vec<R> {
    let items: Vec<Mutex<Option<I>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let take = |item: &Mutex<Option<I>>| item.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    run(&items, jobs, |item| take(item).map(&work)).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_for_any_number_of_threads() {
        let items: Vec<usize> = (0..37).collect();
        for jobs in [0, 1, 2, 5, 100] {
            assert_eq!(run(&items, jobs, |n| n * n), items.iter().map(|n| n * n).collect::<Vec<_>>());
        }
        assert!(run(&[] as &[usize], 4, |n| *n).is_empty());
    }

    #[test]
    fn shards_cover_every_song_once() {
        for count in 1..6 {
            for song in 0..20 {
                let holders = (1..=count).filter(|&index| Shard { index, count }.contains(song)).count();
                assert_eq!(holders, 1);
            }
        }
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("2/8".parse(), Ok(Shard { index: 2, count: 8 }));
    }
}
