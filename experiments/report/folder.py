"""Where a report goes: a folder that can be written, in which it takes the place of an older report."""

import hashlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

LONGEST = 120  # bytes of a folder's name; some file systems take 143
OURS = "-m experiments.report"  # which every page of ours says, of how to make it again
LINKED = re.compile(r'href="((?:figures|tables)/\w[\w.-]*)"')


class ReportError(ValueError):
    """What is wrong with a setting or the folder of a report: field, value, what is right."""


def slug(name: str) -> str:
    """A file name: nothing that leaves the folder, upsets a shell or is too long."""
    encoding = sys.getfilesystemencoding()
    known = name.encode(encoding, "replace").decode(encoding)
    short = re.sub(r"[^\w.=+-]+", "_", known).strip("._") or "sweep"
    whole = short.encode()
    if len(whole) > LONGEST:
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        short = f"{whole[:LONGEST].decode(errors='ignore')}-{mark}"
    return short


def check(folder: Path) -> None:
    """Raise ReportError unless files can be made there. Makes nothing that stays."""
    place = folder.absolute()
    try:
        while not _is_there(place):
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise _refusal(folder, error) from None


def _is_there(path: Path) -> bool:
    """As exists(), but a name that is too long or leads through a file is an error."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def place(report: Path, folder: Path) -> None:
    """Copy a report into a folder. Of an older report there all goes; what else is there stays."""
    try:
        stale = _linked(folder) - _linked(report)
        for file in sorted(report.rglob("*.*")):
            target = folder / file.relative_to(report)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _refusal(folder, error) from None


def _linked(folder: Path) -> set[str]:
    """The files that the page of a report links to, which are all that it has."""
    page = folder / "report.html"
    if not page.is_file():
        return set()
    text = page.read_text(encoding="utf-8", errors="replace")
    return set(LINKED.findall(text)) if OURS in text else set()


def _refusal(folder: Path, error: OSError) -> ReportError:
    return ReportError(f"output={folder}: {error.strerror}; give --output a folder that can be written")
