"""One run's settings: read from a composed config, checked, named, hashed.

`read(config)` is the only way in. It raises ValueError with a line per fault: field, value, what is right.
"""

import functools
import hashlib
import inspect
import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import tinynet
from experiments.store import address
from experiments.sweep.rules import LARGEST_NET, OF_A_RUN, OF_THE_COMMAND, faults
from experiments.wording import tidy
from hydra_plugins.hydra_stacked_launcher.messages import one_line, suggestion, told

MOST_EVALUATIONS = 10_000_000  # of the error, for one step
HARNESS = ("tracking", "fresh", "dry_run")  # of the whole command, not of a run
OURS = dir(tinynet.gradients)
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
        words = [_label(_text(self.gradient)), self.start, self.dtype]
        return " ".join(word for word in words if word not in ("fresh", "float64"))

    @property
    def shape(self) -> tuple:
        """Runs of equal shape are trained in one stack: they differ in learning rate and seed only."""
        common = (getattr(self, name) for name in OF_A_RUN if name not in ("learning_rate", "seed"))
        return (_text(self.gradient), _rows_digest(self.rows), *common)

    @property
    def pair(self) -> str:
        """Equal for the runs that differ in mode alone."""
        return digest(
            _rows_digest(self.rows), self.hidden_size, self.activation, self.bias,
            self.learning_rate, self.seed, self.n_epochs,
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
        plain = {name: getattr(self, name) for name in OF_A_RUN}
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
    plain = _plain(config, lambda key: key not in HARNESS)
    wrong = faults(plain, OF_A_RUN, [*OFFERS, *HARNESS])
    built = []
    for group in OFFERS:
        try:
            built.append(_build(group, _text(plain.get(group))))
        except ValueError as error:
            wrong += str(error).splitlines()
    if not wrong:
        plain["learning_rate"] = float(plain["learning_rate"])
        settings = Settings(**plain, rows=built[0], estimator=built[1])
        wrong = _misfits(settings)
    if wrong:
        raise ValueError("\n".join(wrong))
    return settings


def check_command(config: DictConfig) -> None:
    """Check what the whole command shares: tracking, fresh, dry_run. Raises ValueError: a line per fault."""
    plain = _plain(config, HARNESS.__contains__)
    tracking = plain.pop("tracking", None)
    if not isinstance(tracking, dict):
        raise ValueError(f"tracking: {tracking!r}; give tracking.uri and tracking.experiment")
    plain |= {f"tracking.{key}": value for key, value in tracking.items()}
    if wrong := faults(plain, OF_THE_COMMAND):
        raise ValueError("\n".join(wrong))
    address(tracking["uri"])  # StoreError, a ValueError


def _plain(config: DictConfig, wanted: Callable[[str], bool]) -> dict[str, object]:
    """The wanted keys with their values, resolved."""
    resolved = functools.partial(OmegaConf.to_container, resolve=True, throw_on_missing=True)
    try:
        values = {key: config[key] for key in config if wanted(key)}
        return {key: resolved(v) if OmegaConf.is_config(v) else v for key, v in values.items()}
    except OmegaConfBaseException as error:
        raise ValueError(told(error)) from None


def _misfits(settings: Settings) -> list[str]:
    n_params = settings.network.n_params
    n_evaluations = settings.estimator.evaluations(settings.network)
    wrong = []
    if n_params > LARGEST_NET:
        of = f"the problem's {settings.rows.n_inputs:,} inputs make it a net of {n_params:,} weights"
        wrong.append(f"hidden_size: {settings.hidden_size}; {of}; give a size with at most {LARGEST_NET:,}")
    elif n_evaluations > MOST_EVALUATIONS:
        of = f"{n_evaluations:,} evaluations of the error for one step"
        wrong.append(f"gradient: {of}; give a mode or a size that takes at most {MOST_EVALUATIONS:,}")
    if not settings.rows.targets.any():
        wrong.append("problem: every target is 0, which a net that answers nothing gets right; give others")
    return wrong


@functools.lru_cache(maxsize=1024)
def _build(group: str, text: str) -> object:
    """The object that a group's words describe; one for all the jobs that say the same."""
    words = json.loads(text)
    if not isinstance(words, dict) or "_target_" not in words:
        raise ValueError(f"{group}: {words!r}; give a class or function as {group}._target_")

    def give(what: str) -> ValueError:
        return ValueError(f"{group}._target_: {words['_target_']!r}; give {what}")

    try:
        accepted = inspect.signature(hydra.utils.get_object(words["_target_"])).parameters
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise give(f"a class or function that can be imported ({reason})") from None
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    unknown = [key for key in words if key not in accepted and not key.startswith("_") and not takes_any]
    if unknown:
        has = f"{target_name(words)} has no such setting; it has {', '.join(accepted) or 'none'}"
        raise ValueError("\n".join(f"{group}.{key}: {has}{suggestion(key, [*accepted])}" for key in unknown))
    try:
        built = hydra.utils.instantiate(words)
    except HydraException as error:
        cause = error.__cause__ or error
        if isinstance(cause, (ValueError, OSError)):  # what it says itself of its settings, line by line
            lines = [f"{group}.{line}" for line in str(cause).splitlines() if line.strip()]
            raise ValueError("\n".join(lines)) from None
        raise give(f"another, or other settings ({one_line(cause)})") from error
    if not all(hasattr(built, name) for name in OFFERS[group]):
        offers = " and ".join(OFFERS[group])
        raise give(f"one that makes an object with {offers}, which {type(built).__name__} has not")
    return built


def forget() -> None:
    """Let go of what was built: the files it came from may have changed since."""
    _build.cache_clear()


def _text(words: object) -> str:
    return json.dumps(words, sort_keys=True)


def target_name(words: Mapping[str, object]) -> str:
    """tinynet.gradients.ComplexStep -> complex_step; tinynet.Problem.from_csv -> csv."""
    tail = str(words["_target_"]).rpartition(".")[2].removeprefix("from_")
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", tail).lower()


@functools.lru_cache(maxsize=1024)
def _label(text: str) -> str:
    """The mode's name and arguments: always the first, the others where they are not the default."""
    words = json.loads(text)
    defaults = inspect.signature(hydra.utils.get_object(words["_target_"])).parameters
    given = {key: value for key, value in words.items() if key != "_target_"}
    ordered = [key for key in defaults if key in given] + [key for key in given if key not in defaults]
    shown = [k for k in ordered if k == ordered[0] or k not in defaults or given[k] != defaults[k].default]
    name, target = target_name(words), words["_target_"]
    if not target.startswith("tinynet.") and any(name == target_name({"_target_": one}) for one in OURS):
        name = target  # not to be taken for ours
    return " ".join([name, *(f"{key}={tidy(given[key])}" for key in shown)])


def digest(*parts: object) -> str:
    """128 bits in hex that follow from the parts."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=64)
def _rows_digest(rows: tinynet.Problem) -> str:
    return hashlib.sha256(rows.inputs.tobytes() + b"|" + rows.targets.tobytes()).hexdigest()


@functools.lru_cache(maxsize=64)
def code(estimator: type = tinynet.Network) -> str:
    """Hash of the source that decides what is recorded: tinynet's, ours, that of a user's own estimator."""
    sources = sorted(Path(tinynet.__file__).parent.glob("*.py"))
    sources.append(Path(__file__).with_name("runs.py"))
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
