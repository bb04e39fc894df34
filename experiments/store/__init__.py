"""WHAT IS KEPT: runs into MLflow, sweeps out of it. The only room that knows MLflow, SQL and URIs."""

from experiments.store.address import (
    UNDERSTOOD,
    Address,
    StoreError,
    address,
    artifact_location,
    link,
    masked,
    sqlite_uri,
    usual,
)
from experiments.store.entries import LONGEST, Run
from experiments.store.loading import Loaded, foreseen, load_sweep, sweeps
from experiments.store.opening import check_for_server, prepare
from experiments.store.recording import OpenSweep, Store, attach, open_store

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
    "artifact_location",
    "attach",
    "check_for_server",
    "foreseen",
    "link",
    "load_sweep",
    "masked",
    "open_store",
    "prepare",
    "sqlite_uri",
    "sweeps",
    "usual",
]
