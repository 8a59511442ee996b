"""Becomes the program beside this file, or the one that also measures, where that is installed, too."""

import os
import sys


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    whole = os.path.join(here, "..", "offprint", "__main__.py")
    if os.path.isfile(whole):
        os.execv(sys.executable, [sys.executable, "-m", "offprint", *sys.argv[1:]])
    program = os.path.join(here, "bin", "offprint")
    # It fetches Typst with pip: with this interpreter's, unless told otherwise.
    os.environ.setdefault("PYTHON", sys.executable)
    try:
        os.execv(program, [program, *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"error: offprint: {program}: {error.strerror}\nhint: is this wheel for another platform? {sys.executable} -m pip install --force-reinstall offprint-verifier")


if __name__ == "__main__":
    main()
