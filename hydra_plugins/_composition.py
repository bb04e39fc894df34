"""Composes the jobs of a sweep as Hydra does, at a fraction of the time.

Hydra composes once per choice of config groups; a job's other overrides are applied, by Hydra's own function,
to a copy. The first job of each kind (same groups, keys and types of values) is held against Hydra's own,
node by node, with nothing resolved; a kind that differs, and anything unusual, takes Hydra's own way.
The private names used here are those of hydra-core 1.3.
"""

import contextlib
import copy
import functools
import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf, ValueNode, open_dict
from omegaconf.nodes import StringNode

from hydra_plugins._faults import one_line

BASES_KEPT = 64  # compositions by Hydra, one per choice of groups, half a megabyte each


class Composer:
    """Composes one job after another from a sweep's master config."""

    def __init__(self, loader: ConfigLoaderImpl, master: DictConfig) -> None:
        self._loader, self._master = loader, master
        self._equal: dict[Hashable, bool] = {}
        self._parser = OverridesParser.create()
        self._parsed = functools.lru_cache(10_000)(self._parse)
        self._base = functools.lru_cache(BASES_KEPT)(self._load_base)

    def compose(self, overrides: Sequence[str], number: int) -> tuple[DictConfig, DictConfig]:
        """The job's config as its task gets it, and the whole with its hydra node. Raises what Hydra raises.

        The whole is good until the next call.
        """
        kind = self._kind(overrides)
        if kind is None:
            return self._own(overrides, number)
        result, error = _tried(self._fast, overrides, number)
        kind = kind, error is None
        if kind not in self._equal:
            facts = _outcome(result, error)
            result, error = _tried(self._own, overrides, number)
            self._equal[kind] = facts == _outcome(result, error)
        elif not self._equal[kind]:
            result, error = _tried(self._own, overrides, number)
        if error:
            raise error
        return result

    def order(self, job_overrides: Sequence[Sequence[str]]) -> list[int]:
        """Indices of jobs, those of one choice of groups next to each other."""
        return sorted(range(len(job_overrides)), key=lambda index: self._choices(job_overrides[index]))

    def to_keep(self, overrides: Sequence[str], number: int) -> DictConfig:
        """The job's whole config, to keep, with the output folder that Hydra would give it."""
        whole = copy.deepcopy(self.compose(overrides, number)[1])
        _set_output_dir(whole)
        return whole

    def names(self, overrides: Sequence[str]) -> list[str]:
        """Every key that the job could override, as far as it can be composed."""
        groups = self._loader.list_groups("")
        base = self._base(self._choices(overrides))
        return groups if isinstance(base, Exception) else groups + list(dotted(base.task))

    def _parse(self, line: str) -> tuple[Override | None, bool]:
        """The override, None when it is unusual; whether it chooses a config group."""
        try:
            override = self._parser.parse_overrides([line])[0]
        except HydraException:
            return None, False
        if "hydra" in line or override.is_sweep_override():
            return None, False
        is_group = not isinstance(override.value(), dict) and self._groups.group_exists(override.key_or_group)
        return override, is_group

    @functools.cached_property
    def _groups(self) -> Any:
        hydra = self._master.hydra
        lines = OmegaConf.to_container(hydra.overrides.hydra)
        return self._loader._parse_overrides_and_create_caching_repo(hydra.job.config_name, lines)[1]

    def _kind(self, overrides: Sequence[str]) -> Hashable | None:
        kind = []
        for line in overrides:
            override, is_group = self._parsed(line)
            if override is None:
                return None
            kind.append(line if is_group else (override.get_key_element(), type(override._value)))
        return tuple(kind)

    def _choices(self, overrides: Sequence[str]) -> tuple[str, ...]:
        return tuple(line for line in overrides if self._parsed(line)[1])

    def _load_base(self, choices: tuple[str, ...]) -> "_Base | Exception":
        try:
            return _Base(self._loader.load_sweep_config(self._master, list(choices)))
        except Exception as error:
            return error

    def _fast(self, overrides: Sequence[str], number: int) -> tuple[DictConfig, DictConfig]:
        parsed = [self._parsed(line) for line in overrides]
        base = self._base(self._choices(overrides))
        if isinstance(base, Exception):
            raise base.with_traceback(None)  # else it grows with every job
        config = _clone(base.task, None)
        ConfigLoaderImpl._apply_overrides_to_config([one for one, is_group in parsed if not is_group], config)
        return config, base.whole(config, [one for one, _ in parsed], number)

    def _own(self, overrides: Sequence[str], number: int) -> tuple[DictConfig, DictConfig]:
        whole = self._loader.load_sweep_config(self._master, list(overrides))
        with open_dict(whole):
            whole.hydra.job.id = whole.hydra.job.num = number
        config = copy.deepcopy(whole)
        del config.__dict__["_content"]["hydra"]
        if _names_output_dir(config):
            _set_output_dir(whole)
        return config, whole


class _Base:
    """Hydra's composition of one choice of config groups; the jobs made from it share its hydra node."""

    def __init__(self, config: DictConfig) -> None:
        self.task = config
        self.hydra = config.__dict__["_content"].pop("hydra")
        self.names_output_dir = _names_output_dir(config)
        self.dirname = OmegaConf.to_container(self.hydra.job.config.override_dirname)
        self.root = DictConfig({})  # what the hydra node's interpolations start from
        self.root.__dict__["_metadata"] = _clone(config, None)._metadata
        self.hydra._set_parent(self.root)

    def whole(self, config: DictConfig, overrides: Sequence[Override], number: int) -> DictConfig:
        """config with the hydra node of job number."""
        job, lines = self.hydra.job, [override.input_line for override in overrides]
        values = job.__dict__["_content"]
        values["id"]._set_value(number)
        values["num"]._set_value(number)
        values["override_dirname"]._set_value(get_overrides_dirname(overrides, **self.dirname))
        tasks = self.hydra.overrides.task
        tasks.__dict__["_content"] = [
            StringNode(line, key=key, parent=tasks, is_optional=False) for key, line in enumerate(lines)
        ]
        self.root.__dict__["_content"] = {"hydra": self.hydra, **config.__dict__["_content"]}
        if self.names_output_dir:
            _set_output_dir(self.root)
        return self.root


@contextlib.contextmanager
def hydra_config(whole: DictConfig) -> Iterator[Callable[[DictConfig], None]]:
    """HydraConfig, and with it ${hydra:...}, tells of this config; gives a function that sets another."""
    state = HydraConfig.instance()

    def tell_of(config: DictConfig) -> None:  # as set_config does, but for the copy and the read-only flag
        state.cfg = DictConfig({})
        state.cfg.__dict__["_content"]["hydra"] = config.__dict__["_content"]["hydra"]

    before = state.cfg
    tell_of(whole)
    try:
        yield tell_of
    finally:
        state.cfg = before


def _set_output_dir(whole: DictConfig) -> None:
    """As run_job does; no folder is made."""
    with hydra_config(whole):
        parts = [str(OmegaConf.select(whole, f"hydra.sweep.{key}")) for key in ("dir", "subdir")]
        folder = os.path.join(*parts)
        whole.hydra.runtime.__dict__["_content"]["output_dir"]._set_value(os.path.abspath(folder))


def _names_output_dir(config: DictConfig) -> bool:
    return "output_dir" in repr(OmegaConf.to_container(config))


def _tried(function: Callable, *args: Any) -> tuple[Any, Exception | None]:
    try:
        return function(*args), None
    except Exception as error:
        return None, error


def _clone(node: Any, parent: Any) -> Any:
    """copy.deepcopy of a config, 8 times faster: values don't change in place, so that they can be shared."""
    cls = type(node)
    if cls not in (DictConfig, ListConfig) and not issubclass(cls, ValueNode):
        new = copy.deepcopy(node)
        new._set_parent(parent)
        return new
    new = cls.__new__(cls)
    inside = new.__dict__
    inside.update(node.__dict__)
    inside["_parent"], inside["_flags_cache"] = parent, None
    old = inside["_metadata"]
    metadata = inside["_metadata"] = object.__new__(type(old))
    metadata.__dict__.update(old.__dict__)
    metadata.flags = dict(old.flags)
    if parent is None:  # OmegaConf looks for the cache at the root only
        metadata.resolver_cache = copy.deepcopy(old.resolver_cache)
    content = inside.get("_content")
    if isinstance(content, dict):
        inside["_content"] = {key: _clone(value, new) for key, value in content.items()}
    elif isinstance(content, list):
        inside["_content"] = [_clone(value, new) for value in content]
    return new


def _outcome(result: tuple[DictConfig, DictConfig] | None, error: Exception | None) -> Any:
    return _facts(result[1]) if result else one_line(error)


def _facts(node: Any) -> tuple:
    """All that tells two configs apart, interpolations as they stand."""
    told = {key: value for key, value in node._metadata.__dict__.items() if key != "resolver_cache"}
    content = node.__dict__.get("_content", node)
    if isinstance(content, dict):
        inside: Any = [(key, _facts(value)) for key, value in content.items()]
    elif isinstance(content, list):
        inside = [_facts(value) for value in content]
    else:
        inside = repr(node._value())
    return type(node), repr(told), inside


def dotted(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key, value in config.items_ex(resolve=False):
        yield f"{prefix}{key}"
        if isinstance(value, DictConfig) and isinstance(value.__dict__["_content"], dict):
            yield from dotted(value, f"{prefix}{key}.")
