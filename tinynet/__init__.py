"""Two-layer nets trained row by row, a stack of runs at a time, by any way to a gradient. NumPy only."""

from tinynet import gradients
from tinynet.network import Network
from tinynet.problem import Problem
from tinynet.training import History, train

__all__ = ["History", "Network", "Problem", "gradients", "train"]
