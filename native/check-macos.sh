#!/usr/bin/env bash
# What can be proven of the macOS build without a Mac: mlx-c compiles for arm64 macOS against the official wheel's
# headers, links against its libmlx.dylib, and defines every function that the bindings declare.
# Needs python3 with pip and cargo; everything goes to a throw-away folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ziglang
zig() { "$work/venv/bin/python" -m ziglang "$@"; }

grep '^mlx-metal==' "$here/mlx-sys/wheels.txt" > "$work/pin.txt"
python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: --ignore-requires-python \
  --platform macosx_14_0_arm64 --python-version 3.12 --dest "$work" --requirement "$work/pin.txt"
python3 -m zipfile -e "$work"/mlx_metal-*.whl "$work/wheel"
mlx=$work/wheel/mlx

# The published mlx-sys crate holds mlx-c; a side manifest locates it, as the build script does.
mkdir "$work/side"
sed -n '/^const SIDE_MANIFEST/,/^"#;/p' "$here/mlx-sys/build/mlx_c.rs" | sed '1s/.*r#"//; $d' > "$work/side/Cargo.toml"
: > "$work/side/lib.rs"
(cd "$work/side" && cargo metadata --format-version=1 > "$work/metadata.json")
sources=$(python3 - "$work/metadata.json" <<'PY'
import json, os, sys
packages = json.load(open(sys.argv[1]))["packages"]
print(os.path.dirname(next(p for p in packages if p["name"] == "mlx-sys")["manifest_path"]) + "/src/mlx-c")
PY
)

echo "compiling mlx-c for aarch64-macos"
for file in "$sources"/mlx/c/*.cpp; do
  zig c++ -target aarch64-macos.14.0 -std=c++20 -O1 -w -I"$sources" -I"$mlx/include" -include "$here/mlx-sys/shim/format.hpp" \
    -c "$file" -o "$work/$(basename "$file" .cpp).o"
done

echo "linking every declared function against libmlx.dylib"
# A program that takes the address of each function declared in mlx-c's headers: one missing fails the link, and so does
# any mlx:: symbol that the dylib does not export.
python3 - "$sources" > "$work/all.c" <<'PY'
import glob, re, sys
names = set()
for header in sorted(glob.glob(sys.argv[1] + "/mlx/c/*.h")):
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", open(header).read(), flags=re.S)
    text = re.sub(r"static inline.*?\n}", "", text, flags=re.S)
    names |= set(re.findall(r"\b(mlx_\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*;", text))
names = sorted(n for n in names if not n.endswith("_"))
print('#include "mlx/c/mlx.h"')
print("void *all[] = {" + ", ".join(f"(void *){n}" for n in names) + "};")
print("int main(void) { return all[0] == 0; }")
print(f"{len(names)} functions", file=sys.stderr)
PY
zig cc -target aarch64-macos.14.0 -w -I"$sources" -c "$work/all.c" -o "$work/all.o"
zig c++ -target aarch64-macos.14.0 -o "$work/all" "$work"/*.o "$mlx/lib/libmlx.dylib"
file "$work/all" 2>/dev/null | sed "s|$work/||" || true
echo "ok: mlx-c compiles, links and is complete on aarch64-macos"
echo "not proven here: the Rust crates for macOS (no such target is installed), running anything, Metal itself"
