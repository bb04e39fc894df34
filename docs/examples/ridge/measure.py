"""How much faster ridge.py sweeps its 1,000 jobs in stacks than Hydra's own launcher, one by one.

python measure.py      half a minute: of the slow way, 50 jobs are run and the others extrapolated
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

APP = Path(__file__).with_name("ridge.py")
N_STACKED = 1000
N_BASIC = 50
BASIC = ("alpha=1", "n_features=5,10,20,30,50", "fold=range(10)")


def seconds(*words):
    """From command line to the end, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run([sys.executable, APP, "-m", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def comparison(stacked, basic):
    """Three lines from the seconds of both."""
    in_all = basic * N_STACKED / N_BASIC
    lines = [
        f"stacked: {N_STACKED:,} jobs in {stacked:.1f} s, {1000 * stacked / N_STACKED:.1f} ms a job",
        f"basic: {N_BASIC} jobs in {basic:.1f} s, {1000 * basic / N_BASIC:.0f} ms a job",
        f"{N_STACKED:,} jobs by basic: {in_all:.0f} s (extrapolated), {in_all / stacked:.0f} × as long",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(comparison(min(seconds(), seconds()), seconds(*BASIC, "hydra/launcher=basic")))
