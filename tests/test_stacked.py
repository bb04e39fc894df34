"""The stacked launcher: composition held against Hydra's own, launches against what the protocol promises."""

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)
from hydra.types import RunMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from hydra_plugins._composition import Composer, hydra_config

APPS = Path(__file__).parent / "stacked_apps"
STACKED = ["hydra/launcher=stacked", "hydra/sweeper=stacked"]


# An ordinary task: Hydra's own tests of launchers


@pytest.mark.parametrize(
    ("launcher_name", "overrides"), [("stacked", []), ("stacked", ["hydra/sweeper=stacked"])]
)
class TestOrdinaryTask(LauncherTestSuite):
    pass


@pytest.mark.parametrize(
    ("launcher_name", "overrides"), [("stacked", ["hydra/sweeper=stacked", "hydra.sweeper.max_batch_size=2"])]
)
class TestOrdinaryTaskInBatches(BatchedSweeperTestSuite):
    pass


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", "hydra/launcher=stacked", "hydra/sweeper=stacked", "hydra.job.chdir=true"])],
)
class TestOrdinaryApplication(IntegrationTestSuite):
    pass


# Composition


@pytest.fixture(scope="module")
def composer():
    with initialize_config_dir(str(APPS / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield Composer(loader, loader.load_configuration("config", ["hydra.verbose=false"], RunMode.MULTIRUN))


def keys(more=()):
    known = (
        "rate seed width name xs options options.a options.b.c twice same db.port db.timeout second.port by"
    )
    return st.sampled_from([*known.split(), "added.by", "missing", "options.zz", "xs.0", *more])


VALUES = st.one_of(
    st.integers(-9, 9).map(str),
    st.floats(-1, 1).map(str),
    st.lists(st.integers(0, 9), max_size=3).map(lambda values: str(values).replace(" ", "")),
    st.dictionaries(st.sampled_from("ace"), st.integers(0, 9)).map(
        lambda values: str(values).replace("'", "")
    ),
    st.sampled_from(
        ["true", "null", "abc", "'a, b'", '"x=y"', "${seed}", "${db.port}", "${hydra:job.num}", "???"]
    ),
    st.sampled_from(["'${seed}-${rate}'", "inf", "a b", "[a,{b:1}]", "${options}", "\\${x}", "''"]),
)
GROUPS = ["db=mysql", "db=postgres", "db=nope", "db@second=mysql", "second@db=mysql", "extra=one", "extra=two", "+extra=two", "+extra@there=two", "~db", "~db=mysql", "+db@third=mysql", "+db@third.deep=postgres", "experiment=swept", "db@nope=mysql", "db={port:3}", "db=null", "db=[mysql,postgres]", "++db=mysql", "extra@_global_=two", "hydra.job.name=mine", "hydra.verbose=true"]
OVERRIDE = st.one_of(
    st.tuples(keys(), VALUES).map("=".join),
    st.tuples(st.sampled_from(["+", "++"]), keys(["new", "new.deep.x"]), st.just("="), VALUES).map("".join),
    keys().map("~{}".format),
    st.sampled_from(GROUPS),
)


def told(compose):
    """All that a task can see of a composition: the text, what it resolves to, the hydra node; or the error."""
    try:
        config, whole = compose()
    except Exception as error:
        return type(error), str(error), str(error.__cause__)
    with hydra_config(whole):
        try:
            resolved = OmegaConf.to_container(config, resolve=True)
        except Exception as error:
            resolved = str(error)
        name = str(OmegaConf.select(whole, "hydra.job.name"))
    return OmegaConf.to_yaml(config), repr(resolved), OmegaConf.to_yaml(whole), name


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(overrides=st.lists(OVERRIDE, min_size=1, max_size=4), number=st.integers(0, 999))
def test_the_fast_way_composes_what_hydra_composes(composer, overrides, number):
    own = told(lambda: composer._own(overrides, number))
    assert told(lambda: composer.compose(overrides, number)) == own
    if composer._kind(overrides) is not None:  # else Hydra's own way was taken
        assert told(lambda: composer._fast(overrides, number)) == own
