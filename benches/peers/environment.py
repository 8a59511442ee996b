"""A throw-away environment for the peers: a virtual environment with pinned mlx-lm, and llama.cpp compiled for this processor.

Everything lies in one folder; delete it, and nothing of it is left. llama.cpp is compiled from the source that
llama-cpp-python's sdist carries, library only; what the processor can is switched on by name, so that the table can say it.
"""

import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

MLX = "0.32.2"  # the version that native/mlx-sys links
LLAMA_CPP_PYTHON = "0.3.36"
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


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def prepare(folder: Path):
    """Makes what is missing. Returns the Python to run the peers with, and the variables that it needs."""
    python = folder / "venv/bin/python"
    if not (folder / "venv/whole").exists():
        print("peers: a virtual environment with mlx-lm", file=sys.stderr)
        run(sys.executable, "-m", "venv", folder / "venv")
        backend = [] if sys.platform == "darwin" else [f"mlx-cpu=={MLX}"]
        wanted = [f"mlx=={MLX}", f"mlx-lm=={MLX}", *backend, "gguf", "diskcache", "typing-extensions", "cmake", "ninja"]
        run(python, "-m", "pip", "install", "-q", *wanted)
        (folder / "venv/whole").touch()
    source = folder / f"llama_cpp_python-{LLAMA_CPP_PYTHON}"
    if not source.exists():
        print("peers: llama.cpp's source", file=sys.stderr)
        sdist = folder / f"{source.name}.tar.gz"
        if not sdist.exists():
            wanted = f"llama-cpp-python=={LLAMA_CPP_PYTHON}"
            run(python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, wanted)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "unpacking")
        (folder / "unpacking" / source.name).rename(source)
    build = folder / "llama.cpp"
    if not (build / "whole").exists():
        print("peers: compiling llama.cpp; this takes minutes", file=sys.stderr)
        path = {**os.environ, "PATH": f"{folder / 'venv/bin'}:{os.environ['PATH']}"}
        off = ["COMMON", "TOOLS", "EXAMPLES", "TESTS", "SERVER", "APP"]
        options = [f"-DLLAMA_BUILD_{what}=OFF" for what in off] + [f"-DGGML_{i}=ON" for i in instructions()]
        if instructions():
            options.append("-DGGML_NATIVE=OFF")
        general = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DLLAMA_OPENSSL=OFF"]
        run("cmake", "-S", source / "vendor/llama.cpp", "-B", build, *general, *options, env=path)
        run("cmake", "--build", build, "--target", "llama", env=path)
        (build / "whole").touch()
    # For this processor: with the registers of the first x86-64, one thread reads three quarters of what it can.
    native = ["-march=native"] if instructions() else []
    run("cc", "-O3", *native, "-pthread", Path(__file__).with_name("bandwidth.c"), "-o", folder / "bandwidth")
    return python, {"PYTHONPATH": str(source), "LLAMA_CPP_LIB_PATH": str(build / "bin")}


def instructions():
    """ggml's options for what this processor can; none on a processor that is no x86: there llama.cpp finds out itself."""
    if platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists():
        return []
    text = Path("/proc/cpuinfo").read_text()
    flags = next(line for line in text.splitlines() if line.startswith("flags")).split()
    return [option for flag, option in INSTRUCTIONS.items() if flag in flags]


if __name__ == "__main__":
    if sys.argv[1:] == ["--instructions"]:
        print(*instructions())
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        prepare(Path(sys.argv[1]).resolve())
    else:
        sys.exit("usage: environment.py (FOLDER | --instructions): make the environment in FOLDER, or print ggml's options")
