"""Composes the jobs of a sweep as Hydra does, at a fraction of the time.

Hydra composes once per choice of config groups; a job's other overrides are applied, by Hydra's own function,
to a copy. The first job of each kind (same groups, keys and types of values) is held against Hydra's own; a
kind that differs, and anything unusual, takes Hydra's own way.
The private names used here are those of hydra-core 1.3.
"""

import contextlib
import copy
import functools
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.nodes import StringNode

from hydra_plugins.hydra_stacked_launcher.messages import one_line

BASES_KEPT = 64  # compositions by Hydra, one per choice of groups, half a megabyte each
OUTPUT_DIR = (
    "${stacked_abspath:${hydra.sweep.dir}/${hydra.sweep.subdir}}"  # run_job's, which nobody makes here
)
OmegaConf.register_new_resolver("stacked_abspath", os.path.abspath, replace=True)

Composed = tuple[
    DictConfig, DictConfig
]  # a job's config as its task gets it, and the whole with its hydra node
Kind = str | tuple[str, type]  # of an override: the line itself if it chooses a group, else key and type


class Composer:
    """Composes one job after another from a sweep's master config."""

    def __init__(self, loader: ConfigLoaderImpl, master: DictConfig) -> None:
        self._loader, self._master = loader, master
        self._parser = OverridesParser.create()
        self._parsed = functools.lru_cache(10_000)(self._parse)
        self._base = functools.lru_cache(BASES_KEPT)(functools.partial(_tried, self._load_base))
        self._equal: dict[tuple, bool] = {}
        lines = OmegaConf.to_container(master.hydra.overrides.hydra)
        self._groups = loader._parse_overrides_and_create_caching_repo(master.hydra.job.config_name, lines)[1]

    def compose(self, overrides: Sequence[str], number: int) -> Composed:
        """Raises what Hydra raises. The whole is good until the next call."""
        kinds = self._kinds(overrides)
        if kinds is None:
            return self._own(overrides, number)
        result = _tried(self._fast, overrides, number)
        kind = kinds, type(result)
        if not self._equal.get(kind):
            own = _tried(self._own, overrides, number)
            self._equal.setdefault(kind, _facts(result) == _facts(own))
            result = own
        if isinstance(result, Exception):
            raise result.with_traceback(None)  # else that of a base grows with every job
        return result

    def choices(self, overrides: Sequence[str]) -> list[str]:
        """The config groups a job chooses; jobs that choose the same are best composed one after another."""
        return [line for line in overrides if (self._parsed(line) or [None])[0] == line]

    def _kinds(self, overrides: Sequence[str]) -> tuple[Kind, ...] | None:
        parsed = [self._parsed(line) for line in overrides]
        return None if None in parsed else tuple(kind for kind, _ in parsed)

    def _parse(self, line: str) -> tuple[Kind, Override] | None:
        """None for an override that is unusual."""
        try:
            override = self._parser.parse_override(line)
        except HydraException:
            return None
        if "hydra" in line or override.is_sweep_override():
            return None
        if not isinstance(override.value(), dict) and self._groups.group_exists(override.key_or_group):
            return line, override
        return (override.get_key_element(), type(override._value)), override

    def _load(self, overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
        """Hydra's own config of a job, and its hydra node, in a root of its own."""
        config = self._loader.load_sweep_config(self._master, list(overrides))
        hydra, root = config._content.pop("hydra"), DictConfig({})
        hydra.runtime.output_dir = OUTPUT_DIR
        root.__dict__["_metadata"] = copy.copy(config._metadata)
        hydra._set_parent(root)
        return config, hydra

    def _load_base(self, choices: tuple[str, ...]) -> tuple[bytes, DictConfig, dict]:
        config, hydra = self._load(choices)
        return pickle.dumps(config), hydra, OmegaConf.to_container(hydra.job.config.override_dirname)

    def _fast(self, overrides: Sequence[str], number: int) -> Composed:
        kinds, parsed = zip(*map(self._parsed, overrides), strict=True)
        base = self._base(tuple(self.choices(overrides)))
        if isinstance(base, Exception):
            raise base
        pickled, hydra, dirname = base  # the hydra node is one for all jobs of this choice
        config = pickle.loads(pickled)
        values = [override for kind, override in zip(kinds, parsed, strict=True) if isinstance(kind, tuple)]
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        task = hydra.overrides.task
        task.__dict__["_content"] = [StringNode(line, i, task, False) for i, line in enumerate(overrides)]
        hydra.job._content["override_dirname"]._set_value(get_overrides_dirname(parsed, **dirname))
        return config, _whole(config, hydra, number)

    def _own(self, overrides: Sequence[str], number: int) -> Composed:
        config, hydra = self._load(overrides)
        return config, _whole(config, hydra, number)


def _whole(config: DictConfig, hydra: DictConfig, number: int) -> DictConfig:
    """A config that holds the same nodes, and the hydra node of job number."""
    for key in ("id", "num"):
        hydra.job._content[key]._set_value(number)
    whole = hydra._get_parent()
    whole.__dict__["_content"] = {"hydra": hydra, **config._content}
    return whole


@contextlib.contextmanager
def hydra_config(whole: DictConfig) -> Iterator[None]:
    """HydraConfig, and with it ${hydra:...}, tells of this config."""
    state, before = HydraConfig.instance(), HydraConfig.instance().cfg
    state.cfg = whole
    try:
        yield
    finally:
        state.cfg = before


def _tried(function: Callable[..., Any], *args: Any) -> Any:
    """What the function returns, or the error that it raises."""
    try:
        return function(*args)
    except Exception as error:
        return error


def _facts(result: Composed | Exception) -> str:
    return one_line(result) if isinstance(result, Exception) else OmegaConf.to_yaml(result[1])
