"""What belongs to a sweep as a whole: where it is recorded, fresh, dry_run. No job may say otherwise."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.store import address, masked
from experiments.sweep.rules import OF_THE_COMMAND, faults
from hydra_plugins.hydra_stacked_launcher.messages import message_of

HARNESS = ("tracking", "fresh", "dry_run")  # keys of the whole command, not of a run
ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")  # an interpolation that means the same in every job


def check_command(config: DictConfig) -> None:
    """Check what the whole command shares: tracking, fresh, dry_run. Raises ValueError: a line per fault."""
    values = resolved(config, HARNESS.__contains__)
    if not isinstance(values.get("tracking"), dict):
        raise ValueError(f"tracking: {values.get('tracking')!r}; give tracking.uri and tracking.experiment")
    values = dict(_leaves(values))
    wrong = faults(values, OF_THE_COMMAND)
    if wrong:
        raise ValueError("\n".join(wrong))
    address(values["tracking.uri"])  # StoreError, a ValueError


class Whole:
    """What a sweep's own config says of the whole, to hold its jobs against."""

    def __init__(self, config: DictConfig):
        self._config = config
        self._stated = _stated(config)
        texts = "".join(self._stated.values())
        self._may_vary = "${" in ENVIRONMENT.sub("", texts)

    @cached_property
    def _values(self) -> dict[str, str]:
        return _values(self._config)

    def check(self, config: DictConfig) -> None:
        """Raises ValueError for a job that says something else, in its own words or by interpolation."""
        stated = _stated(config)
        if stated == self._stated and not self._may_vary:
            return
        values = _values(config)
        lines = []
        for key in {**self._values, **values}:
            of_sweep = self._values.get(key, "nothing")
            if values.get(key, "nothing") != of_sweep:
                why = f"{stated.get(key, 'nothing')} in a job, {of_sweep} for the sweep"
                lines.append(f"{key}: {why}; give all jobs the same, or run a sweep for each")
        if lines:
            raise ValueError("\n".join(lines))


def _stated(config: DictConfig) -> dict[str, str]:
    """key -> value as it stands, interpolations too. Of private parts: to_container takes 3 % of a job."""
    stated = {}
    for key in HARNESS:
        node = config._get_node(key, validate_access=False)
        if node is not None:
            stated |= {name: repr(value) for name, value in _leaves({key: node._value()})}
    return stated


def _values(config: DictConfig) -> dict[str, str]:
    """key -> value after interpolation."""
    return {key: repr(value) for key, value in _leaves(resolved(config, HARNESS.__contains__))}


def _leaves(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if hasattr(value, "_value"):  # a node of OmegaConf
            value = value._value()
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def resolved(config: DictConfig, is_wanted: Callable[[str], bool]) -> dict[str, object]:
    """The wanted keys with their values. Raises ValueError for one that has none."""
    values = {}
    try:
        for key in filter(is_wanted, config):
            value = config[key]
            if OmegaConf.is_config(value):
                value = OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
            values[key] = value
    except OmegaConfBaseException as error:
        raise ValueError(message_of(error)) from None
    return values


def text_of(config: DictConfig) -> str:
    """The config as YAML, without passwords. What only a job has, as hydra.job.num, stands unresolved."""
    try:
        known = OmegaConf.create(_known(config))
    except OmegaConfBaseException:  # a value that looks like an interpolation and is none
        known = config
    return masked(OmegaConf.to_yaml(known))


def _known(node: object) -> object:
    """A node's plain value, key by key: resolved where it resolves."""
    if not OmegaConf.is_config(node):
        return node
    with contextlib.suppress(OmegaConfBaseException):
        return OmegaConf.to_container(node, resolve=True, enum_to_str=True)
    known = OmegaConf.to_container(node, enum_to_str=True)
    for key in known if isinstance(known, dict) else range(len(known)):
        with contextlib.suppress(OmegaConfBaseException):
            known[key] = _known(node[key])
    return known
