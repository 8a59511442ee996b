"""Compiles the program and puts it into the wheel of the project beside which this is called."""

import os
import pathlib
import platform
import re
import subprocess
import sys

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAC = sys.platform == "darwin"


class Hook(BuildHookInterface):
    def initialize(self, version, data):
        if version == "editable":
            sys.exit("an editable install of a compiled program is none\nhint: make build, then target/release/offprint")
        package = self.build_config.packages[0]
        measures = package == "offprint"
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        # One folder a build: the two differ in features, and what is compiled for one is not thrown away for the other.
        command = ["cargo", "build", "--profile", "wheel", "--locked", "--bin", "offprint"]
        environment = dict(os.environ)
        if measures:
            # The library is in the neighbouring package: the program finds it wherever the environment lies.
            environment["OFFPRINT_RPATH"] = "@loader_path/../../mlx/lib" if MAC else "$ORIGIN/../../mlx/lib"
        else:
            command.append("--no-default-features")
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        program = pathlib.Path(self.directory) / f"{package}.program"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_bytes((target / "wheel" / "offprint").read_bytes())
        program.chmod(0o755)
        data["force_include"][str(program)] = f"{package}/bin/offprint"
        data["pure_python"] = False
        data["tag"] = f"py3-none-{system(program.read_bytes(), measures)}"
        self.program = program

    def finalize(self, version, data, artifact):
        self.program.unlink()


def system(program, measures):
    """The oldest system that the program, and with it MLX's own wheels, run on."""
    if MAC:
        return f"macosx_14_0_{platform.machine()}"
    needed = max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", program))
    return f"manylinux_2_{max(needed, 35 if measures else 17)}_{platform.machine()}"
