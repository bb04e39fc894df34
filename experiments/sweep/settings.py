"""One run's settings: read from a composed config, checked, named, hashed.

`read(config)` is the only way in. It raises ValueError with a line per fault: field, value, what is right.
"""

import functools
import inspect
import json
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import hydra
import numpy as np
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig

import tinynet
from experiments.sweep.origin import code, digest
from experiments.sweep.rules import LARGEST_NET, OF_A_RUN, faults
from experiments.sweep.whole import HARNESS, resolved
from experiments.wording import tidy, written
from hydra_plugins.hydra_stacked_launcher.messages import one_line, suggestion
from tinynet.outcomes import DIVERGED_ABOVE

MOST_EVALUATIONS = 10_000_000  # of the error, for one step
OFFERS = {  # config group -> what the object that it describes must have
    "problem": ("inputs", "targets", "n_inputs"),
    "gradient": ("estimate", "evaluations"),
}


@dataclass(frozen=True)
class Settings:
    """Everything that decides what is recorded. `problem` and `gradient` are those groups of the config."""

    learning_rate: float
    hidden_size: int
    seed: int
    n_epochs: int
    activation: str
    bias: bool
    dtype: str
    start: str
    online_error: bool
    diagnostics: bool
    converged_below: float
    problem: Mapping[str, object]
    gradient: Mapping[str, object]
    rows: tinynet.Problem = field(repr=False, compare=False)
    estimator: object = field(repr=False, compare=False)

    @property
    def network(self) -> tinynet.Network:
        return tinynet.Network(self.rows.n_inputs, self.hidden_size, self.activation, self.bias)

    @property
    def mode(self) -> str:
        """What is compared: the gradient mode with its arguments, and what is not fresh or float64."""
        parts = [_label(_text(self.gradient))]
        if self.start != "fresh":
            parts.append(self.start)
        if self.dtype != "float64":
            parts.append(self.dtype)
        return " ".join(parts)

    @property
    def shape(self) -> tuple:
        """Runs of equal shape are trained in one stack: they differ in learning rate and seed only."""
        common = [getattr(self, name) for name in OF_A_RUN if name not in ("learning_rate", "seed")]
        return (_text(self.gradient), _rows_digest(self.rows), *common)

    @property
    def pair(self) -> str:
        """Equal for the runs that differ in mode alone."""
        return digest(
            _rows_digest(self.rows), self.hidden_size, self.activation, self.bias,
            self.learning_rate, self.seed, self.n_epochs, self.converged_below,
        )  # fmt: skip

    @property
    def fingerprint(self) -> str:
        """Equal for runs that give the same results: settings, rows, and the source behind them.

        Those of a stack begin alike, so that its rows lie together in the store's indices.
        """
        stack = digest(*self.shape)
        return stack[:4] + digest(stack, self.pair, code(type(self.estimator)))[4:]

    def params(self) -> dict[str, object]:
        """The settings as MLflow params, named like the Hydra keys that set them."""
        params = {name: getattr(self, name) for name in OF_A_RUN}
        for group in OFFERS:
            node = getattr(self, group)
            params[group] = target_name(node)
            params |= {f"{group}.{key}": value for key, value in node.items() if key != "_target_"}
        return params

    def name(self, also: tuple[str, ...] = ()) -> str:
        """Readable: the mode and what varies most; `also` names further params that vary in a sweep."""
        params = self.params()
        parts = [self.mode, f"lr={tidy(self.learning_rate)}", f"H={self.hidden_size}"]
        parts += [f"{key}={written(params.get(key))}" for key in also]
        return " ".join([*parts, f"seed={self.seed}"])


def read(config: DictConfig | Mapping) -> Settings:
    """The settings that `config` states. Raises ValueError: a line per fault, all of them."""
    config = config if isinstance(config, DictConfig) else DictConfig(config)
    values = resolved(config, lambda key: key not in HARNESS)
    wrong = faults(values, OF_A_RUN, [*OFFERS, *HARNESS])
    built = {}
    for group in OFFERS:
        try:
            _check_values(group, values.get(group))
            built[group] = _build(group, _text(values.get(group)))
        except ValueError as error:
            wrong += str(error).splitlines()
    if not wrong:
        for key in ("learning_rate", "converged_below"):
            values[key] = float(values[key])
        settings = Settings(**values, rows=built["problem"], estimator=built["gradient"])
        wrong = _misfits(settings)
    if wrong:
        raise ValueError("\n".join(wrong))
    return settings


def _misfits(settings: Settings) -> list[str]:
    """What is wrong with settings that are right each by itself."""
    n_params = settings.network.n_params
    n_evaluations = settings.estimator.evaluations(settings.network)
    wrong = []
    if n_params > LARGEST_NET:
        size = f"the problem's {settings.rows.n_inputs:,} inputs make it a net of {n_params:,} weights"
        wrong.append(f"hidden_size: {settings.hidden_size}; {size}; give a size with at most {LARGEST_NET:,}")
    elif n_evaluations > MOST_EVALUATIONS:
        cost = f"{n_evaluations:,} evaluations of the error for one step"
        wrong.append(f"gradient: {cost}; give a mode or a size that takes at most {MOST_EVALUATIONS:,}")
    wrong += _steps_that_move_nothing(settings)
    zero_error = settings.rows.zero_error
    size = f"the mean square of its targets is {zero_error:.1g}"
    numbers = np.finfo(settings.dtype)
    if not settings.rows.targets.any():
        wrong.append("problem: every target is 0, which a net that answers nothing gets right; give others")
    elif settings.converged_below * zero_error < float(numbers.eps) ** 2:  # weights are about 1
        why = f"and converged_below of it is rounding in {settings.dtype}"
        wrong.append(f"problem: {size}, {why}; give targets of about 1")
    elif DIVERGED_ABOVE * zero_error > float(numbers.max):
        wrong.append(f"problem: {size}, too large for {settings.dtype}; give targets of about 1")
    return wrong


def _steps_that_move_nothing(settings: Settings) -> list[str]:
    """A line for an h of ours that is rounded away beside a weight of about 1, as random weights are."""
    estimator = settings.estimator
    if type(estimator).__module__ != tinynet.gradients.__name__ or not hasattr(estimator, "h"):
        return []
    numbers = np.finfo(settings.dtype)
    least = float(numbers.eps) / 4  # 1 - eps/4 is 1
    if isinstance(estimator, tinynet.gradients.ComplexStep):  # beside an imaginary part of 0
        least = float(numbers.tiny)
    if estimator.h > least:
        return []
    return [f"gradient.h: {estimator.h!r}; give more than {least:.2g}, else no {settings.dtype} weight moves"]


def _check_values(place: str, value: object) -> None:
    """Raises ValueError for a key that JSON would change, or a number that no float holds, however deep."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{place}: {key!r} is a key in it; give names as keys")
            _check_values(f"{place}.{key}", item)
    elif isinstance(value, list):
        for item in value:
            _check_values(place, item)
    elif type(value) is int and abs(value) > sys.float_info.max:
        raise ValueError(f"{place}: a number of more than 308 digits; give a smaller one")


@functools.lru_cache(maxsize=1024)
def _build(group: str, text: str) -> object:
    """The object that a group's node, as JSON, describes; one for all the jobs that say the same."""
    node = json.loads(text)
    if not isinstance(node, dict) or "_target_" not in node:
        raise ValueError(f"{group}: {node!r}; give a class or function as {group}._target_")

    def wrong_target(right: str) -> ValueError:
        return ValueError(f"{group}._target_: {node['_target_']!r}; give {right}")

    try:
        accepted = inspect.signature(hydra.utils.get_object(node["_target_"])).parameters
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise wrong_target(f"a class or function that can be imported ({reason})") from None
    _check_keys(group, node, accepted)
    try:
        built = hydra.utils.instantiate(node)
    except HydraException as error:
        cause = error.__cause__ or error
        if isinstance(cause, (ValueError, OSError)):  # what it says itself of its settings, line by line
            lines = [f"{group}.{line}" for line in str(cause).splitlines() if line.strip()]
            raise ValueError("\n".join(lines)) from None
        raise wrong_target(f"another, or other settings ({one_line(cause)})") from error
    if not all(hasattr(built, name) for name in OFFERS[group]):
        offers = " and ".join(OFFERS[group])
        raise wrong_target(f"one that makes an object with {offers}, which {type(built).__name__} has not")
    return built


def _check_keys(group: str, node: Mapping[str, object], accepted: Mapping[str, inspect.Parameter]) -> None:
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        return
    unknown = [key for key in node if key not in accepted and not key.startswith("_")]
    known = f"{target_name(node)} has no such setting; it has {', '.join(accepted) or 'none'}"
    if unknown:
        raise ValueError(
            "\n".join(f"{group}.{key}: {known}{suggestion(key, [*accepted])}" for key in unknown)
        )


def forget_built() -> None:
    """Let go of what was built: the files it came from may have changed since."""
    _build.cache_clear()


def _text(node: object) -> str:
    return json.dumps(node, sort_keys=True)


def target_name(node: Mapping[str, object]) -> str:
    """tinynet.gradients.ComplexStep -> complex_step; tinynet.Problem.from_csv -> csv."""
    tail = str(node["_target_"]).rpartition(".")[2].removeprefix("from_")
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", tail).lower()


OUR_NAMES = {target_name({"_target_": name}) for name in dir(tinynet.gradients)}


@functools.lru_cache(maxsize=1024)
def _label(text: str) -> str:
    """The mode's name and arguments: always the first, the others where they are not the default."""
    node = json.loads(text)
    target = node.pop("_target_")
    name = target_name({"_target_": target})
    if name in OUR_NAMES and not target.startswith("tinynet."):
        name = target  # not to be taken for ours
    parameters = inspect.signature(hydra.utils.get_object(target)).parameters
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    arguments = {key: node[key] for key in [*defaults, *node] if key in node}
    parts = [name]
    for key, value in arguments.items():
        if len(parts) == 1 or written(value) != written(defaults.get(key, inspect.Parameter.empty)):
            parts.append(f"{key}={written(value)}")
    return " ".join(parts)


@functools.lru_cache(maxsize=64)
def _rows_digest(rows: tinynet.Problem) -> str:
    return digest(rows.inputs.tobytes().hex(), rows.targets.tobytes().hex())


def register() -> None:
    """Let problem and gradient take keys of the user's own; `read` says which ones mean something."""
    free = {group: DictConfig({}, flags={"struct": False}) for group in OFFERS}
    ConfigStore.instance().store(name="free_groups", node=free)
    logging.getLogger("hydra._internal.utils").setLevel(logging.CRITICAL)  # they log what we raise
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)
