"""Our speed beside what people use today: make bench, or python -m experiments.benchmark --only trainer,sweep

Every ratio is measured side by side in one run, ours and theirs by turns, medians of the rounds: seconds of a
noisy machine mean little, ratios more. Theirs are programs as people write them (peers.py). What would take
theirs an hour is measured at smaller sizes, extrapolated, and marked so.
"""

import contextlib
import csv
import dataclasses
import os
import platform
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from experiments.benchmark import composition, recording, sweep, trainer
from experiments.benchmark.measuring import Line
from experiments.entrance import Arguments, enter

# recording is last: it imports mlflow into this process, and a child's peak starts from its parent's memory
SECTIONS = {  # name: what is measured, by which function
    "trainer": (
        "µs per step of one run in a stack, beside the plain loop; both give both errors. H: hidden size.",
        trainer.lines,
    ),
    "composition": (
        "Jobs of our config, composed, checked and listed by either launcher; imports do not count.",
        composition.lines,
    ),
    "sweep": ("Whole processes on fresh stores, fixed costs included.", sweep.lines),
    "memory": ("Seconds and peak memory of large sweeps, and whether they grow in proportion.", sweep.growth),
    "recording": (
        "The same runs, params, tags and metrics into one SQLite store that is open already.",
        recording.lines,
    ),
}
HEAD = f"{'ours / theirs':<52} {'ours':>7} {'theirs':>7}      {'ratio':>7} {'goal':>7}"
COLUMNS = (*(field.name for field in dataclasses.fields(Line)), "ratio", "met")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Arguments(prog="python -m experiments.benchmark")
    parser.add_argument("--only", default=",".join(SECTIONS), help="some of these, with commas: %(default)s")
    parser.add_argument("--output", default="bench.csv", help="the table as CSV: %(default)s")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",")
    unknown = [name for name in chosen if name not in SECTIONS]
    if unknown:
        parser.error(f"--only={options.only}: there is no {unknown[0]}; give some of {', '.join(SECTIONS)}")
    try:
        file = open(options.output, "w", newline="")  # noqa: SIM115 (it is closed below)
    except OSError as error:
        parser.error(f"--output={options.output}: {error.strerror}; give a file that can be written")
    facts = machine()
    print(", ".join(f"{name} {fact}" for name, fact in facts.items()))
    with file, tempfile.TemporaryDirectory() as folder:
        table = csv.writer(file)
        table.writerow(["section", *COLUMNS, *facts])
        for name, (title, lines) in SECTIONS.items():
            if name not in chosen:
                continue
            print(f"\n{name}: {title}\n{HEAD}", flush=True)
            for line in lines(Path(folder)):
                print(line, flush=True)
                values = [getattr(line, column) for column in COLUMNS]
                table.writerow([name, *values, *facts.values()])
    print(f"\nthe table as CSV, with the machine's facts: {options.output}")


def machine() -> dict[str, object]:
    """What the figures depend on; nothing that names the machine or its user."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "os": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "mlflow": version("mlflow"),
        "hydra": version("hydra-core"),
    }


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    enter()
    main()
