# Two commands on a fresh machine: `make demo` and `make test`. Everything lands in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test faults check clean pictures

demo: $(STAMP)
	$(BIN)/tlplan demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# Disturbs 200 runs at random: SEED=N repeats them, COUNT=N draws more or fewer.
faults: $(STAMP)
	$(BIN)/python -m tests.faults.campaign --count $(or $(COUNT),200) $(if $(SEED),--seed $(SEED))

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m hwdb.check

pictures: $(STAMP)
	$(BIN)/python -m bench.pictures

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("tlplan needs Python 3.11 or newer; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,dev]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
