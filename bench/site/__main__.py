"""Builds the documentation site into build/docs; code 1 if a page, a link or an anchor is not as it must be."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.site.gathering import gather
from bench.site.links import dead_in_site
from bench.site.navigation import OUTPUT, ROOT

SOURCES = ROOT / ".bench" / "site" / "source"
LOOK = Path(__file__).parent / "look"


def main() -> int:
    """Gather, have Sphinx build, look at every link of what came out."""
    began = time.monotonic()
    gather(SOURCES)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    options = (
        "-b",
        "html",
        "-j",
        "auto",
        "-W",
        "--keep-going",
        "-E",
        "-q",
        "-c",
        str(LOOK),
        "-d",
        str(SOURCES.parent / "doctrees"),
    )
    done = subprocess.run([sys.executable, "-m", "sphinx", *options, SOURCES, OUTPUT], check=False)
    if done.returncode:
        return 1
    dead = dead_in_site(OUTPUT)
    for each in dead:
        print(each, file=sys.stderr)
    pages = sum(1 for _ in OUTPUT.rglob("*.html"))
    print(f"{pages} pages in {OUTPUT.relative_to(ROOT)}/index.html in {time.monotonic() - began:.0f} s; dead links: {len(dead)}")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
