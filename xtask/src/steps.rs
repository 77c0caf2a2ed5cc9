//! Named, timed steps, and the table that ends a command.
//!
//! A command is a list of steps. A *required* step stops the command when it fails; a *checked* step is noted and the
//! next one runs, so that one run of the tests shows everything that is wrong.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Passed,
    /// It failed, with its reason.
    Failed(String),
    /// It did not run, with the reason.
    Skipped(String),
}

struct Step {
    name: String,
    outcome: Outcome,
    took: Duration,
}

/// The steps of one command, in the order they ran.
#[derive(Default)]
pub struct Steps {
    ended: Vec<Step>,
}

impl Steps {
    /// Runs a step that the rest depends on; its failure is the command's.
    pub fn required<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (result, took) = timed(name, work);
        self.note(name, took, &result);
        result
    }

    /// Runs a step whose failure is noted while the command goes on; says whether it passed.
    pub fn checked(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        let (result, took) = timed(name, work);
        if let Err(error) = &result {
            eprintln!("error: {error:#}");
        }
        self.note(name, took, &result);
        result.is_ok()
    }

    /// Notes a step that does not run, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        println!("\n=== {name}: skipped ({why})");
        self.end(name, Outcome::Skipped(why.into()), Duration::ZERO);
    }

    /// How many steps passed, failed and were skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&Outcome) -> bool| self.ended.iter().filter(|s| wanted(&s.outcome)).count();
        (
            count(|o| *o == Outcome::Passed),
            count(|o| matches!(o, Outcome::Failed(_))),
            count(|o| matches!(o, Outcome::Skipped(_))),
        )
    }

    /// One line per step – result, time, name and reason – then the total time.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for step in &self.ended {
            let (result, why) = match &step.outcome {
                Outcome::Passed => ("passed", String::new()),
                Outcome::Failed(why) => ("FAILED", format!(" – {}", first_line(why))),
                Outcome::Skipped(why) => ("skipped", format!(" – {}", first_line(why))),
            };
            table += &format!("  {result:<8} {:>12}  {}{why}\n", duration(step.took), step.name);
        }
        let total: Duration = self.ended.iter().map(|step| step.took).sum();
        table + &format!("  {:<8} {:>12}\n", "total", duration(total))
    }

    /// Prints the table and the closing line; an error when a step failed.
    pub fn finish(&self) -> Result<()> {
        let (passed, failed, skipped) = self.counts();
        println!("\n{}\nsteps: {passed} passed, {failed} failed, {skipped} skipped", self.table());
        if failed > 0 {
            bail!("{failed} of {} steps failed", passed + failed);
        }
        Ok(())
    }

    fn note<T>(&mut self, name: &str, took: Duration, result: &Result<T>) {
        let outcome = match result {
            Ok(_) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        println!("--- {name}: {} after {}", if result.is_ok() { "done" } else { "FAILED" }, duration(took));
        self.end(name, outcome, took);
    }

    fn end(&mut self, name: &str, outcome: Outcome, took: Duration) {
        self.ended.push(Step { name: name.into(), outcome, took });
    }
}

fn timed<T>(name: &str, work: impl FnOnce() -> Result<T>) -> (Result<T>, Duration) {
    println!("\n=== {name}");
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// The first line of a reason, without the colon that announces more.
pub fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches(':')
}

/// A duration as one says it: `0.4 s`, `12.3 s`, `3 min 05 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        let said = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!(said(0.44), "0.4 s");
        assert_eq!(said(59.94), "59.9 s");
        assert_eq!(said(59.96), "1 min 00 s");
        assert_eq!(said(185.2), "3 min 05 s");
    }

    #[test]
    fn a_failed_check_goes_on_and_fails_the_end() {
        let mut steps = Steps::default();
        assert!(!steps.checked("first", || bail!("it broke")));
        assert!(steps.checked("second", || Ok(())));
        steps.skip("third", "not here");
        assert_eq!(steps.counts(), (1, 1, 1));
        assert!(steps.table().contains("it broke") && steps.table().contains("not here"));
        assert!(steps.finish().is_err());
    }

    #[test]
    fn a_failed_requirement_is_returned() {
        let mut steps = Steps::default();
        assert_eq!(steps.required("number", || Ok(7)).unwrap(), 7);
        assert!(steps.required::<()>("broken", || bail!("no")).is_err());
        assert_eq!(steps.counts(), (1, 1, 0));
    }
}
