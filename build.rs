//! Tells the linker where the MLX library lies, which only the final crate can, and notes the compiler's version.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by native/mlx-sys; absent in the verifier's build.
    if let Ok(folder) = env::var("DEP_MLX_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
        // The CUDA library's own needs are met when it is loaded, on a machine that has NVIDIA's libraries.
        if env::var_os("CARGO_FEATURE_CUDA").is_some() {
            println!("cargo::rustc-link-arg=-Wl,--allow-shlib-undefined");
        }
    }
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok().and_then(|out| String::from_utf8(out.stdout).ok());
    println!("cargo::rustc-env=OFFPRINT_RUSTC={}", version.as_deref().unwrap_or("unknown").trim());
}
