"""What every command does as it starts: a bad argument is answered in a line, and all can be printed."""

import argparse
import errno
import os
import sys


class Arguments(argparse.ArgumentParser):
    """A parser whose complaint is one line, without all that could have been said."""

    def error(self, message: str) -> None:
        self.exit(2, f"{message}; --help lists what there is\n")


def enter() -> None:
    """Open what is printed to, and see that the folder is there, before anything asks for it."""
    _open_streams()
    try:
        os.getcwd()
    except FileNotFoundError:
        sys.exit("the folder that this was typed in is gone; cd to one that is there")


def print_to_nobody() -> None:
    """What couldn't be printed must not be tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_of_output(error: OSError) -> bool:
    """Whether printing failed: of a file we'd know the name."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EIO)


def _open_streams() -> None:
    """A terminal without our symbols gets question marks; what is closed already is opened to nobody."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")  # noqa: SIM115 (for as long as we run)
        stream.reconfigure(errors="replace")
        setattr(sys, name, stream)
