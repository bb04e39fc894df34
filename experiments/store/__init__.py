"""WHAT IS KEPT: runs into MLflow, sweeps out of it. The only room that knows MLflow, SQL and URIs."""

from experiments.store.address import UNDERSTOOD, Address, StoreError, address, link, masked, usual
from experiments.store.entries import LONGEST, Run
from experiments.store.loading import Loaded, foreseen, load_sweep, sweeps
from experiments.store.recording import OpenSweep, Store, attach, open_store
from experiments.store.sqlite import prepare

__all__ = [
    "LONGEST",
    "UNDERSTOOD",
    "Address",
    "Loaded",
    "OpenSweep",
    "Run",
    "Store",
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
