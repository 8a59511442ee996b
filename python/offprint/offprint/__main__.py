"""Becomes the program beside this file. MLX's library is that of the package `mlx-cpu` or `mlx-metal` in this Python."""

import importlib.metadata
import importlib.util
import os
import sys

MLX = "0.32.2"  # the version that the program is linked with
PACKAGE = "mlx-metal" if sys.platform == "darwin" else "mlx-cpu"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(here, "bin", "offprint")
    # It fetches models and Typst with pip: with this interpreter's, unless told otherwise.
    os.environ.setdefault("PYTHON", sys.executable)
    beside = os.path.abspath(os.path.join(here, "..", "mlx", "lib"))
    folders = [beside] if os.path.isdir(beside) else elsewhere()
    if not folders:
        complain(f"{PACKAGE} is not installed in this Python ({sys.executable})")
    # Another version ends in the loader's words about a symbol, before the program could say anything.
    found = version(os.path.dirname(os.path.dirname(folders[0])))
    if found != MLX:
        complain(f"expected {PACKAGE} {MLX} in this Python, found {found or 'an unknown version'} ({folders[0]})")
    if folders != [beside]:
        name = "DYLD_FALLBACK_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
        os.environ[name] = os.pathsep.join(folders + [old for old in [os.environ.get(name)] if old])
    try:
        os.execv(program, [program, *sys.argv[1:]])
    except OSError as error:
        complain(f"{program}: {error.strerror}: is this wheel for another platform?")


def elsewhere():
    """Where another layer of the environment has the library: a user's packages, those of the system under a venv."""
    try:
        spec = importlib.util.find_spec("mlx")
    except (ImportError, ValueError):
        spec = None
    places = [os.path.join(place, "lib") for place in (spec.submodule_search_locations or [] if spec else [])]
    return [place for place in places if os.path.isdir(place)]


def version(packages):
    """Of MLX's package in a folder of packages."""
    for found in importlib.metadata.distributions(path=[packages]):
        if (found.metadata["Name"] or "").lower().replace("_", "-") == PACKAGE:
            return found.version
    return None


def complain(what):
    way = "an environment of its own has the right one: `uv tool install offprint` or `pipx install offprint`"
    sys.exit(f"error: offprint: {what}\nhint: {sys.executable} -m pip install {PACKAGE}=={MLX}; {way}")


if __name__ == "__main__":
    main()
