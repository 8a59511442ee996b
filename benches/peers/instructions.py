"""Prints ggml's options for what this processor can, so that llama.cpp is compiled for it and a table can say so."""

import platform
from pathlib import Path

# x86 flags as the kernel names them -> ggml's options. AMX is not among them: on virtual machines that show its flags llama.cpp
# was seen to crash in it.
INSTRUCTIONS = {
    "sse4_2": "SSE42",
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "bmi2": "BMI2",
    "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512",
    "avx512vbmi": "AVX512_VBMI",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
}



def instructions():
    """ggml's options for what this processor can; none on a processor that is no x86: there llama.cpp finds out itself."""
    if platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists():
        return []
    text = Path("/proc/cpuinfo").read_text()
    flags = next(line for line in text.splitlines() if line.startswith("flags")).split()
    return [option for flag, option in INSTRUCTIONS.items() if flag in flags]


if __name__ == "__main__":
    print(*instructions())
