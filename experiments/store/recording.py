"""Runs into a store: a sweep is opened, its runs are recorded, it is closed; files are attached to it."""

import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from experiments.hints import python
from experiments.store import opening, sqlite
from experiments.store.address import (
    Address,
    StoreError,
    address,
    artifact_location,
    complaint,
    complaints,
    local_folder,
)
from experiments.store.client import Client, preload
from experiments.store.entries import FINGERPRINT, SWEEP, Run, checked, complete, context
from experiments.store.loading import recorded
from experiments.store.transactions import Tables

TRAINING = "custom_model_development"  # the kind of experiment that MLflow's UI opens on training runs
INSIDE = "tinynet.artifacts"  # tag of an experiment of ours: where its artifacts go, from the store's folder


def open_store(uri: str) -> "Store":
    """The store that uri names, to record in; a SQLite file is made when missing. Raises StoreError.

    A SQLite file that was moved or copied is told that the artifacts of our experiments are beside it.
    """
    where = address(uri)
    store = Store(where, opening.writing(where))
    with complaints(where):
        moved = moved_places(where)
        if moved:
            sqlite.move_artifacts(where.path, moved)
            place = where.path.resolve().parent / "mlruns"
            store.notices.append(f"the store was moved: artifacts go to {place} now")
    return store


class Store:
    """Where runs are recorded; see open_store. notices: what its user is told before it is used."""

    def __init__(self, where: Address, backend: Tables | Client):
        self.where = where
        self.uri = where.uri
        self.backend = backend
        self.notices = [backend.notice] if backend.notice else []

    def open_sweep(
        self, experiment: str, fingerprint: str, name: str, params: Mapping, tags: Mapping, fresh=False
    ) -> "OpenSweep":
        """The newest sweep of this fingerprint, RUNNING again; a new one if there is none or if fresh.

        Processes that open the same sweep at once get the same one.
        """
        with complaints(self.where):
            place = self._place(experiment)
            marks = {SWEEP: fingerprint, FINGERPRINT: fingerprint}
            parent = checked(Run(name, fingerprint, params, tags={**context(), **tags, **marks}))
            return OpenSweep(self, place, *self.backend.open_parent(place, fingerprint, parent, fresh))

    def record_run(self, experiment: str, run: Run) -> str:
        """Record a run that belongs to no sweep, anew at every call; its run id."""
        with complaints(self.where):
            return self.backend.record(self._place(experiment), None, [complete(run)])[0]

    def _place(self, name: str) -> tuple[str, str]:
        """Id of the MLflow experiment and where its artifacts go; made when missing."""
        experiment = self.backend.experiment(name)
        if experiment is None:
            self._make_experiment(name)
            experiment = self.backend.experiment(name)
        experiment_id, stage, artifacts = experiment
        if stage != "active":
            raise complaint(
                self.uri,
                f"its experiment {name!r} was deleted; give another tracking.experiment, "
                f"or `{_restore(self.where, experiment_id)}` brings it back",
            )
        return str(experiment_id), artifacts

    def _make_experiment(self, name: str) -> None:
        tags = {"mlflow.experimentKind": TRAINING}
        location = None  # MLflow or its server knows the place of artifacts
        if self.where.path is not None:
            inside = _inside(name)
            location = artifact_location(self.where.path.resolve().parent / inside)
            tags[INSIDE] = inside
        self.backend.make_experiment(name, location, tags)


def _restore(where: Address, experiment_id: str) -> str:
    command = python("-m", "mlflow", "experiments", "restore", "-x", str(experiment_id))
    return f"MLFLOW_TRACKING_URI={shlex.quote(where.uri)} {command}"


class OpenSweep:
    """A parent run, RUNNING, and its children; see Store.open_sweep. continued: it was there already."""

    def __init__(
        self, store: Store, place: tuple[str, str], run_id: str, start: int, name: str, continued: bool
    ):
        self.store = store
        self.run_id = run_id
        self.name = name
        self.continued = continued
        self.experiment_id = place[0]
        self._place = place
        self._start = start
        self._changed = False

    def recorded(self) -> dict[str, tuple[str | None, float]]:
        """fingerprint -> (outcome, final_error) of every FINISHED run; infinite where none was recorded."""
        with complaints(self.store.where):
            return recorded(self.store.backend, self.run_id)

    def take_over(self, fingerprints: Iterable[str], run_of: Callable[[str], Run], at_once: int) -> int:
        """Copy from other sweeps of the store those that it holds; how many. Names and params are ours.

        run_of(fingerprint) -> run, asked for what is found only. at_once: runs in a transaction, which
        nothing can interrupt.
        """
        parent = (self.run_id, self._start)
        with complaints(self.store.where):
            n_taken = self.store.backend.take_over(
                self._place, parent, fingerprints, lambda key: checked(run_of(key)), at_once
            )
        self._changed |= n_taken > 0
        return n_taken

    def record(self, runs: Sequence[Run]) -> None:
        """Record runs, all or none. One that is there and FINISHED stays, any other is replaced."""
        with complaints(self.store.where):
            runs = [complete(run, self.run_id) for run in runs]
            self.store.backend.record(self._place, (self.run_id, self._start), runs)
        self._changed = True

    def end(self, status: str, metrics=None, tags=None, texts=None) -> str:
        """Close the parent: "FINISHED", "FAILED" or "KILLED". Mappings; texts: name of artifact -> text.

        Gives why the texts could not be attached, which leaves the parent closed all the same; else "".
        """
        with complaints(self.store.where):
            parent = checked(Run(self.name, "", {}, metrics or {}, {}, tags or {}))
            self.store.backend.close(self.run_id, status, parent)
            if self._changed:
                self.store.backend.analyze()
        try:
            self._attach_texts(texts or {})
        except StoreError as fault:
            return f"{' and '.join(texts)} not attached: {fault}"
        return ""

    def _attach_texts(self, texts: Mapping[str, str]) -> None:
        with complaints(self.store.where), tempfile.TemporaryDirectory() as folder:
            for name, text in texts.items():
                Path(folder, name).write_text(text, encoding="utf-8")
            copy_artifacts(self.store.where, folder, f"{self._place[1]}/{self.run_id}/artifacts")


def attach(uri: str, run_id: str, folder: str | Path) -> None:
    """Attach the files of a folder to a run, as artifacts; its subfolders replace those that are there.

    Raises StoreError where they can't be written.
    """
    with opening.reading(uri) as (where, backend):
        artifacts = backend.artifacts(run_id)
        for old, new in moved_places(where).items():
            if artifacts.startswith(f"{old}/"):
                artifacts = new + artifacts.removeprefix(old)
        copy_artifacts(where, folder, artifacts)


def copy_artifacts(where: Address, folder: str | Path, artifacts: str) -> None:
    """Copy the files of a folder to the place of a run's artifacts, a folder or a URI that MLflow knows."""
    place = local_folder(artifacts)
    try:
        if place is not None:
            _copy(Path(folder), place)
            return
        preload()
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        get_artifact_repository(artifacts, tracking_uri=where.uri).log_artifacts(str(folder))
    except Exception as error:  # of whichever service, or of a package for it that isn't there
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise complaint(where.uri, f"artifacts can't be written to {place or artifacts}: {reason}") from error


def _copy(folder: Path, place: Path) -> None:
    for part in folder.iterdir():
        if part.is_dir():
            shutil.rmtree(place / part.name, ignore_errors=True)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            copy = place / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def moved_places(where: Address) -> dict[str, str]:
    """Where a SQLite store says that artifacts go -> beside it as it stands now; of experiments of ours."""
    moved = {}
    for name, location, tags in sqlite.experiments(where.path) if where.path else ():
        inside = _inside_of(name, location, tags)
        if inside is None:
            continue
        beside = [folder / inside for folder in (where.path.resolve().parent, where.path.parent)]
        if local_folder(location).resolve() not in [folder.resolve() for folder in beside]:
            moved[location] = artifact_location(beside[0])
    return moved


def _inside_of(name: str, location: str, tags: Mapping[str, str]) -> str | None:
    """Where the artifacts of an experiment go, from the store's folder; None for one that isn't ours."""
    if local_folder(location) is None:
        return None
    if INSIDE in tags:
        return tags[INSIDE]
    inside = _inside(name)  # made before there was the tag
    is_ours = tags.get("mlflow.experimentKind") == TRAINING and location.endswith(f"/{inside}")
    return inside if is_ours else None


def _inside(name: str) -> str:
    folder = "".join(c if c.isalnum() else "_" for c in name).encode()[:200].decode(errors="ignore")
    return f"mlruns/{folder}"
