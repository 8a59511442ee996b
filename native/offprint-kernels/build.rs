//! Compiles the kernels once for each instruction set, and the MLX primitive around them.

use std::{
    env,
    path::{Path, PathBuf},
};

/// A compilation of `cpp/level.cpp`: its name, floats in a register, compiler flags besides those of the one before.
type Level = (&'static str, u32, &'static [&'static str]);

const X86: &[Level] = &[
    ("plain", 4, &[]),
    ("avx2", 8, &["-mavx2", "-mfma", "-mf16c"]),
    ("avx512", 16, &["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]),
    ("avx512vnni", 16, &["-mavx512vnni"]),
    ("avx512vnni16", 16, &["-DOFFPRINT_BYTES"]),
];
const OTHER: &[Level] = &[("plain", 4, &[])];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=cpp");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    // Set by native/mlx-sys: the wheel's `lib`, with the headers beside it.
    let headers = Path::new(&variable("DEP_MLX_LIB")).with_file_name("include");
    if !headers.join("mlx/array.h").is_file() {
        println!("cargo::error=MLX's headers are not in {}", headers.display());
        println!("cargo::error=hint: native/mlx-sys must be built first; run this through cargo");
        return;
    }
    let levels = if variable("CARGO_CFG_TARGET_ARCH") == "x86_64" { X86 } else { OTHER };
    let mut objects: Vec<PathBuf> = Vec::new();
    let mut flags: Vec<&str> = Vec::new();
    for (name, width, more) in levels {
        flags.extend(*more);
        let mut build = compiler();
        // Kernels are the program's purpose: optimised in every profile. Products and sums fuse where the processor can.
        build.flag("-ffp-contract=fast").define("OFFPRINT_LEVEL", *name).define("OFFPRINT_WIDTH", width.to_string().as_str());
        for flag in &flags {
            build.flag(flag);
        }
        // One folder each: the objects of one source would have one name.
        let folder = PathBuf::from(variable("OUT_DIR")).join(name);
        objects.extend(build.file("cpp/level.cpp").out_dir(folder).compile_intermediates());
    }
    let mut build = compiler();
    build.include(headers).files(["cpp/pool.cpp", "cpp/primitive.cpp"]).objects(objects);
    build.compile("offprint_kernels");
}

fn compiler() -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++20").opt_level(3).debug(false).warnings(false);
    build
}
