"""What every command does as it starts: a bad argument is answered in a line, and all can be printed."""

import argparse
import os
import sys


class Arguments(argparse.ArgumentParser):
    """A parser whose complaint is one line, without all that could have been said."""

    def error(self, message: str) -> None:
        self.exit(2, f"{message}; --help lists what there is\n")


def open_streams() -> None:
    """A terminal without our symbols gets question marks; what is closed already is opened to nobody."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")  # noqa: SIM115 (for as long as we run)
        stream.reconfigure(errors="replace")
        setattr(sys, name, stream)
