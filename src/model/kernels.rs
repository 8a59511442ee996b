//! Which kernels compute: MLX's own, or ours: on a CPU (`native/offprint-kernels`) at one of their levels, on so many threads;
//! on CUDA (`native/cuda`).

use anyhow::{Context, Result, bail};
use mlx_rs::DeviceType;

/// `stock`: MLX's own, in mlx-lm's order; `qkv`, `gate_up` or `qkv,gate_up`: the same with those matrices joined. On a CPU
/// `plain`, `avx2`, `avx512`, `avx512vnni`: ours at that level; `avx512vnni16`: ours with activations of 16 bits; on CUDA `cuda`: ours.
/// Unset: on a CPU the best of ours that the processor can and that rounds no activation to 16 bits, on CUDA ours, on Metal `stock`, since nobody has measured the others there.
pub const KERNELS_VARIABLE: &str = "OFFPRINT_KERNELS";
/// Threads of ours on a CPU; unset: one a physical core that this program may use.
pub use crate::factor::THREADS_VARIABLE;

/// The choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kernels {
    /// MLX's own, in mlx-lm's order.
    Stock,
    /// MLX's own, some matrices joined.
    Joined(Joined),
    /// Ours, on a CPU.
    Ours { level: String, threads: u32 },
    /// Ours, on CUDA.
    Cuda,
}

/// Matrices of one input that are multiplied as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Joined {
    /// Queries, keys and values.
    pub qkv: bool,
    /// The MLP's gate and up.
    pub gate_up: bool,
}

/// What MLX computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    Cpu,
    Cuda,
    Metal,
}

impl Device {
    /// MLX's default device here.
    ///
    /// # Errors
    /// MLX's own.
    pub fn current() -> Result<Self> {
        Ok(match mlx_rs::Device::try_default()?.get_type()? {
            DeviceType::Cpu => Device::Cpu,
            DeviceType::Gpu if cfg!(target_os = "macos") => Device::Metal,
            DeviceType::Gpu => Device::Cuda,
        })
    }
}

impl Kernels {
    /// What the environment asks for.
    ///
    /// # Errors
    /// Kernels that are none or that this device lacks; a number of threads that is none.
    pub fn from_environment(device: Device) -> Result<Self> {
        let told = |name: &str| std::env::var(name).unwrap_or_default();
        Self::parse(device, &told(KERNELS_VARIABLE), &told(THREADS_VARIABLE))
    }

    /// Those of this name, on as many threads as the environment asks for; `asks`: what an error says the name stands in.
    ///
    /// # Errors
    /// As [`Kernels::from_environment`].
    pub fn named(device: Device, asks: &str, name: &str) -> Result<Self> {
        Self::of(device, asks, name, &std::env::var(THREADS_VARIABLE).unwrap_or_default())
    }

    /// The same from the two variables' values.
    ///
    /// # Errors
    /// As [`Kernels::from_environment`].
    pub fn parse(device: Device, name: &str, threads: &str) -> Result<Self> {
        Self::of(device, KERNELS_VARIABLE, name, threads)
    }

    fn of(device: Device, asks: &str, name: &str, threads: &str) -> Result<Self> {
        match (device, name) {
            (_, "stock") | (Device::Metal, "") => return Ok(Kernels::Stock),
            (Device::Cuda, "" | "cuda") => return Ok(Kernels::Cuda),
            _ => {}
        }
        if let Some(joined) = Joined::parse(name) {
            return Ok(Kernels::Joined(joined));
        }
        let found = if device == Device::Cpu { best(name) } else { None };
        let Some(level) = found else {
            // A CPU without kernels of ours.
            if name.is_empty() {
                return Ok(Kernels::Stock);
            }
            let mut known = vec!["stock".to_owned(), "qkv".to_owned(), "gate_up".to_owned(), "qkv,gate_up".to_owned()];
            match device {
                Device::Cpu => known.extend(levels().into_iter().chain(levels_on_request())),
                Device::Cuda => known.push("cuda".to_owned()),
                Device::Metal => {}
            }
            bail!(
                "{asks}: expected one of {}, found `{name}`\nhint: unset it, and the best is taken",
                known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            );
        };
        Ok(Kernels::Ours { level, threads: threads_of(threads)? })
    }

    /// Which matrices these need joined.
    pub fn joined(&self) -> Joined {
        match self {
            Kernels::Joined(joined) => *joined,
            Kernels::Cuda => Joined { qkv: true, gate_up: true },
            Kernels::Stock | Kernels::Ours { .. } => Joined::default(),
        }
    }

    /// How many threads of ours they compute with.
    pub fn threads(&self) -> Option<u32> {
        match self {
            Kernels::Ours { threads, .. } => Some(*threads),
            Kernels::Stock | Kernels::Joined(_) | Kernels::Cuda => None,
        }
    }

    /// What a record's backend says of them behind MLX's name for the device.
    pub fn suffix(&self) -> &'static str {
        match self {
            Kernels::Stock => "",
            Kernels::Joined(_) => "+joined",
            Kernels::Ours { .. } | Kernels::Cuda => "+offprint",
        }
    }

    /// What the type prints, where the number of threads is a factor of the design.
    ///
    /// # Errors
    /// Kernels that have no threads.
    pub fn on_threads(&self, levels: &[String]) -> Result<String> {
        match self {
            Kernels::Ours { level, .. } => Ok(format!("offprint {level}, {} threads by design", levels.join(" or "))),
            other => bail!(
                "factors.threads: expected kernels whose threads can be chosen, found {other}\nhint: take `threads` out of the study; it acts on our CPU kernels and on llama.cpp"
            ),
        }
    }

    /// Environment variables that libraries read once, when a process starts or before its first call of MLX; a value that is set
    /// already is kept. On CUDA ours are so few and so short that MLX's usual number of operations a graph leaves the GPU waiting
    /// for launches. On a CPU, memory in huge pages is read some 8 % faster: glibc's `malloc` asks for them (from 2.35 on).
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let (name, value) = match self {
            Kernels::Cuda => ("MLX_MAX_OPS_PER_BUFFER", "200"),
            Kernels::Ours { .. } => ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
            Kernels::Stock | Kernels::Joined(_) => return Vec::new(),
        };
        vec![(name, std::env::var(name).unwrap_or_else(|_| value.to_owned()))]
    }
}

impl Joined {
    /// `qkv`, `gate_up`, or both with a comma between them.
    fn parse(names: &str) -> Option<Self> {
        let mut joined = Joined::default();
        for name in names.split(',') {
            match name {
                "qkv" => joined.qkv = true,
                "gate_up" => joined.gate_up = true,
                _ => return None,
            }
        }
        Some(joined)
    }
}

/// Threads that the environment asks for.
///
/// # Errors
/// A number of threads that is none.
pub fn threads() -> Result<u32> {
    threads_of(&std::env::var(THREADS_VARIABLE).unwrap_or_default())
}

fn threads_of(told: &str) -> Result<u32> {
    match told {
        "" => Ok(physical_cores()),
        some => (some.parse().ok().filter(|n| (1..=256).contains(n)))
            .with_context(|| format!("{THREADS_VARIABLE}: expected 1 to 256, found `{some}`\nhint: unset it")),
    }
}

impl std::fmt::Display for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kernels::Stock => write!(f, "MLX's own"),
            Kernels::Joined(Joined { qkv: true, gate_up: true }) => write!(f, "MLX's own, qkv and gate_up joined"),
            Kernels::Joined(Joined { qkv: true, .. }) => write!(f, "MLX's own, qkv joined"),
            Kernels::Joined(_) => write!(f, "MLX's own, gate_up joined"),
            Kernels::Ours { level, threads: 1 } => write!(f, "offprint {level}, 1 thread"),
            Kernels::Ours { level, threads } => write!(f, "offprint {level}, {threads} threads"),
            Kernels::Cuda => write!(f, "offprint cuda"),
        }
    }
}

/// The levels that this processor can, best first: any of them may be what is taken unasked.
pub fn levels() -> Vec<String> {
    ["avx512vnni", "avx512", "avx2", "plain"].iter().filter_map(|level| best(level)).collect()
}

/// Levels that this processor can and that only who names them gets: they round activations to 16 bits.
pub fn levels_on_request() -> Vec<String> {
    ["avx512vnni16"].iter().filter_map(|level| best(level)).collect()
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
        let parse = |device, name| Kernels::parse(device, name, "");
        for device in [Device::Cpu, Device::Cuda, Device::Metal] {
            assert_eq!(Kernels::parse(device, "stock", "nonsense").unwrap(), Kernels::Stock);
            let both = Joined { qkv: true, gate_up: true };
            assert_eq!(parse(device, "gate_up,qkv").unwrap(), Kernels::Joined(both));
            assert_eq!(parse(device, "qkv").unwrap(), Kernels::Joined(Joined { gate_up: false, ..both }));
            for wrong in ["avx3", "qkv,", "qkv,avx2", ","] {
                let error = parse(device, wrong).unwrap_err().to_string();
                assert!(error.starts_with("OFFPRINT_KERNELS: expected one of `stock`, "), "{error}");
                assert!(error.ends_with("the best is taken"), "{error}");
            }
        }
        assert_eq!(parse(Device::Metal, "").unwrap(), Kernels::Stock);
        assert_eq!(
            (parse(Device::Cuda, "").unwrap(), parse(Device::Cuda, "cuda").unwrap()),
            (Kernels::Cuda, Kernels::Cuda)
        );
        assert!(parse(Device::Cpu, "cuda").is_err() && parse(Device::Cuda, "plain").is_err());
        if let Some(best) = levels().first() {
            let Kernels::Ours { level, threads } = parse(Device::Cpu, "").unwrap() else { panic!() };
            assert!(level == *best && threads >= 1);
            let three = Kernels::Ours { level: "plain".into(), threads: 3 };
            assert_eq!(Kernels::parse(Device::Cpu, "plain", "3").unwrap(), three);
            for wrong in ["0", "-1", "many", "257"] {
                let error = Kernels::parse(Device::Cpu, "plain", wrong).unwrap_err().to_string();
                assert!(error.contains("OFFPRINT_THREADS"), "{wrong}: {error}");
            }
        }
    }
}
