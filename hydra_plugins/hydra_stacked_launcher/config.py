"""What hydra/launcher=stacked and hydra/sweeper=stacked can be told, and its defaults."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore


@dataclass
class StackedLauncherConf:
    _target_: str = "hydra_plugins.hydra_stacked_launcher.stacked_launcher.StackedLauncher"
    # most jobs in one stack, null for no limit; memory grows with it, speed hardly does beyond some thousands
    max_stack: int | None = 2000
    # stacks trained at the same time; 1 trains in this process, -1 takes every core
    n_jobs: int = 1
    # joblib's backend, when n_jobs is not 1: loky (processes), threading, dask (a cluster), ...
    backend: str = "loky"
    # passed on to joblib.parallel_config as they are, such as inner_max_num_threads, temp_folder,
    # or for dask scheduler_host: tcp://<address>:8786
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class StackedSweeperConf:
    _target_: str = "hydra_plugins.hydra_stacked_launcher.stacked_sweeper.StackedSweeper"
    # most jobs of one launch, for an ordinary task; a stackable task's sweep is one launch
    max_batch_size: int | None = None
    # the axes: overrides as on the command line, where they can be given again to replace these
    params: dict[str, str] = field(default_factory=dict)
    # settings that go together, a line of overrides each ("gradient=numeric gradient.h=1e-2,1e-4"):
    # the axes are run once for each line, which may replace an axis; a text with spaces needs quotes
    cases: list[str] | None = None


for group, node in (("hydra/launcher", StackedLauncherConf), ("hydra/sweeper", StackedSweeperConf)):
    ConfigStore.instance().store(group=group, name="stacked", node=node, provider="stacked_launcher")
