# Every target sets up .venv first; `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python
EXTRAS := test,bench
EXPERIMENT ?= convergence
ARGS   ?=
export ARGS
# Python with ARGS as they are: the shell would take offence at seed=range(5); quotes group words as in a shell,
# and one that is not closed stops `xargs true` before anything runs.
PY     = @printf '%s\n' "$(1) $$ARGS" | xargs true && printf '%s\n' "$(1) $$ARGS" | xargs $(RUN)
export MLFLOW_DISABLE_TELEMETRY = true
.DEFAULT_GOAL := help
.PHONY: help setup sweep report ui test test-faults test-versions lint format bench clean

help: ## list the targets
	@echo "make sweep [EXPERIMENT=convergence] [ARGS=\"seed=0,1\"]    then: make report, make ui"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

# Without what the environment says of other places and other Pythons; where packages come from is the user's to say.
ELSEWHERE := PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONWARNINGS PYTHONOPTIMIZE PYTHONPATH PYTHONDONTWRITEBYTECODE
HERE      := env $(ELSEWHERE:%=-u %) PIP_USER=0 MPLBACKEND=agg MATPLOTLIBRC=/dev/null

setup: $(VENV)/.ready ## make or renew .venv (every target does)

# uv comes from the machine, or from pip into .venv: 10 s where pip alone takes 100.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit("Python %d.%d: tinynet wants 3.11 to 3.13; try make PYTHON=python3.12" % v if not (3, 11) <= v < (3, 14) else 0)'
	@echo "setting up $(VENV) (once; about 15 s)"
	@$(HERE) $(PYTHON) -m venv --clear $(VENV)
	@command -v uv >/dev/null || $(HERE) $(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@mkdir -p "$${XDG_CACHE_HOME:-$$HOME/.cache}" 2>/dev/null || export UV_NO_CACHE=1; \
		uv=$$(command -v uv || echo $(VENV)/bin/uv); \
		$(HERE) $$uv pip install --quiet --python $(RUN) -c constraints.txt -e '.[$(EXTRAS)]'
	@$(HERE) $(RUN) -c 'import pandas, scipy.special, experiments.run; from experiments.report.figures import forest; from experiments.store import prepare; prepare()' # compile, and make an empty store
	@touch $@

sweep: setup ## train and record a whole experiment
	$(call PY,-m experiments.run experiment=$(EXPERIMENT))

report: setup ## report on the latest sweep in MLflow
	$(call PY,-m experiments.report $(if $(filter command environment,$(firstword $(origin EXPERIMENT))),--experiment $(EXPERIMENT)))

ui: setup ## the MLflow UI, opened on the latest sweep
	$(call PY,-m experiments.ui)

test: setup ## all tests
	$(call PY,-m pytest -n 2 --dist loadfile -m 'not faults')

test-faults: setup ## kill, lock and starve sweeps for real (minutes)
	$(call PY,-m pytest -m faults)

test-versions: setup ## all tests with the lowest and highest versions of packages, each Python (30 minutes)
	$(call PY,-m tests.versions)

lint: setup ## ruff: formatting and rules
	@$(RUN) -m ruff format --check . && $(RUN) -m ruff check .

format: setup ## let ruff rewrite what lint would refuse
	@$(RUN) -m ruff format . && $(RUN) -m ruff check --fix .

bench: setup ## our speed beside what people use today (5 minutes)
	$(call PY,-m experiments.benchmark)

clean: ## remove .venv, caches and reports; never the store
	rm -rf $(VENV) .versions .pytest_cache .ruff_cache .hypothesis *.egg-info reports
	find . -name __pycache__ -prune -exec rm -rf {} +
