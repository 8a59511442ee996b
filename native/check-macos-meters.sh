#!/usr/bin/env bash
# What can be proven of the meters on Apple silicon without a Mac: energy, thermal state and pressure compile against macmon for
# aarch64-apple-darwin, with as much around them as they use. Needs cargo and rustup, which fetches that target's standard library; everything
# else goes to a throw-away folder.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rustup target add aarch64-apple-darwin
mkdir "$work/src"
macmon=$(sed -n 's/^macmon = //p' "$here/Cargo.toml" | sed 's/ #.*//')
cat > "$work/Cargo.toml" <<TOML
[package]
name = "meters"
version = "0.0.0"
edition = "2024"
[dependencies]
macmon = $macmon
anyhow = "1"
jiff = { version = "0.2", default-features = false, features = ["std"] }
serde = { version = "1", features = ["derive"] }
[workspace]
TOML
cp "$here/Cargo.lock" "$work/Cargo.lock"
cat > "$work/src/lib.rs" <<RUST
#![allow(dead_code)]
#[path = "$here/src/energy.rs"]
pub mod energy;
pub mod machine {
    #[path = "$here/src/machine/command.rs"]
    pub mod command;
    #[path = "$here/src/machine/meters/mod.rs"]
    pub mod meters;
    #[path = "$here/src/machine/nvidia.rs"]
    pub mod nvidia;
    #[path = "$here/src/machine/thermal.rs"]
    pub mod thermal;
    pub mod linux {
        pub fn folders(_: &std::path::Path, _: &str) -> Vec<String> {
            Vec::new()
        }
    }
    pub struct Fact<T> {
        pub value: Option<T>,
        pub reason: Option<String>,
    }
    impl<T> Fact<T> {
        pub fn known(value: T) -> Self {
            Fact { value: Some(value), reason: None }
        }
        pub fn unknown(reason: impl Into<String>) -> Self {
            Fact { value: None, reason: Some(reason.into()) }
        }
    }
}
RUST
cd "$work"
CARGO_TARGET_DIR="$work/target" RUSTFLAGS="-D warnings" cargo check --quiet --target aarch64-apple-darwin
echo "ok: the meters compile for aarch64-apple-darwin"
echo "not proven here: linking, reading anything, what IOReport names its channels"
