//! mlx-c's headers -> `bindings.rs`, the declarations that mlx-rs was written against.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, failure, out_dir, variable, wheel::Wheels};

/// Writes `bindings.rs`. libclang is the one that `LIBCLANG_PATH` names, or else PyPI's.
pub fn generate(sources: &Path, wheels: &Wheels) -> Outcome<()> {
    println!("cargo::rerun-if-env-changed=LIBCLANG_PATH");
    if env::var_os("LIBCLANG_PATH").is_none() {
        let folder = wheels.tool("libclang")?.join("libclang-18.1.1.data/platlib/clang/native");
        // SAFETY: this script has one thread here.
        unsafe { env::set_var("LIBCLANG_PATH", folder) };
    }
    let mut headers: Vec<PathBuf> = fs::read_dir(sources.join("mlx/c"))
        .map_err(|error| failure(format!("{}: {error}", sources.display()), "cargo fetch, then build again"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "h"))
        .collect();
    headers.sort();

    let mut builder = bindgen::Builder::default()
        .clang_arg(format!("-I{}", sources.display()))
        .clang_args(compiler_include())
        .blocklist_function("malloc|realloc"); // rustc objects to bindgen's sizes of these two
    if variable("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        // What bindgen makes of ARM's types, for a processor without them.
        builder = builder
            .clang_args(["-include", "shim/half.hpp"])
            .blocklist_type("float16_t|bfloat16_t")
            .raw_line("#[repr(transparent)]\n#[derive(Debug, Clone, Copy, Default)]\npub struct float16_t(pub u16);")
            .raw_line("pub type bfloat16_t = u16;");
    }
    for header in headers {
        builder = builder.header(header.to_string_lossy());
    }
    let to = out_dir()?.join("bindings.rs");
    builder
        .generate()
        .map_err(|error| error.to_string())
        .and_then(|bindings| bindings.write_to_file(&to).map_err(|error| error.to_string()))
        .map_err(|error| failure(format!("bindgen: {error}"), "set LIBCLANG_PATH to the folder of another libclang"))
}

/// A bare libclang has no `stddef.h`: borrow the C compiler's, and on macOS the SDK.
fn compiler_include() -> Vec<String> {
    let said = |program: &str, arguments: &[&str]| -> Option<String> {
        let output = Command::new(program).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let mut arguments = Vec::new();
    if let Some(folder) = said("cc", &["-print-file-name=include"]) {
        arguments.push(format!("-I{folder}"));
    }
    if cfg!(target_os = "macos")
        && let Some(sdk) = said("xcrun", &["--show-sdk-path"])
    {
        arguments.extend(["-isysroot".to_owned(), sdk]);
    }
    arguments
}
