"""What a sweep says on the terminal: what will be run, what came out. The launcher says how far it is."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from experiments.store import LONGEST
from experiments.sweep.settings import Settings
from experiments.wording import exactly, plural, tidy, written
from tinynet.outcomes import OUTCOMES

LINE = 80  # characters of an axis on the terminal


class Result(NamedTuple):
    settings: Settings
    outcome: str
    final_error: float


def axes(jobs: Iterable[Settings]) -> dict[str, list]:
    """The params that differ between jobs, with their values in order; those of a mode as one."""
    values = defaultdict(dict)  # by how they are written: lists can't be keys, and True would be 1
    for job in jobs:
        for key, value in job.params().items():
            if key == "gradient":
                values["mode"][job.mode] = job.mode
            elif not key.startswith("gradient.") and key not in ("dtype", "start"):
                values[key].setdefault(repr(value), value)
    return {key: list(seen.values()) for key, seen in values.items() if len(seen) > 1}


def plan(experiment: str, jobs: Sequence[Settings], where: str) -> str:
    """The head of a sweep: how many runs of what, recorded where; then its axes."""
    epochs = " or ".join(map(str, sorted({job.n_epochs for job in jobs})))
    runs = plural(len(jobs), "run")
    lines = [f"{experiment}: {runs} of {epochs} epochs, recorded in {where}"]
    varying = axes(jobs)
    width = max(map(len, varying), default=0)
    lines += [f"  {key:<{width}}  {text}" for key, text in listed_axes(varying, LINE).items()]
    return "\n".join(lines)


def listed_axes(varying: Mapping[str, Sequence], room: int = LONGEST["param"]) -> dict[str, str]:
    return {
        key: listed(values, room, write=str if key == "mode" else written) for key, values in varying.items()
    }


def listed(values: Sequence, room: int = LONGEST["param"], write: Callable = written) -> str:
    """An axis as a command line gives it: range(0,25), or 0.01,0.1; its ends if that takes more room."""
    words = [write(value) for value in values]
    if len(set(words)) < len(words):  # 1 and 1.0
        words = [exactly(value) for value in values]
    text = min([",".join(words), *_as_range(values)], key=len)
    return text if len(text) <= room else f"{words[0]},{words[1]} … {words[-1]} ({len(values)} values)"


def _as_range(values: Sequence) -> list[str]:
    """The values as a range, if they are one."""
    if {type(value) for value in values} != {int} or len(values) == 1:
        return []
    step = values[1] - values[0]
    whole = range(values[0], values[-1] + step, step)
    if len(whole) != len(values) or list(values) != list(whole):
        return []
    return [str(whole).replace(" ", "")]


def summary(results: Collection[Result]) -> str:
    """A row per learning rate × hidden size × mode: outcomes, and the median final error of what converged.

    Medians are over converged runs only: to pool them with stuck ones would describe neither.
    """
    cells = defaultdict(list)
    for result in results:
        settings = result.settings
        cells[settings.learning_rate, settings.hidden_size, settings.mode].append(result)
    present = {result.outcome for result in results}
    shown = [outcome for outcome in (*OUTCOMES, "failed") if outcome in present]
    width = max(len("mode"), *(len(mode) for _, _, mode in cells))
    titles = "".join(f" {outcome:>9}" for outcome in shown)
    lines = [
        f"{'learning rate':>13} {'hidden size':>11}  {'mode':<{width}}{titles}  median error of converged"
    ]
    before = None
    for (learning_rate, hidden_size, mode), runs in sorted(cells.items()):
        cell = f"{tidy(learning_rate):>13} {hidden_size:>11}"
        counts = Counter(run.outcome for run in runs)
        numbers = "".join(f" {counts[outcome] or '·':>9}" for outcome in shown)
        finals = [run.final_error for run in runs if run.outcome == "converged"]
        middle = f"{median(finals):.1e}" if finals else "—"
        where = cell if cell != before else " " * len(cell)
        lines.append(f"{where}  {mode:<{width}}{numbers}  {middle:>25}")
        before = cell
    shares = " or ".join(map(tidy, sorted({result.settings.converged_below for result in results})))
    lines.append(f"converged: an error below {shares} of that of answering 0")
    return "\n".join(lines)


def run_alone(settings: Settings, error: np.ndarray, params: np.ndarray) -> str:
    """One run: its error (n_epochs + 1,) every tenth of the epochs, and its answers beside the targets."""
    lines = [settings.name(), f"{'epoch':>8}  mean error"]
    for epoch in np.linspace(0, settings.n_epochs, 11).round().astype(int):
        lines.append(f"{epoch:>8}  {error[epoch]:.6g}")
    lines += ["", f"{'row':<22} {'target':>8}  {'answer':>10}"]
    for x, target in zip(settings.rows.inputs, settings.rows.targets, strict=True):
        answer = settings.network.predict(params, x.astype(params.dtype))[0]
        lines.append(f"{' '.join(map(tidy, x.tolist())):<22} {target:>8g}  {answer:>10.6f}")
    return "\n".join(lines)
