"""What a user reads instead of Hydra's errors: one line with the setting, its value and what is right."""

import difflib
import re
import traceback
from collections.abc import Callable, Iterator, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig

from hydra_plugins.hydra_stacked_launcher._faults import FailedJobs, Fault, one_line

__all__ = ["FailedJobs", "Fault", "caused_by_user", "message_of", "names_in", "one_line", "suggestion"]

SEVERAL = "{key}: {value!r} are several values; give one, or -m to sweep over them"
MESSAGES = [  # what Hydra or OmegaConf says, what we say
    (r"Could not override .* full_key: (?P<key>\S+).*", "{key}: no such setting{near}"),
    (r"Could not delete from config\. '(?P<key>[^']+)' does not exist.*",
     "~{key}: there is nothing to delete{near}"),
    (r"Could not delete from config\. The value of '(?P<key>[^']+)' is (?P<value>.*) and not .*",
     "{key}: is {value}; give ~{key}={value} to delete it"),
    (r".*Could not find '(?P<group>.+)/(?P<key>[^/']+)' Available options in '[^']+': (?P<options>.*)",
     "{group}: {key!r}; give one of {options}{near}"),
    (r"You must specify '(?P<key>[^']+)', .* Available options: (?P<options>.*)",
     "{key}: missing; give one of {options}"),
    (r"Could not append to config\. .*? already at '(?P<key>[^']+)'.*",
     "+{key}: is there already; give {key}=..."),
    (r"force-add of config groups is not supported: '\+\+(?P<key>.*)'",
     "++{key}: a config group; give {key}"),
    (r"Multiple values for (?P<key>\S+)\. .*", "{key}: has a value already; give {key}=... without a plus"),
    (r"Ambiguous value for argument '(?P<key>[^=]+)=(?P<value>.*?)' 1\. .*", SEVERAL),
    (r"Sweep parameters '(?P<key>[^=]+)=(?P<value>.*)' requires --multirun", SEVERAL),
    (r"Sweeping over Hydra's configuration is not supported : '(?P<key>[^=]+)=(?P<value>.*)'",
     "{key}: {value!r} are several values; give one"),
    (r"Config group override must be a string or a list\. Got (?P<value>.*)",
     "an empty key or a config group: {value}; give the name of an option, as in group=option"),
    (r"Config group override deletion value must .* input_line='(?P<key>[^=]+)=(?P<value>.*?)', .*",
     "{key}: {value!r}; give {key} alone"),
    (r"Cannot find primary config '(?P<value>[^']+)'.*",
     "--config-name: {value!r}; give the name of a file in the folder of configs"),
    (r"Error merging override (?P<key>[^=]+)=(?P<value>.*?) (?P<why>(Value '|Cannot |Invalid ).*?)"
     r"( full_key: .*)?",
     "{key}: {value!r}; give another value ({why})"),
    (r"Missing mandatory value: (?P<key>\S+).*", "{key}: missing; give it as {key}=..."),
]  # fmt: skip


def caused_by_user(error: Exception) -> bool:
    """Whether the command line or a config is at fault: Hydra or OmegaConf raised it, or it is a Fault."""
    if isinstance(error, HydraException):
        return True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").startswith(("hydra.", "omegaconf.", "yaml."))


def message_of(error: Exception, names: Callable[[], list[str]] = list) -> str:
    """What Hydra or OmegaConf says, in one line; for an unknown name with the nearest of names()."""
    if isinstance(error, Fault):
        return str(error)
    text = re.sub(r" (Config s|S)earch path:.*| See https://hydra.cc\S* for details", "", one_line(error))
    if isinstance(error, OverrideParseException):
        reason = re.sub(r"^Error parsing override '.*?' | expecting \{.*", "", text)
        return f"{error.override}: not understood ({reason}); give setting=value, odd characters in quotes"
    if type(error).__module__.startswith("yaml."):
        return f"a config file: not understood ({text}); give YAML"
    if isinstance(error, TypeError):  # [1,2] where Hydra took a list for one of names
        return f"a config group: not understood ({text}); give the name of an option, as in group=option"
    key = getattr(error, "full_key", None)
    for pattern, message in MESSAGES:
        match = re.fullmatch(pattern, text)
        if match:
            return _filled_in(message, match.groupdict(default=""), key, names)
    text = text.partition(" full_key: ")[0]
    return f"{key}: {text}; give a value" if key else text


def _filled_in(message: str, fields: dict[str, str], key: str | None, names: Callable[[], list[str]]) -> str:
    if key:
        fields["key"] = key
    options = fields.get("options", "").split()
    fields["options"] = ", ".join(options)
    if "{near}" in message:
        fields["near"] = suggestion(fields["key"], options or names())
    return message.format_map(fields)


def suggestion(name: str, options: Sequence[str]) -> str:
    others = [option for option in options if option != name]
    near = difflib.get_close_matches(name, others, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def names_in(loader: ConfigLoader, config: DictConfig) -> list[str]:
    """Every group and every key that a command line could override."""
    return [*loader.list_groups(""), *_keys(config, "")]


def _keys(config: DictConfig, prefix: str) -> Iterator[str]:
    for key, value in config.items_ex(resolve=False):
        yield f"{prefix}{key}"
        if isinstance(value, DictConfig) and isinstance(value._content, dict):
            yield from _keys(value, f"{prefix}{key}.")
