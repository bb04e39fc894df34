"""hydra/launcher=stacked: trains the jobs of a stackable task in stacks."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn

from hydra_plugins.hydra_stacked_launcher import config as config  # registers it
from hydra_plugins.hydra_stacked_launcher._faults import Fault


class StackedLauncher(BasicLauncher):
    """Trains the jobs of a stackable task in stacks; launches any other task as Hydra's own launcher does."""

    def __init__(self, max_stack: int | None, n_jobs: int, backend: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.max_stack = max_stack
        self.n_jobs = n_jobs
        self.backend = backend
        self.options = options

    @property
    def stackable(self) -> bool:
        return hasattr(self.task_function, "stacked")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """One JobReturn per job, in order. Raises one Fault for all bad jobs."""
        if not self.stackable:
            return super().launch(job_overrides, initial_job_idx)
        try:
            from hydra_plugins.hydra_stacked_launcher import _core
        except ModuleNotFoundError as error:
            raise Fault(f"hydra/launcher: stacked; needs a package: pip install {error.name}") from None
        return _core.launch(self, job_overrides, initial_job_idx)
