//! How MLX packs weights, and how a checkpoint is to be packed anew: names, sizes, words. Knows no tensors.

use std::{fmt, str::FromStr};

/// How MLX packs weights: one scale a `group_size` weights of a row, `bits` a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    pub mode: Mode,
    pub group_size: usize,
    pub bits: usize,
}

/// MLX's quantisation modes (`mlx.core.quantize`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Whole numbers with a scale and a bias a group.
    Affine,
    /// E2M1 with a power of two a group of 32.
    Mxfp4,
    /// E4M3 with a power of two a group of 32.
    Mxfp8,
    /// E2M1 with an E4M3 scale a group of 16.
    Nvfp4,
}

impl Mode {
    pub const ALL: [Mode; 4] = [Mode::Affine, Mode::Mxfp4, Mode::Mxfp8, Mode::Nvfp4];

    /// As MLX and configurations call it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Affine => "affine",
            Mode::Mxfp4 => "mxfp4",
            Mode::Mxfp8 => "mxfp8",
            Mode::Nvfp4 => "nvfp4",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Group sizes and bits that there are.
    pub fn sizes(self) -> (&'static [usize], &'static [usize]) {
        match self {
            Mode::Affine => (&[32, 64, 128], &[2, 3, 4, 5, 6, 8]),
            Mode::Mxfp4 => (&[32], &[4]),
            Mode::Mxfp8 => (&[32], &[8]),
            Mode::Nvfp4 => (&[16], &[4]),
        }
    }

    /// What mlx-lm's `convert` takes where nothing is said.
    pub fn default(self) -> Packing {
        let (group_size, bits) = match self {
            Mode::Affine => (64, 4),
            Mode::Mxfp4 => (32, 4),
            Mode::Mxfp8 => (32, 8),
            Mode::Nvfp4 => (16, 4),
        };
        Packing { mode: self, group_size, bits }
    }
}

impl Packing {
    /// As convert's option's are given: what is not said is the mode's own.
    ///
    /// # Errors
    /// Sizes that the mode has not.
    pub fn of(mode: Mode, group_size: Option<usize>, bits: Option<usize>) -> Result<Packing, String> {
        let default = mode.default();
        let (group_size, bits) = (group_size.unwrap_or(default.group_size), bits.unwrap_or(default.bits));
        let (groups, widths) = mode.sizes();
        for (what, found, known) in [("groups of", group_size, groups), ("bits:", bits, widths)] {
            if !known.contains(&found) {
                let known: Vec<String> = known.iter().map(usize::to_string).collect();
                return Err(format!("{} has {what} {}, and not {found}", mode.name(), known.join(", ")));
            }
        }
        Ok(Packing { mode, group_size, bits })
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            Mode::Affine => write!(f, "{}-bit affine, group {}", self.bits, self.group_size),
            mode => write!(f, "{}, group {}", mode.name(), self.group_size),
        }
    }
}

/// What becomes of a checkpoint's matrices; a level of the factor `quantization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// The source's own numbers, unpacked where they are packed: `none`.
    None,
    /// All alike, but for those that mlx-lm keeps wider: `4`, `4-g32`, `mxfp4`.
    Uniform(Packing),
    /// mlx-lm's `mixed_LOW_HIGH`: more bits for values and down projections of some layers, and for the head.
    Mixed { low: usize, high: usize, group_size: usize },
}

/// mlx-lm's `QUANT_RECIPES`.
const MIXED: [(usize, usize); 4] = [(2, 6), (3, 4), (3, 6), (4, 6)];

/// What a level of the factor may be, for messages.
pub const RECIPES: &str = "none, 8, 6, 5, 4, 3 or 2 bits (groups of 64, or `4-g32`, `4-g128`), mxfp4, mxfp8, nvfp4, \
                           mixed_2_6, mixed_3_4, mixed_3_6 or mixed_4_6";

impl Recipe {
    /// mlx-lm's mixed recipe of this name (`mixed_3_6`).
    ///
    /// # Errors
    /// A name or a group that there is not.
    pub fn mixed(name: &str, group_size: Option<usize>) -> Result<Recipe, String> {
        let widths = MIXED.into_iter().find(|(low, high)| format!("mixed_{low}_{high}") == name);
        let (low, high) =
            widths.ok_or_else(|| format!("expected mixed_2_6, mixed_3_4, mixed_3_6 or mixed_4_6, found {name}"))?;
        let Packing { group_size, .. } = Packing::of(Mode::Affine, group_size, Some(low))?;
        Ok(Recipe::Mixed { low, high, group_size })
    }

    /// As prose says it: `8 bits`, `4 bits in groups of 32`, `MXFP4`, `3 and 6 bits mixed`.
    pub fn words(self) -> String {
        let group = |size: usize| if size == 64 { String::new() } else { format!(" in groups of {size}") };
        match self {
            Recipe::None => "no quantization".to_owned(),
            Recipe::Uniform(Packing { mode: Mode::Affine, group_size, bits }) => {
                format!("{bits} bits{}", group(group_size))
            }
            Recipe::Uniform(packing) => packing.mode.name().to_uppercase(),
            Recipe::Mixed { low, high, group_size } => format!("{low} and {high} bits mixed{}", group(group_size)),
        }
    }
}

impl FromStr for Recipe {
    type Err = String;

    fn from_str(text: &str) -> Result<Recipe, String> {
        if text == "none" {
            return Ok(Recipe::None);
        }
        let (name, group) = match text.split_once("-g") {
            Some((name, group)) => (name, Some(group.parse().map_err(|_| format!("{group:?} is no group size"))?)),
            None => (text, None),
        };
        if name.starts_with("mixed_") {
            return Recipe::mixed(name, group);
        }
        match (Mode::named(name).filter(|mode| *mode != Mode::Affine), name.parse::<usize>()) {
            (Some(mode), _) => Packing::of(mode, group, None).map(Recipe::Uniform),
            (None, Ok(bits)) => Packing::of(Mode::Affine, group, Some(bits)).map(Recipe::Uniform),
            _ => Err(format!("expected {RECIPES}")),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |size: usize| if size == 64 { String::new() } else { format!("-g{size}") };
        match *self {
            Recipe::None => f.write_str("none"),
            Recipe::Uniform(Packing { mode: Mode::Affine, group_size, bits }) => {
                write!(f, "{bits}{}", group(group_size))
            }
            Recipe::Uniform(packing) => f.write_str(packing.mode.name()),
            Recipe::Mixed { low, high, group_size } => write!(f, "mixed_{low}_{high}{}", group(group_size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_read_back_as_written_and_one_has_one_name() {
        for text in ["none", "8", "4-g32", "2-g128", "mxfp4", "mxfp8", "nvfp4", "mixed_3_6", "mixed_2_6-g32"] {
            assert_eq!(text.parse::<Recipe>().unwrap().to_string(), text);
        }
        assert_eq!("4-g64".parse::<Recipe>().unwrap().to_string(), "4");
        assert_eq!("mxfp4-g32".parse::<Recipe>().unwrap().to_string(), "mxfp4");
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        for (text, said) in [
            ("7", "affine has bits: 2, 3, 4, 5, 6, 8, and not 7"),
            ("4-g16", "affine has groups of 32, 64, 128, and not 16"),
            ("mxfp4-g64", "mxfp4 has groups of 32, and not 64"),
            ("mixed_5_6", "expected mixed_2_6"),
            ("4-gx", "\"x\" is no group size"),
            ("affine", "expected none, 8,"),
            ("", "expected none, 8,"),
        ] {
            assert!(text.parse::<Recipe>().unwrap_err().starts_with(said), "{text}");
        }
    }

    #[test]
    fn words_are_those_of_people() {
        let words = |text: &str| text.parse::<Recipe>().unwrap().words();
        assert_eq!(
            ["none", "8", "4-g32", "mxfp4", "mixed_3_6"].map(words),
            ["no quantization", "8 bits", "4 bits in groups of 32", "MXFP4", "3 and 6 bits mixed",]
        );
    }
}
