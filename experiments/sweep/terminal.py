"""What a sweep says on the terminal: what will be run, how far it is, what came out."""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import numpy as np
from tqdm import tqdm

from experiments.store import LONGEST
from experiments.sweep.settings import Settings
from experiments.wording import plural, tidy
from tinynet.outcomes import OUTCOMES

SECONDS_BETWEEN_LINES = 10  # where the output is no terminal
LINE = 80  # characters of an axis on the terminal


def axes(jobs: Sequence[Settings]) -> dict[str, list]:
    """The params that differ between jobs, with their values in order; those of a mode as one."""
    values = defaultdict(dict)
    for job in jobs:
        for key, value in job.params().items():
            if key == "gradient":
                values["mode"][job.mode] = None
            elif not key.startswith("gradient.") and key not in ("dtype", "start"):
                values[key][value] = None
    return {key: list(seen) for key, seen in values.items() if len(seen) > 1}


def plan(experiment: str, jobs: Sequence[Settings], where: str) -> str:
    """The head of a sweep: how many runs of what, in how many stacks, recorded where; then its axes."""
    epochs = " or ".join(map(str, sorted({job.n_epochs for job in jobs})))
    runs, stacks = plural(len(jobs), "run"), plural(len({job.shape for job in jobs}), "stack")
    varying = axes(jobs)
    width = max(map(len, varying), default=0)
    lines = [f"  {key:<{width}}  {listed(values, LINE)}" for key, values in varying.items()]
    return "\n".join([f"{experiment}: {runs} of {epochs} epochs, {stacks}, recorded in {where}", *lines])


def listed(values: Sequence, room: int = LONGEST["param"]) -> str:
    """An axis as a command line gives it: range(0,25), or 0.01,0.1; its ends if that takes more room."""
    words = [repr(value) if isinstance(value, str) and "," in value else tidy(value) for value in values]
    text = ",".join(words)
    if {type(value) for value in values} == {int} and len(values) > 1:
        first, step, last = values[0], values[1] - values[0], values[-1]
        if list(values) == list(range(first, last + step, step)):
            text = min(text, f"range({first},{last + step}{f',{step}' if step != 1 else ''})", key=len)
    return text if len(text) <= room else f"{words[0]},{words[1]} … {words[-1]} ({len(words)} values)"


class Progress:
    """Runs done: a bar with rate and time left on a terminal, elsewhere a line now and then."""

    def __init__(self, total: int, stream=None):
        self.total, self.done, self.stream = total, 0, stream or sys.stderr
        self.began = self.said = time.monotonic()
        hidden = not self.stream.isatty()
        self.bar = tqdm(
            total=total, unit=" runs", file=self.stream, leave=False, dynamic_ncols=True, disable=hidden
        )

    def add(self, n_runs: int) -> None:
        self.done += n_runs
        self.bar.update(n_runs)
        now = time.monotonic()
        if self.bar.disable and now - self.said >= SECONDS_BETWEEN_LINES and self.done < self.total:
            self.said, rate = now, self.done / (now - self.began)
            said = f"{self.done:,} of {self.total:,} runs, {rate:.0f} a second"
            print(f"  {said}, {(self.total - self.done) / rate:.0f} s left", file=self.stream)

    def close(self) -> None:
        self.bar.close()


def summary(results: Iterable[tuple[Settings, str, float]]) -> str:
    """A row per learning rate × hidden size × mode: outcomes, and the median final error of what converged.

    results: (settings, outcome, final error) of every run. Medians are over converged runs only: to pool
    them with stuck ones would describe neither.
    """
    cells: Mapping[tuple, list] = defaultdict(list)
    for settings, outcome, final_error in results:
        cells[settings.learning_rate, settings.hidden_size, settings.mode].append((outcome, final_error))
    seen = {outcome for runs in cells.values() for outcome, _ in runs}
    shown = [outcome for outcome in (*OUTCOMES, "failed") if outcome in seen]
    width = max(len("mode"), *(len(mode) for _, _, mode in cells))
    head = f"{'learning rate':>13} {'hidden size':>11}  {'mode':<{width}}"
    lines, before = [f"{head}{''.join(f' {name:>9}' for name in shown)}  median error of converged"], None
    for (*cell, mode), runs in sorted(cells.items()):
        named = f"{tidy(cell[0]):>13} {cell[1]:>11}" if cell != before else " " * 25
        counts = Counter(outcome for outcome, _ in runs)
        tally = "".join(f" {counts[outcome] or '·':>9}" for outcome in shown)
        finals = [final_error for outcome, final_error in runs if outcome == "converged"]
        lines.append(f"{named}  {mode:<{width}}{tally}  {f'{median(finals):.1e}' if finals else '—':>25}")
        before = cell
    return "\n".join(lines)


def run_alone(settings: Settings, error: np.ndarray, params: np.ndarray) -> str:
    """One run: its error (n_epochs + 1,) every tenth of the epochs, and its answers beside the targets."""
    n_epochs = settings.n_epochs
    lines = [settings.name(), f"{'epoch':>8}  mean error"]
    lines += [f"{epoch:>8}  {error[epoch]:.6g}" for epoch in np.linspace(0, n_epochs, 11).round().astype(int)]
    lines += ["", "row" + " " * 22 + "target      answer"]
    for x, target in zip(settings.rows.inputs, settings.rows.targets, strict=True):
        answer = settings.network.predict(params, x.astype(params.dtype))[0]
        lines.append(f"{' '.join(map(tidy, x.tolist())):<22} {target:>8g}  {answer:>10.6f}")
    return "\n".join(lines)
