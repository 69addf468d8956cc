# make demo: environment, install, two leaderboards, their page.   make test: what CI runs.   make boards: all embedded leaderboards.   make docs: site/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEMO := leaderboards/first-look leaderboards/quick-active
BOARDS := $(DEMO) leaderboards/quick-retrieval leaderboards/spatial-training

.PHONY: install demo boards test test-all bench lint docs format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@touch $@

demo: install
	@$(MAKE) --no-print-directory $(DEMO:%=%/README.md)
	@$(BIN)/harness page $(DEMO:%=%/spec.yaml) --title "The demo's leaderboards" --galleries 8 --out demo
	@echo "Written: $(DEMO:%=%/README.md), with pictures beside them."
	@echo "Look at: file://$(CURDIR)/demo/index.html"

boards: install
	@$(MAKE) --no-print-directory $(BOARDS:%=%/README.md)

.PHONY: $(BOARDS:%=%/README.md)
$(BOARDS:%=%/README.md): leaderboards/%/README.md:
	@$(BIN)/harness run $(@D)/spec.yaml && echo
	@$(BIN)/harness leaderboard $(@D)/spec.yaml --format json --out $(@D)/results.json >/dev/null
	@$(BIN)/harness leaderboard $(@D)/spec.yaml --out $@ --plots $(@D) && echo

test: install lint
	$(BIN)/pytest -n auto --dist loadfile

test-all: install lint
	$(BIN)/pytest -m "not gpu" --benchmark-columns=min,median,max

bench: install
	$(BIN)/pytest tests/benchmarks -m "" -s --benchmark-columns=min,median,max

lint: install
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf site demo .cache $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache leaderboards/*/runs
