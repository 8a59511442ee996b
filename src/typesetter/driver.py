"""paper.typ in a folder -> paper.pdf there. Runs apart from the program, so that whatever happens here ends here.

Arguments: the folder that holds the package, the folder of the paper, the SHA-256 of paper.typ. Exit code 3: the source is none, 4: there is
no Typst; words on stderr."""

import os
import sys

package, folder, source = sys.argv[1:]

# Nothing of this machine is the paper's business. A package that a paper asks for would be fetched: by a proxy that nobody is.
kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP", "TMP") if name in os.environ}
os.environ.clear()
os.environ.update(kept, RAYON_NUM_THREADS="2")
for name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ[name] = os.environ[name.upper()] = "http://127.0.0.1:9"

try:
    import resource
except ImportError:  # Windows has none: the time limit alone holds there.
    resource = None
for name, most in (("RLIMIT_AS", 4 << 30), ("RLIMIT_CPU", 600), ("RLIMIT_FSIZE", 256 << 20), ("RLIMIT_CORE", 0)):
    try:
        limit = getattr(resource, name)
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    except (AttributeError, ValueError, OSError):  # A system may lack one of them, or not let it be set.
        pass

sys.path.insert(0, package)
try:
    import typst
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(4)

nowhere = os.path.join(folder, "no-packages")
try:
    # One of its fonts or another: a font of this machine would make other bytes elsewhere.
    compiler = typst.Compiler(
        input=os.path.join(folder, "paper.typ"),
        root=folder,
        ignore_system_fonts=True,
        sys_inputs={"source": source},
        package_path=nowhere,
        package_cache_path=nowhere,
    )
    pdf = compiler.compile(format="pdf", pdf_standards=["ua-1"], timestamp=0)
except typst.TypstError as error:
    print("\n".join([error.message, *error.hints]), file=sys.stderr)
    print(error.diagnostic[:4000], file=sys.stderr)
    sys.exit(3)
with open(os.path.join(folder, "paper.pdf"), "wb") as file:
    file.write(pdf)
