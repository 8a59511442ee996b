#!/bin/sh
# Runs a command with what compiling the crate llama-cpp-2 needs: the libclang that this checkout's first build has fetched, and
# llama.cpp's options for this processor (else it is compiled for AVX2 at most, and a comparison would be unfair to it).
#     benches/peers/with-llama-cpp.sh cargo build --release --features llama-cpp
set -e
here=$(dirname "$0")
if [ -z "$LIBCLANG_PATH" ]; then
    found=$(find "$here/../../.cache/wheels" -name 'libclang*.so*' -o -name 'libclang*.dylib' 2>/dev/null | head -n 1)
    [ -z "$found" ] || LIBCLANG_PATH=$(cd "$(dirname "$found")" && pwd)
    export LIBCLANG_PATH
fi
# That libclang comes without a compiler's own headers.
export BINDGEN_EXTRA_CLANG_ARGS="${BINDGEN_EXTRA_CLANG_ARGS:--I$(cc -print-file-name=include)}"
options=$(python3 "$here/instructions.py")
for option in $options; do
    export "GGML_$option=ON"
done
# Its build script looks at these variables only when it runs for the first time.
built="$here/../../target/llama-cpp-instructions"
if [ "$(cat "$built" 2>/dev/null)" != "$options" ]; then
    (cd "$here" && cargo clean --quiet --release -p llama-cpp-sys-2)
    mkdir -p "$(dirname "$built")"
    echo "$options" > "$built"
fi
exec "$@"
