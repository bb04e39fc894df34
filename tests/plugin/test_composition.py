"""Our way to compose a job, held against Hydra's own."""

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from hydra_plugins.hydra_stacked_launcher._composition import Composer, hydra_config
from tests.plugin.tasks import APPS


@pytest.fixture(scope="module")
def composer():
    with initialize_config_dir(str(APPS / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return Composer(
            loader, loader.load_configuration("config", ["hydra.verbose=false"], RunMode.MULTIRUN)
        )


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
GROUPS = """
    db=mysql db=postgres db=nope db@second=mysql second@db=mysql extra=one extra=two extra=out
    +extra=two +extra@there=two ~db ~db=mysql +db@third=mysql +db@third.deep=postgres
    experiment=swept db@nope=mysql db={port:3} db=null db=[mysql,postgres] ++db=mysql
    extra@_global_=two
"""
OVERRIDE = st.one_of(
    st.tuples(keys(), VALUES).map("=".join),
    st.tuples(st.sampled_from(["+", "++"]), keys(["new", "new.deep.x"]), st.just("="), VALUES).map("".join),
    keys().map("~{}".format),
    st.sampled_from(GROUPS.split()),
)


def nodes(node):
    """Every node's type, flags and key, which texts don't tell."""
    content, metadata = node.__dict__.get("_content", node), node._metadata.__dict__
    inside = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    own = {key: value for key, value in metadata.items() if key != "resolver_cache"}
    return type(node), repr(own), [nodes(child) for child in inside]


def visible(compose, overrides, number):
    """All that a task can see of its config: its text, what it resolves to, its hydra node; or the error."""
    try:
        config, whole = compose(overrides, number)
    except Exception as error:
        return type(error), str(error), str(error.__cause__)
    with hydra_config(whole):
        try:
            resolved = OmegaConf.to_container(config, resolve=True)
        except Exception as error:
            resolved = str(error)
    return OmegaConf.to_yaml(config), repr(resolved), OmegaConf.to_yaml(whole), nodes(config), nodes(whole)


@settings(max_examples=60, deadline=None)
@given(overrides=st.lists(OVERRIDE, min_size=1, max_size=4), number=st.integers(0, 999))
def test_the_fast_way_composes_what_hydra_composes(composer, overrides, number):
    fast = composer.compose if None in map(composer._parsed, overrides) else composer._by_us
    assert visible(fast, overrides, number) == visible(composer._by_hydra, overrides, number)


@pytest.mark.parametrize(
    "overrides", [["hydra.job.name=mine"], ["name=${hydra:job.num}"], [], ["seed=("], ["seed=1,2"]]
)
def test_the_unusual_takes_hydras_own_way(composer, overrides, monkeypatch):
    monkeypatch.setattr(composer, "_by_us", None)
    assert visible(composer.compose, overrides, 7) == visible(composer._by_hydra, overrides, 7)


def test_a_kind_of_job_that_differs_takes_hydras_own_way(composer, monkeypatch):
    def wrong(overrides, number):
        return right(overrides, number + 1)  # the planted fault

    right = composer._by_us
    monkeypatch.setattr(composer, "_by_us", wrong)
    monkeypatch.setattr(composer, "_equal", {})
    for number in (3, 4, 5):
        config, whole = composer.compose([f"rate={number}"], number)
        assert (config.rate, whole.hydra.job.num) == (number, number)


def test_hydra_composes_once_per_kind_and_choice_of_groups(composer, monkeypatch):
    loads = []

    def load(master, overrides):
        loads.append(overrides)
        return own(master, overrides)

    own = composer._loader.load_sweep_config
    monkeypatch.setattr(composer._loader, "load_sweep_config", load)
    fresh = Composer(composer._loader, composer._master)
    for number in range(60):
        fresh.compose([f"seed={number}", f"db={('mysql', 'postgres')[number % 2]}"], number)
    assert len(loads) == 4  # two choices of groups, each with one job held against Hydra's own


def test_a_config_may_name_the_folder_that_hydra_would_give_its_job(composer):
    for number in (4, 5, 6):
        config, whole = composer.compose(["extra=out", "seed=3"], number)
        with hydra_config(whole):
            assert Path(config.extra.path).parts[-2:] == (f"3-{number}", "weights")


def test_jobs_share_nothing_that_a_task_could_change(composer):
    before, changed = (composer._by_us([f"seed={seed}"], seed)[0] for seed in range(2))
    OmegaConf.set_struct(changed, False)
    changed.options.b.c, changed.xs[0], changed.name, changed.fresh = ["changed"] * 4
    OmegaConf.set_readonly(changed.options, True)
    for config in (before, composer._by_us(["seed=2"], 2)[0]):
        assert "changed" not in str(config)
        assert OmegaConf.is_struct(config)
        assert not OmegaConf.is_readonly(config.options)


def test_a_resolver_is_called_as_often_as_the_task_reads_it(composer):
    calls = []
    OmegaConf.register_new_resolver("counted", lambda: calls.append(1) or len(calls), replace=True)
    configs = [composer.compose([f"seed={seed}", "+count=${counted:}"], seed)[0] for seed in range(3)]
    assert calls == []
    assert [config.count for config in configs] == [1, 2, 3]
