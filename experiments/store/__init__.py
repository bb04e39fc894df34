"""WHAT IS KEPT: runs into MLflow, sweeps out of it. The only room that knows MLflow, SQL and URIs."""

from experiments.store.address import StoreError, address, masked, usual
from experiments.store.entries import Run
from experiments.store.loaded import Recorded
from experiments.store.tracking import attach, foreseen, link, load_sweep, open_store, prepare, sweeps

__all__ = [
    "Recorded",
    "Run",
    "StoreError",
    "address",
    "attach",
    "foreseen",
    "link",
    "load_sweep",
    "masked",
    "open_store",
    "prepare",
    "sweeps",
    "usual",
]
