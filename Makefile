# make quickstart: install, run the quickstart study, write its report.
# make docs: install, build the documentation into docs/_build.
# make gpu: with a CUDA device, within nine minutes, what only such a device can show, into benchmarks/GPU.md.
# make test: install, run the tests; test-fast leaves out the slow ones, test-all also runs the full-size simulations.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal

LOWEST := .venv-lowest

.PHONY: quickstart reports demos docs test test-fast test-all test-lowest lint bench gpu clean

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("stability needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.installed

quickstart: $(VENV)/.installed
	$(BIN)/stability run studies/quickstart.yaml
	$(BIN)/stability report results/quickstart

# What is published, from the results that are kept: the pages, the atlases and the tables of README and findings.
reports: $(VENV)/.installed
	for study in losses losses-dcgan transfer hacks; do \
		$(BIN)/stability report results/$$study && $(BIN)/python studies/headline.py results/$$study || exit 1; \
	done
	$(BIN)/stability report results/losses-dcgan results/transfer
	$(BIN)/python studies/atlas.py results/losses stability/data/atlas/mlp.parquet
	$(BIN)/python studies/atlas.py results/losses-dcgan stability/data/atlas/dcgan.parquet

# The finished studies of `stability demo`, trained and packed. The thread count is part of their plans.
demos: $(VENV)/.installed
	for name in healthy collapse saturation oscillation; do \
		$(BIN)/stability run studies/demos/$$name.yaml --device cpu --threads 1 --workers 1 && rm -rf stability/data/demos/$$name && \
		$(BIN)/stability pack --images 9 results/$$name stability/data/demos/$$name && \
		rm stability/data/demos/$$name/study.db || exit 1; \
	done

docs: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build

test: $(VENV)/.installed-test
	$(PYTEST)

test-fast: $(VENV)/.installed-test
	$(PYTEST) -m "not slow and not full"

test-all: $(VENV)/.installed-test
	$(PYTEST) -m ""

# The lowest versions that pyproject.toml allows, in an environment of their own. torch, whose wheels are 5 GB, is lent
# by the test environment; `make test-lowest TORCH="torch==2.9.0 torchvision==0.24.0"` installs its lowest as well.
test-lowest: $(VENV)/.installed-test
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		$(if $(TORCH),,--override tests/lowest/torch.txt) . $(TORCH)
	$(if $(TORCH),,$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > $(LOWEST)/lib/torch.pth)
	$(if $(TORCH),,mv $(LOWEST)/lib/torch.pth $(LOWEST)/lib/python*/site-packages/)
	cd $(LOWEST) && bin/python ../tests/lowest/check.py

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks

gpu: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks.gpu

clean:
	rm -rf $(VENV) $(LOWEST) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
