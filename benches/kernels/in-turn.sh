#!/usr/bin/env bash
# Times the kernels of several revisions in turn: `in-turn.sh ROUNDS REVISION... -- LEVEL THREADS SHAPE PROMPT TOKENS [FORMAT]`, where the
# revision `.` is the working tree, and the level `best` the best that a revision has. Prints each sample, and each revision's
# medians. Programs are kept in target/kernels.
set -euo pipefail
cd "$(dirname "$0")/../.."
usage() { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }

rounds=${1:-}; shift || usage
revisions=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do revisions+=("$1"); shift; done
[[ $rounds =~ ^[1-9][0-9]*$ && ${#revisions[@]} -gt 0 && ( $# -eq 6 || $# -eq 7 ) ]] || usage
shift

# Flags as in native/offprint-kernels/build.rs.
common="-std=c++20 -O3 -ffp-contract=fast"
declare -A width=([plain]=4 [avx2]=8 [avx512]=16) flags=([plain]="" [avx2]="-mavx2 -mfma -mf16c"
  [avx512]="-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512")
width[avx512vnni]=16 flags[avx512vnni]="${flags[avx512]} -mavx512vnni"
width[avx512vnni16]=16 flags[avx512vnni16]="${flags[avx512vnni]} -DOFFPRINT_BYTES"

programs=()
for revision in "${revisions[@]}"; do
  if [ "$revision" = . ]; then name=working-tree
  elif ! name=$(git rev-parse -q --verify --short "$revision^{commit}"); then
    echo "error: $revision is no revision of this repository; hint: git log --oneline -- native/offprint-kernels/cpp" >&2
    exit 2
  fi
  folder=target/kernels/$name
  if [ "$revision" = . ] || [ ! -x "$folder/decode" ]; then
    mkdir -p "$folder/cpp"
    # Each with its own decode.cpp, which fills its own structs.
    if [ "$revision" = . ]; then cp native/offprint-kernels/cpp/* benches/kernels/decode.cpp "$folder/cpp"
    else git archive "$revision" native/offprint-kernels/cpp | tar -x -C "$folder/cpp" --strip-components 3
      git show "$revision:benches/kernels/decode.cpp" >"$folder/cpp/decode.cpp"; fi
    objects=()
    for level in plain avx2 avx512 avx512vnni avx512vnni16; do
      [ "$level" = plain ] || { [ "$(uname -m)" = x86_64 ] && grep -qw "$level" "$folder/cpp/model.hpp"; } || continue
      ${CXX:-c++} $common ${flags[$level]} -DOFFPRINT_LEVEL="$level" -DOFFPRINT_WIDTH="${width[$level]}" -c "$folder/cpp/level.cpp" -o "$folder/$level.o"
      objects+=("$folder/$level.o")
    done
    ${CXX:-c++} $common -I "$folder/cpp" "$folder/cpp/decode.cpp" "$folder/cpp/pool.cpp" "${objects[@]}" -pthread -o "$folder/decode"
  fi
  programs+=("$folder/decode")
done

samples=$(mktemp)
trap 'rm -f "$samples"' EXIT
for ((round = 1; round <= rounds; ++round)); do
  for i in "${!programs[@]}"; do
    made=$("${programs[$i]}" "$@") # apart, so that a program that fails ends this one
    echo "$i $made" >>"$samples"
  done
done
median() { sort -g | awk '{ x[NR] = $1 } END { print NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2 }'; }
for i in "${!programs[@]}"; do
  of() { awk -v i="$i" -v c="$1" '$1 == i { print $c }' "$samples"; }
  printf '%-14s prefill %7.1f tok/s (%s)  decode %7.2f tok/s (%s)\n' "${revisions[$i]}" "$(of 2 | median)" "$(of 2 | paste -sd' ')" \
    "$(of 3 | median)" "$(of 3 | paste -sd' ')"
done
