"""Print the book: ``_build/pdf/backpropagation-through-time.pdf``, by XeLaTeX.

Called by ``make pdf``. TeX comes from the system; what is missing is named.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LATEX = ROOT / "_build" / "latex"
PDF = ROOT / "_build" / "pdf" / "backpropagation-through-time.pdf"
# What Debian and Ubuntu call it, and a program or file by which to tell that it is there.
PACKAGES = {
    "latexmk": "latexmk",
    "librsvg2-bin": "rsvg-convert",
    "texlive-xetex": "xelatex",
    "texlive-latex-recommended": "unicode-math.sty",
    "texlive-latex-extra": "fncychap.sty",
    "texlive-fonts-recommended": "pzdr.tfm",
    "tex-gyre": "ec-qtmr.tfm",
    "fonts-freefont-otf": "FreeSerif.otf",
}
WIDEST = 12.0  # points by which a line may stick out: less than a letter and a half


def is_there(name):
    """Tell whether a program is on PATH, or a file known to TeX."""
    if "." not in name:
        return shutil.which(name) is not None
    search = ["kpsewhich", name]
    return (
        shutil.which(search[0]) is not None and subprocess.run(search, capture_output=True).returncode == 0
    )


def missing(found=is_there):
    """Return the packages whose files are not there."""
    return [package for package, name in PACKAGES.items() if not found(name)]


def faults(log):
    """Return what a reader would see of TeX's complaints: errors, lost references and letters, wide lines.

    Parameters
    ----------
    log : str
        What XeLaTeX logged in its last run.

    Returns
    -------
    list of str
        One line a fault.
    """
    lines = re.findall(
        r"^(?:! .*|Missing character: .*|LaTeX Warning: Reference .* undefined.*)", log, re.M
    )
    wide = re.findall(r"^Overfull \\hbox \(([\d.]+)pt too wide\) .*", log, re.M)
    return lines + [f"a line sticks out by {points} pt" for points in wide if float(points) > WIDEST]


def main():
    """Write the PDF, or leave with what is wrong; ``packages`` only lists what Debian has to install."""
    if sys.argv[1:] == ["packages"]:
        print(*PACKAGES)
        return
    lacking = missing()
    if lacking:
        sys.exit(
            f"make pdf: TeX is not complete. On Debian or Ubuntu:\n"
            f"  apt-get install --no-install-recommends {' '.join(lacking)}"
        )
    shutil.rmtree(LATEX, ignore_errors=True)
    book = [str(Path(sys.executable).parent / "jupyter-book"), "build", ".", "--builder", "latex"]
    subprocess.run([*book, "-W", "--keep-going", "-n", "-q"], cwd=ROOT, check=True)
    command = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-silent", f"{PDF.stem}.tex"]
    run = subprocess.run(command, cwd=LATEX, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = LATEX / f"{PDF.stem}.log"
    if not log.is_file():
        sys.exit(f"make pdf: latexmk ended with {run.returncode} before TeX began.\n{run.stdout[-2000:]}")
    found = faults(log.read_text(encoding="utf-8", errors="replace"))
    if run.returncode or found:
        sys.exit("\n".join(["make pdf: TeX complains.", *(found or [run.stdout[-2000:]])]))
    PDF.parent.mkdir(exist_ok=True)
    shutil.copy(LATEX / PDF.name, PDF)
    print(f"printed: {PDF.relative_to(ROOT)}, {PDF.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
