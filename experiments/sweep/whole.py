"""What belongs to a sweep as a whole: where it is recorded, fresh, dry_run."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.store import address, masked
from experiments.sweep.rules import OF_THE_COMMAND, faults
from hydra_plugins.hydra_stacked_launcher.messages import message_of

HARNESS = ("tracking", "fresh", "dry_run")  # keys of the whole command, not of a run


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


def _leaves(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
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
