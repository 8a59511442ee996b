//! A meter at the wall, as a CSV file that some program writes while runs go on: columns `time` and `watts`, others are left alone. Its clock
//! must be this machine's, which is seen before the first run.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::sampling::integral;

pub(super) const SOURCE: &str = "meter";
/// A file whose last line is older, or younger, is not being written by this machine's clock.
const FRESH_S: f64 = 30.0;
/// Between two lines: beyond it nothing is known.
const GAP_S: f64 = 10.0;
/// So long after a window its lines may still come.
const PATIENCE: Duration = Duration::from_secs(15);
const HINT: &str = "hint: start the meter's program first and let it write a line at least every 10 s: time (seconds since 1970, or 2026-11-28T13:04:47Z) and watts, by this machine's clock";

/// The file.
#[derive(Debug)]
pub struct Wall {
    file: PathBuf,
    patience: Duration,
}

impl Wall {
    /// `now`: seconds since 1970.
    ///
    /// # Errors
    /// A file that is none of a meter, or by another clock.
    pub fn open(file: &Path, now: f64) -> Result<Wall> {
        let wall = Wall { file: file.to_owned(), patience: PATIENCE };
        let points = wall.points().with_context(|| file.display().to_string())?;
        let at = file.display();
        let Some((last, _)) = points.last() else { bail!("{at}: expected lines of a meter, found none\n{HINT}") };
        let age = now - last;
        ensure!(
            age.abs() <= FRESH_S,
            "{at}: expected a last line of now, found one {:.0} s {}\n{HINT}",
            age.abs(),
            if age > 0.0 { "ago" } else { "ahead" }
        );
        Ok(wall)
    }

    fn points(&self) -> Result<Vec<(f64, f64)>> {
        let text = fs::read_to_string(&self.file).context("it cannot be read")?;
        points(&text)
    }

    /// Joules between two moments (seconds since 1970), with the readings that they rest on and how often those come. Waits for lines that
    /// have not been written yet.
    ///
    /// # Errors
    /// Why there is no value, in words.
    pub(super) fn joules(&self, from: f64, to: f64) -> Result<(f64, u32, f64), String> {
        let begun = Instant::now();
        loop {
            let points = self.points().map_err(|error| format!("{error:#}").replace('\n', "; "))?;
            let late = points.last().is_none_or(|(last, _)| *last < to);
            if !late || begun.elapsed() >= self.patience {
                return within(&points, from, to);
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Seconds since 1970 and watts, ascending. A last line without its end is being written, and is left alone.
fn points(text: &str) -> Result<Vec<(f64, f64)>> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut lines = (1..).zip(whole.lines()).filter(|(_, line)| !line.trim().is_empty());
    let Some((_, header)) = lines.next() else { return Ok(Vec::new()) };
    let names: Vec<String> = cells(header).map(str::to_lowercase).collect();
    let column = |name: &str| {
        let place = names.iter().position(|known| known == name);
        place
            .with_context(|| format!("line 1: expected columns `time` and `watts`, found {}\n{HINT}", names.join(", ")))
    };
    let (time, watts) = (column("time")?, column("watts")?);
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (number, line) in lines {
        let cells: Vec<&str> = cells(line).collect();
        let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
        let at = instant(cell(time))
            .with_context(|| format!("line {number}: expected a time, found {:?}\n{HINT}", cell(time)))?;
        let power = cell(watts).parse::<f64>().ok().filter(|watts| watts.is_finite() && *watts >= 0.0);
        let power = power.with_context(|| format!("line {number}: expected watts, found {:?}\n{HINT}", cell(watts)))?;
        let later = points.last().is_none_or(|(before, _)| *before < at);
        ensure!(later, "line {number}: expected a later time than the line before, found {}\n{HINT}", cell(time));
        points.push((at, power));
    }
    Ok(points)
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|cell| cell.trim().trim_matches('"'))
}

fn instant(text: &str) -> Option<f64> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    seconds.or_else(|| text.parse::<jiff::Timestamp>().ok().map(|at| at.as_nanosecond() as f64 / 1e9))
}

/// The integral, where the lines cover the window without a gap.
fn within(points: &[(f64, f64)], from: f64, to: f64) -> Result<(f64, u32, f64), String> {
    let first = points.partition_point(|(at, _)| *at <= from);
    let last = points.partition_point(|(at, _)| *at < to);
    if first == 0 || last == points.len() {
        let missing = |seconds: f64| format!("the meter's lines do not cover the window: {seconds:.1} s are missing");
        let before = points.first().map_or(to - from, |(at, _)| at - from);
        let after = points.last().map_or(to - from, |(at, _)| to - at);
        return Err(if first == 0 {
            format!("{} before its first", missing(before))
        } else {
            format!("{} after its last", missing(after))
        });
    }
    let around = &points[first - 1..=last];
    let longest = around.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max);
    if longest > GAP_S {
        return Err(format!("the meter was silent for {longest:.1} s of the window"));
    }
    let joules = integral(around, from, to).ok_or("the meter has one line in the window")?;
    let period = (around[around.len() - 1].0 - around[0].0) / (around.len() - 1) as f64;
    if joules > 0.0 { Ok((joules, around.len() as u32, period)) } else { Err("the meter says 0 W".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line a second from 1,000 s on, of 100 W and then of 200 W.
    fn csv() -> String {
        let line = |second: u32| format!("{},{},x\n", 1_000 + second, if second < 10 { 100 } else { 200 });
        "time,watts,note\n".to_owned() + &(0..20).map(line).collect::<String>()
    }

    #[test]
    fn windows_by_hand() {
        let points = points(&csv()).unwrap();
        let (joules, samples, period) = within(&points, 1_002.5, 1_006.0).unwrap();
        assert_eq!((joules, samples, period), (350.0, 5, 1.0));
        // Over the step: trapezoids rise from 100 W to 200 W in a second.
        assert_eq!(within(&points, 1_008.0, 1_012.0).unwrap().0, 100.0 + 150.0 + 400.0);
        let why = |from, to| within(&points, from, to).unwrap_err();
        assert!(why(999.0, 1_005.0).contains("1.0 s are missing before its first"));
        assert!(why(1_015.0, 1_021.5).contains("2.5 s are missing after its last"));
        assert!(within(&[(0.0, 5.0), (20.0, 5.0)], 1.0, 2.0).unwrap_err().contains("silent for 20.0 s"));
        assert!(within(&[(0.0, 0.0), (2.0, 0.0)], 0.5, 1.0).unwrap_err().contains("says 0 W"));
        assert!(within(&[], 1.0, 2.0).is_err());
    }

    #[test]
    fn times_in_either_form_and_a_line_that_is_being_written() {
        let text = "\"Watts\", time\n 12.5,2026-11-28T13:00:00Z\n13,2026-11-28T13:00:01.5Z\n14,2026-11-2";
        assert_eq!(points(text).unwrap(), [(1_795_870_800.0, 12.5), (1_795_870_801.5, 13.0)]);
        assert_eq!(points("").unwrap(), []);
    }

    #[test]
    fn what_is_no_meter_s_file_is_said_with_its_line() {
        let why = |text: &str| format!("{:#}", points(text).unwrap_err());
        assert!(why("when,power\n1,2\n").contains("expected columns `time` and `watts`, found when, power"));
        assert!(why("time,watts\nsoon,2\n").contains("line 2: expected a time, found \"soon\""));
        assert!(why("time,watts\n1,2\n2,-3\n").contains("line 3: expected watts, found \"-3\""));
        assert!(why("time,watts\n1,2\n1,2\n").contains("line 3: expected a later time"));
        assert!(why("time,watts\n1\n").contains("line 2: expected watts, found \"\""));
    }

    #[test]
    fn another_clock_is_seen_before_the_first_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meter.csv");
        fs::write(&file, csv()).unwrap();
        assert!(Wall::open(&file, 1_020.0).is_ok());
        let why = |now| Wall::open(&file, now).unwrap_err().to_string();
        assert!(why(4_619.0).contains("expected a last line of now, found one 3600 s ago"));
        assert!(why(0.0).contains("1019 s ahead"));
        fs::write(&file, "time,watts\n").unwrap();
        assert!(why(1_020.0).contains("found none\nhint: start the meter's program first"));
        assert!(Wall::open(Path::new("/nonexistent"), 0.0).is_err());
    }

    #[test]
    fn lines_that_come_late_are_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meter.csv");
        fs::write(&file, "time,watts\n0,50\n1,50\n").unwrap();
        let wall = Wall { file: file.clone(), patience: Duration::from_millis(900) };
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            fs::write(&file, "time,watts\n0,50\n1,50\n2,50\n3,50\n").unwrap();
        });
        assert_eq!(wall.joules(0.5, 2.5).unwrap().0, 100.0);
        writer.join().unwrap();
        assert!(wall.joules(2.5, 9.0).unwrap_err().contains("6.0 s are missing after its last"));
    }
}
