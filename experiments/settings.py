"""One run's settings: read from a composed config, checked, named, hashed.

`read(config)` is the only way in. It raises ValueError with a line per fault: field, value, what is right.
"""

import functools
import hashlib
import inspect
import json
import logging
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import hydra
import numpy as np
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import tinynet
from experiments.stores import UNDERSTOOD, address
from tinynet.network import ACTIVATIONS

DTYPES = ("float64", "float32")
STARTS = ("fresh", "nudged", "continued")
LARGEST_NET = 1_000_000  # weights
MOST_EVALUATIONS = 10_000_000  # of the error, for one step
LONGEST_NAME = 250
HARNESS_KEYS = ("tracking", "fresh", "dry_run")  # of the whole command, not of a run


def _whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and low <= value <= high


RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "learning_rate": (lambda v: type(v) in (int, float) and 0 < v < math.inf, "a finite number above 0"),
    "hidden_size": (_whole(1, LARGEST_NET), f"a whole number from 1 to {LARGEST_NET:,}"),
    "seed": (_whole(0, 2**32 - 1), "a whole number from 0 to 4294967295"),
    "n_epochs": (_whole(1, 1_000_000), "a whole number from 1 to 1,000,000"),
    "activation": ((*ACTIVATIONS,).__contains__, f"one of {', '.join(ACTIVATIONS)}"),
    "bias": (lambda v: type(v) is bool, "true or false"),
    "dtype": (DTYPES.__contains__, f"one of {', '.join(DTYPES)}"),
    "start": (STARTS.__contains__, f"one of {', '.join(STARTS)}"),
    "online_error": (lambda v: type(v) is bool, "true or false"),
    "diagnostics": (lambda v: type(v) is bool, "true or false"),
}


OFFERS = {"problem": ("inputs", "targets", "n_inputs"), "gradient": ("estimate", "evaluations")}


@dataclass(frozen=True)
class Settings:
    """Everything that decides what is recorded. `problem` and `gradient` keep the words of the config."""

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
        words = [_label(self.gradient), self.start, self.dtype]
        return " ".join(word for word in words if word not in ("fresh", "float64"))

    @property
    def shape(self) -> tuple:
        """Runs of equal shape are trained in one stack: they differ in learning rate and seed only."""
        return (
            _text(self.gradient), _rows_digest(self.rows), self.hidden_size, self.n_epochs,
            self.activation, self.bias, self.dtype, self.start, self.online_error, self.diagnostics,
        )  # fmt: skip

    @property
    def pair(self) -> str:
        """Equal for the runs that differ in mode alone."""
        return digest(
            _rows_digest(self.rows), self.hidden_size, self.activation, self.bias,
            self.learning_rate, self.seed, self.n_epochs,
        )  # fmt: skip

    @property
    def fingerprint(self) -> str:
        """Equal for runs of which the same bits are recorded: settings, rows, and the source behind them.

        Those of a stack begin alike, so that its rows lie together in the store's indices.
        """
        stack = digest(*self.shape)
        return stack[:4] + digest(stack, self.pair, code(type(self.estimator)))[4:]

    def params(self) -> dict[str, object]:
        """The settings as MLflow params, named like the Hydra keys that set them."""
        plain = {name: getattr(self, name) for name in RULES}
        for group in ("problem", "gradient"):
            words = getattr(self, group)
            plain[group] = target_name(words)
            plain |= {f"{group}.{key}": value for key, value in words.items() if key != "_target_"}
        return plain

    def name(self, also: tuple[str, ...] = ()) -> str:
        """Readable: the mode and what varies most; `also` names further params that vary in a sweep."""
        params = self.params()
        words = [self.mode, f"lr={tidy(self.learning_rate)}", f"H={self.hidden_size}"]
        words += [f"{key}={tidy(params.get(key))}" for key in also]
        return " ".join([*words, f"seed={self.seed}"])


def read(config: DictConfig | Mapping) -> Settings:
    """The settings that `config` states. Raises ValueError: a line per fault, all of them."""
    config = config if isinstance(config, DictConfig) else DictConfig(config)
    try:
        plain = {key: _plain(value) for key, value in config.items() if key not in HARNESS_KEYS}
    except OmegaConfBaseException as error:
        raise ValueError(_missing(error)) from None
    faults = []
    known = [*RULES, "problem", "gradient"]
    for key in plain.keys() - {*known}:
        faults.append(f"{key}: no such setting{suggestion(key, [*known, *HARNESS_KEYS])}")
    for key, (is_right, right) in RULES.items():
        if not is_right(plain.get(key)):
            faults.append(f"{key}: {plain.get(key)!r}; give {right}")
    built = {}
    for group in ("problem", "gradient"):
        try:
            built[group] = _build(group, _text(plain.get(group)))
        except ValueError as error:
            faults += str(error).splitlines()
    if "problem" in built and not any(
        fault.startswith(("hidden_size", "activation", "bias")) for fault in faults
    ):
        faults += _misfits(built["problem"], plain)
        if "gradient" in built and not faults:
            faults += _too_costly(built["gradient"], _network(built["problem"], plain))
    if faults:
        raise ValueError("\n".join(faults))
    values = {key: plain[key] for key in known} | {"learning_rate": float(plain["learning_rate"])}
    return Settings(**values, rows=built["problem"], estimator=built["gradient"])


def check_command(config: DictConfig) -> None:
    """Check what the whole command shares: tracking, fresh, dry_run. Raises ValueError: a line per fault."""
    faults = []
    for key in ("fresh", "dry_run"):
        if type(config[key]) is not bool:
            faults.append(f"{key}: {config[key]!r}; give true or false")
    try:
        tracking = _plain(config.tracking)
    except OmegaConfBaseException as error:
        raise ValueError(_missing(error)) from None
    if not isinstance(tracking, dict):
        raise ValueError(f"tracking: {tracking!r}; give tracking.uri and tracking.experiment")
    name = tracking.get("experiment")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        faults.append(
            f"tracking.experiment: {name!r}; give a name of 1 to {LONGEST_NAME} characters, numbers quoted"
        )
    if not isinstance(tracking.get("uri"), str):
        faults.append(f"tracking.uri: {tracking.get('uri')!r}; give {UNDERSTOOD}")
    for key in tracking.keys() - {"uri", "experiment"}:
        faults.append(f"tracking.{key}: no such setting{suggestion(key, ['uri', 'experiment'])}")
    if not faults:
        address(tracking["uri"])  # StoreError, a ValueError
    if faults:
        raise ValueError("\n".join(faults))


def _network(rows: tinynet.Problem, plain: Mapping) -> tinynet.Network:
    return tinynet.Network(rows.n_inputs, plain["hidden_size"], plain["activation"], plain["bias"])


def _too_costly(estimator: object, network: tinynet.Network) -> list[str]:
    n = estimator.evaluations(network)
    if n <= MOST_EVALUATIONS:
        return []
    return [
        f"gradient: {n:,} evaluations of the error for one step; give a mode or a size that takes at most "
        f"{MOST_EVALUATIONS:,}"
    ]


def _misfits(rows: tinynet.Problem, plain: Mapping) -> list[str]:
    n_params = _network(rows, plain).n_params
    faults = []
    if n_params > LARGEST_NET:
        faults.append(
            f"hidden_size: {plain['hidden_size']}; with the problem's {rows.n_inputs:,} inputs the net "
            f"has {n_params:,} weights; give a size with at most {LARGEST_NET:,}"
        )
    if not rows.targets.any():
        faults.append(
            "problem: every target is 0, which a net that answers nothing gets right; give other targets"
        )
    return faults


@functools.lru_cache(maxsize=1024)
def _build(group: str, text: str) -> object:
    """The object that a group's words describe; one for all the jobs that say the same."""
    words = json.loads(text)
    if not isinstance(words, dict) or "_target_" not in words:
        raise ValueError(f"{group}: {words!r}; give a class or function as {group}._target_")
    try:
        target = hydra.utils.get_object(words["_target_"])
        accepted = list(inspect.signature(target).parameters.values())
    except Exception as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{group}._target_: {words['_target_']!r}; give a class or function that can be imported "
            f"({reason})"
        ) from None
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted):
        names = [parameter.name for parameter in accepted]
        unknown = [key for key in words if key not in names and not re.fullmatch("_[a-z]+_", key)]
        if unknown:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise ValueError(
                "\n".join(
                    f"{group}.{key}: {target_name(words)} has no such setting; {has}{suggestion(key, names)}"
                    for key in unknown
                )
            )
    try:
        built = hydra.utils.instantiate(words)
    except HydraException as error:
        cause = error.__cause__ or error
        if cause is error:  # Hydra refuses to call it
            refusal = " ".join(str(error).split()).partition(". ")[0]
            raise ValueError(f"{group}._target_: {words['_target_']!r}; give another ({refusal})") from None
        if not isinstance(cause, (ValueError, TypeError, OSError)):
            raise
        faults = (re.sub(r"^.*?(\w+\(\) )", r"\1", line) for line in str(cause).splitlines() if line.strip())
        raise ValueError("\n".join(f"{group}.{fault}" for fault in faults)) from None
    if not all(hasattr(built, name) for name in OFFERS[group]):
        wanted = " and ".join(OFFERS[group])
        raise ValueError(
            f"{group}._target_: {words['_target_']!r}; give one that makes an object with {wanted}, "
            f"which {type(built).__name__} has not"
        )
    return built


def forget() -> None:
    """Let go of what was built: the files it came from may have changed since."""
    _build.cache_clear()


def _plain(value: object) -> object:
    if not OmegaConf.is_config(value):
        return value
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True)


def _missing(error: OmegaConfBaseException) -> str:
    reason = str(error).splitlines()[0]
    if "issing" in reason:
        return f"{error.full_key}: missing; give it as {error.full_key}=..."
    return f"{error.full_key}: {reason}; give a value" if error.full_key else reason


def _text(words: object) -> str:
    return json.dumps(words, sort_keys=True)


def target_name(words: Mapping[str, object]) -> str:
    """tinynet.gradients.ComplexStep -> complex_step; tinynet.Problem.from_csv -> csv."""
    tail = str(words["_target_"]).rpartition(".")[2].removeprefix("from_")
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", tail).lower()


@functools.lru_cache(maxsize=1024)
def _label_of(text: str) -> str:
    """The mode's name and arguments: always the first, the others where they are not the default."""
    words = json.loads(text)
    defaults = inspect.signature(hydra.utils.get_object(words["_target_"])).parameters
    given = {key: value for key, value in words.items() if key != "_target_"}
    ordered = [key for key in defaults if key in given] + [key for key in given if key not in defaults]
    shown = [k for k in ordered if k == ordered[0] or k not in defaults or given[k] != defaults[k].default]
    return " ".join([target_name(words), *(f"{key}={tidy(given[key])}" for key in shown)])


def _label(words: Mapping[str, object]) -> str:
    return _label_of(_text(words))


def tidy(value: object) -> str:
    """0.0001 -> 1e-4, 600.0 -> 600: as short as people write it, and exact."""
    if not isinstance(value, float):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return np.format_float_positional(value, trim="-")
    return np.format_float_scientific(value, trim="-", exp_digits=1).replace("e+", "e")


def suggestion(word: str, options: list[str]) -> str:
    close = get_close_matches(word, options, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def digest(*parts: object) -> str:
    """128 bits in hex that follow from the parts."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=64)
def _rows_digest(rows: tinynet.Problem) -> str:
    return hashlib.sha256(rows.inputs.tobytes() + b"|" + rows.targets.tobytes()).hexdigest()


@functools.lru_cache(maxsize=64)
def code(estimator: type = tinynet.Network) -> str:
    """Hash of tinynet's source, and of the module that a user's own estimator comes from."""
    sources = sorted(Path(tinynet.__file__).parent.glob("*.py"))
    own = getattr(sys.modules.get(estimator.__module__), "__file__", None)
    if own and Path(own) not in sources:
        sources.append(Path(own))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:32]


def register() -> None:
    """Let problem and gradient take keys of the user's own; `read` says which ones mean something."""
    free = {group: DictConfig({}, flags={"struct": False}) for group in ("problem", "gradient")}
    ConfigStore.instance().store(name="free_groups", node=free)
    logging.getLogger("hydra._internal.utils").setLevel(logging.CRITICAL)  # they log what we raise
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)
