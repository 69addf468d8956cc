# make demo: environment, install, both quick leaderboards.   make test: what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
SPECS := leaderboards/quick-retrieval leaderboards/quick-active

.PHONY: install demo test test-all bench lint format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	@for board in $(SPECS); do \
		$(BIN)/harness run $$board/spec.yaml || exit $$?; \
		echo; \
		$(BIN)/harness leaderboard $$board/spec.yaml --format json --out $$board/results.json >/dev/null || exit $$?; \
		$(BIN)/harness leaderboard $$board/spec.yaml --out $$board/README.md --plots $$board || exit $$?; \
		echo; \
	done; echo "Written: $(SPECS:%=%/README.md)"

test: install lint
	$(BIN)/pytest

test-all: install lint
	$(BIN)/pytest -m "not gpu" --benchmark-columns=min,median,max

bench: install
	$(BIN)/pytest tests/benchmarks -m "" -s --benchmark-columns=min,median,max

lint: install
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache leaderboards/*/runs
