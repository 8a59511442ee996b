//! Which kernels compute: MLX's own, or ours (`native/offprint-kernels`) at one of their levels, on so many threads.

use anyhow::{Context, Result, bail};

/// `plain`, `avx2`, `avx512`: ours at that level; `stock`: MLX's own. Unset: the best of ours that the processor can.
pub const LEVEL_VARIABLE: &str = "OFFPRINT_KERNELS";
/// Threads of ours; unset: one a physical core that this program may use.
pub const THREADS_VARIABLE: &str = "OFFPRINT_THREADS";

/// The choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kernels {
    Stock,
    Ours { level: String, threads: u32 },
}

impl Kernels {
    /// What the environment asks for.
    ///
    /// # Errors
    /// A level that is none or that this processor lacks; a number of threads that is none.
    pub fn from_environment() -> Result<Self> {
        let told = |name: &str| std::env::var(name).unwrap_or_default();
        Self::parse(&told(LEVEL_VARIABLE), &told(THREADS_VARIABLE))
    }

    fn parse(level: &str, threads: &str) -> Result<Self> {
        if level == "stock" {
            return Ok(Kernels::Stock);
        }
        let Some(usable) = best(level) else {
            // Without ours, nothing asked for is MLX's own.
            if level.is_empty() {
                return Ok(Kernels::Stock);
            }
            bail!(
                "{LEVEL_VARIABLE}: expected `stock` or one of {}, found `{level}`\nhint: unset it, and the best is taken",
                levels().join(", ")
            );
        };
        let threads =
            match threads {
                "" => physical_cores(),
                some => some.parse().ok().filter(|n| (1..=256).contains(n)).with_context(|| {
                    format!("{THREADS_VARIABLE}: expected 1 to 256, found `{some}`\nhint: unset it")
                })?,
            };
        Ok(Kernels::Ours { level: usable, threads })
    }
}

impl std::fmt::Display for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kernels::Stock => write!(f, "MLX's own"),
            Kernels::Ours { level, threads: 1 } => write!(f, "offprint {level}, 1 thread"),
            Kernels::Ours { level, threads } => write!(f, "offprint {level}, {threads} threads"),
        }
    }
}

/// The levels that this processor can, best first.
pub fn levels() -> Vec<String> {
    ["avx512", "avx2", "plain"].iter().filter_map(|level| best(level)).collect()
}

/// The best usable level, or the one asked for if it is usable.
#[cfg(target_os = "linux")]
fn best(wanted: &str) -> Option<String> {
    let wanted = std::ffi::CString::new(wanted).ok()?;
    // SAFETY: a string that lives through the call; the answer is null or a constant.
    unsafe {
        let name = offprint_kernels::offprint_level(wanted.as_ptr());
        (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

#[cfg(not(target_os = "linux"))]
fn best(_: &str) -> Option<String> {
    None
}

/// Usable processors; half of them where two are one core's.
fn physical_cores() -> u32 {
    let usable = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let paired = std::fs::read_to_string("/sys/devices/system/cpu/smt/active").is_ok_and(|text| text.trim() == "1");
    if paired { usable.div_ceil(2) } else { usable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_and_is_told_when_it_cannot() {
        assert_eq!(Kernels::parse("stock", "").unwrap(), Kernels::Stock);
        assert_eq!(Kernels::parse("stock", "nonsense").unwrap(), Kernels::Stock);
        let error = Kernels::parse("avx3", "").unwrap_err().to_string();
        assert!(error.starts_with("OFFPRINT_KERNELS: expected `stock` or") && error.contains("hint:"), "{error}");
        if let Some(level) = levels().first() {
            let Kernels::Ours { level: found, threads } = Kernels::parse("", "").unwrap() else { panic!() };
            assert!(found == *level && threads >= 1);
            assert_eq!(Kernels::parse("plain", "3").unwrap(), Kernels::Ours { level: "plain".into(), threads: 3 });
            for wrong in ["0", "-1", "many", "257"] {
                assert!(
                    Kernels::parse("plain", wrong).unwrap_err().to_string().contains("OFFPRINT_THREADS"),
                    "{wrong}"
                );
            }
        }
    }
}
