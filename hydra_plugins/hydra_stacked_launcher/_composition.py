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
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.nodes import StringNode

from hydra_plugins.hydra_stacked_launcher._faults import Fault, one_line

BASES_KEPT = 64  # compositions by Hydra, one per choice of groups, half a megabyte each
OUTPUT_DIR = "${stacked_abspath:${hydra.sweep.dir}/${hydra.sweep.subdir}}"  # run_job's; nobody makes it here
OmegaConf.register_new_resolver("stacked_abspath", os.path.abspath, replace=True)
JOBS_OWN = ("overrides.", "runtime.", "job.id", "job.num", "job.override_dirname")  # of Hydra's settings


class Composed(NamedTuple):
    config: DictConfig  # a job's, as its task gets it
    whole: DictConfig  # with its hydra node


class Parsed(NamedTuple):
    kind: str | tuple[str, type]  # the line itself if it chooses a group, else key and type
    override: Override


class Composer:
    """Composes one job after another from a sweep's master config."""

    def __init__(self, loader: ConfigLoaderImpl, master: DictConfig) -> None:
        self._loader = loader
        self._master = master
        self._parser = OverridesParser.create()
        self._parsed = functools.lru_cache(10_000)(self._parse)
        self._base = functools.lru_cache(BASES_KEPT)(functools.partial(_result_of, self._load_base))
        self._equal: dict[tuple, bool] = {}  # kinds of jobs, whether our way gives what Hydra's gives
        lines = OmegaConf.to_container(master.hydra.overrides.hydra)
        self._settings = _settings_of_sweep(master.hydra)
        self._checked: DictConfig | None = None  # the hydra node of a base, which jobs share
        self._groups = loader._parse_overrides_and_create_caching_repo(master.hydra.job.config_name, lines)[1]

    def compose(self, overrides: Sequence[str], number: int) -> Composed:
        """Raises what Hydra raises. The whole is good until the next call."""
        parsed = [self._parsed(line) for line in overrides]
        if None in parsed:
            return self._by_hydra(overrides, number)
        result = _result_of(self._by_us, overrides, number)
        kind = (tuple(part.kind for part in parsed), type(result))
        if not self._equal.get(kind):
            by_hydra = _result_of(self._by_hydra, overrides, number)
            self._equal.setdefault(kind, _description(result) == _description(by_hydra))
            result = by_hydra
        if isinstance(result, Exception):
            raise result.with_traceback(None)  # else that of a base grows with every job
        return result

    def check_settings(self, composed: Composed) -> None:
        """Raises a Fault for a job that gives Hydra settings of its own: only the sweep's are heard."""
        hydra = composed.whole.hydra
        if hydra is self._checked:
            return
        settings = _settings_of_sweep(hydra)
        for key in {**self._settings, **settings}:
            in_job = settings.get(key, "nothing")
            of_sweep = self._settings.get(key, "nothing")
            if in_job != of_sweep:
                why = f"{in_job} in a job, {of_sweep} for the sweep"
                raise Fault(f"hydra.{key}: {why}; give all jobs the same, or run a sweep for each")
        self._checked = hydra

    def choices(self, overrides: Sequence[str]) -> list[str]:
        """The config groups a job chooses; jobs that choose the same are best composed one after another."""
        return [line for line in overrides if getattr(self._parsed(line), "kind", None) == line]

    def _parse(self, line: str) -> Parsed | None:
        """None for an override that is unusual."""
        try:
            override = self._parser.parse_override(line)
        except HydraException:
            return None
        if "hydra" in line or override.is_sweep_override():
            return None
        if not isinstance(override.value(), dict) and self._groups.group_exists(override.key_or_group):
            return Parsed(line, override)
        return Parsed((override.get_key_element(), type(override._value)), override)

    def _load(self, overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
        """Hydra's own config of a job, and its hydra node, in a root of its own."""
        config = self._loader.load_sweep_config(self._master, list(overrides))
        hydra = config._content.pop("hydra")
        hydra.runtime.output_dir = OUTPUT_DIR
        root = DictConfig({})
        root.__dict__["_metadata"] = copy.copy(config._metadata)
        hydra._set_parent(root)
        return config, hydra

    def _load_base(self, choices: tuple[str, ...]) -> tuple[bytes, DictConfig, dict]:
        """What the jobs of one choice of groups have in common: config, hydra node, how a dirname is made."""
        config, hydra = self._load(choices)
        return pickle.dumps(config), hydra, OmegaConf.to_container(hydra.job.config.override_dirname)

    def _by_us(self, overrides: Sequence[str], number: int) -> Composed:
        base = self._base(tuple(self.choices(overrides)))
        if isinstance(base, Exception):
            raise base
        pickled, hydra, dirname_options = base
        parsed = [self._parsed(line) for line in overrides]
        config = pickle.loads(pickled)
        values = [part.override for part in parsed if isinstance(part.kind, tuple)]
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        task = hydra.overrides.task
        task.__dict__["_content"] = [StringNode(line, i, task, False) for i, line in enumerate(overrides)]
        dirname = get_overrides_dirname([part.override for part in parsed], **dirname_options)
        hydra.job._content["override_dirname"]._set_value(dirname)
        return _composed(config, hydra, number)

    def _by_hydra(self, overrides: Sequence[str], number: int) -> Composed:
        return _composed(*self._load(overrides), number)


def _composed(config: DictConfig, hydra: DictConfig, number: int) -> Composed:
    """With a whole that holds the same nodes, and the hydra node of job number."""
    for key in ("id", "num"):
        hydra.job._content[key]._set_value(number)
    whole = hydra._get_parent()
    whole.__dict__["_content"] = {"hydra": hydra, **config._content}
    return Composed(config, whole)


def _settings_of_sweep(hydra: DictConfig) -> dict[str, str]:
    """Hydra's settings that all jobs of a sweep share: dotted key -> value as it stands."""
    leaves = _leaves(OmegaConf.to_container(hydra))
    return {key: repr(value) for key, value in leaves if not key.startswith(JOBS_OWN)}


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@contextlib.contextmanager
def hydra_config(whole: DictConfig) -> Iterator[None]:
    """HydraConfig, and with it ${hydra:...}, shows this config."""
    state = HydraConfig.instance()
    before = state.cfg
    state.cfg = whole
    try:
        yield
    finally:
        state.cfg = before


def _result_of(function: Callable[..., Any], *args: Any) -> Any:
    """What the function returns, or the error that it raises."""
    try:
        return function(*args)
    except Exception as error:
        return error


def _description(result: Composed | Exception) -> str:
    return one_line(result) if isinstance(result, Exception) else OmegaConf.to_yaml(result.whole)
