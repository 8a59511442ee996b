"""What the machine says of itself, without names or addresses; and how many bytes of weights a token reads."""

import json
import os
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path

import environment


# What tells processors of one name apart: three generations of AMD's call themselves "AMD EPYC" on virtual machines.
TELLS_APART = {
    "darwin": {"family": "machdep.cpu.family", "model": "machdep.cpu.model", "stepping": "machdep.cpu.stepping", "hw.cpufamily": "hw.cpufamily"},
    "x86": {"family": "cpu family", "model": "model", "stepping": "stepping"},
    "arm": {"implementer": "CPU implementer", "part": "CPU part", "variant": "CPU variant", "revision": "CPU revision"},
}


def sysctl(key):
    return subprocess.run(["sysctl", "-n", key], capture_output=True, text=True).stdout.strip()


def from_cpuinfo(text):
    """Of the first processor: its name, or None, and what tells it apart, as far as the kernel says it."""
    said = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            said.setdefault(key.strip(), value.strip())
    told = TELLS_APART["x86"] | TELLS_APART["arm"]
    return said.get("model name"), {name: said[key] for name, key in told.items() if key in said}


def describe():
    """The processor and what tells it from others of its name, cores, memory, instruction sets, operating system."""
    if sys.platform == "darwin":
        processor, memory = sysctl("machdep.cpu.brand_string"), int(sysctl("hw.memsize"))
        identity = {name: said for name, key in TELLS_APART["darwin"].items() if (said := sysctl(key))}
    else:
        processor, identity = from_cpuinfo(Path("/proc/cpuinfo").read_text())
        processor = processor or platform.machine()
        memory = int(re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.M)[1]) * 1024
    return {
        "processor": processor,
        "identity": identity,
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "instructions": environment.instructions() or platform.machine(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def stolen_ns():
    """Time that a hypervisor has kept processors from this machine since it started, all of them together; None where no system says."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()
        return int(fields[8]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return None


def peak_bytes(pid):
    """The most memory that a running process has had resident; None where no file says. What `wait4` says of a child on Linux is
    no less than what its parent had when it made it."""
    try:
        return int(re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1]) * 1024
    except (OSError, TypeError):
        return None


def slug():
    """For a file's name: the processor and what tells it apart, so that one machine's result never replaces another's of the day."""
    said = describe()
    return re.sub(r"[^a-z0-9]+", "-", " ".join([said["processor"], *said["identity"].values()]).lower()).strip("-")


def weight_bytes(folder: Path):
    """Bytes that decoding one token reads of a checkpoint: packed weights, their scales and biases as they are, all else as
    float32, the type in which Offprint computes on a CPU. A token embedding that is not the head as well is read for one row only, so it does not count."""
    with open(folder / "model.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    tied = not any(name.startswith("lm_head") for name in header)
    total = 0
    for name, tensor in header.items():
        if name == "__metadata__" or ("embed_tokens" in name and not tied):
            continue
        count = 1
        for size in tensor["shape"]:
            count *= size
        stored = name.endswith((".scales", ".biases")) and tensor["dtype"] in ("F16", "BF16")
        total += (2 if stored else 4) * count
    return total
