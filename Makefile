# make demo: environment, install, two leaderboards and their page in demo/.   make test: what CI runs.
# make thesis-check: all boards of the thesis, from plan to leaderboard, on stand-in data.
# make boards: the committed leaderboards on embedded data.   make docs: site/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEMO := photographs quick-active
BOARDS := $(DEMO) first-look quick-retrieval spatial-training

.PHONY: install demo boards test test-all golden evidence thesis-check bench bench-gate bench-quick gpu-check bench-all lint docs format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs,photos]'
	@touch $@

demo: install
	@$(MAKE) --no-print-directory $(DEMO:%=demo/%)
	@$(BIN)/harness page $(DEMO:%=leaderboards/%/spec.yaml) --title "The demo's leaderboards" --galleries 8 --out demo/page
	@echo "Written: $(DEMO:%=demo/%/README.md), with pictures beside them."
	@echo "Look at: file://$(CURDIR)/demo/page/index.html"

boards: install
	@$(MAKE) --no-print-directory $(BOARDS:%=leaderboards/%)

# demo/NAME and leaderboards/NAME: the leaderboard of leaderboards/NAME/spec.yaml, written to that folder.
.PHONY: $(DEMO:%=demo/%) $(BOARDS:%=leaderboards/%)
$(DEMO:%=demo/%) $(BOARDS:%=leaderboards/%): SPEC = leaderboards/$(@F)/spec.yaml
demo/%: RUN_OPTIONS = --workers 2
$(DEMO:%=demo/%) $(BOARDS:%=leaderboards/%):
	@mkdir -p $@
	@$(BIN)/harness run $(SPEC) $(RUN_OPTIONS) && echo
	@$(BIN)/harness leaderboard $(SPEC) --format json --out $@/results.json >/dev/null
	@$(BIN)/harness leaderboard $(SPEC) --out $@/README.md --plots $@ && echo

test: install lint
	@tools/browser.sh
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

test-all: install lint
	$(BIN)/pytest -m "not gpu" --benchmark-columns=min,median,max

# Golden values of what is new or whose result version was raised (docs/explanation/identity.md).
golden: install
	$(BIN)/python tests/golden/golden.py

# What harness verify says of the built-in methods, as their pages show it.
evidence: install
	$(BIN)/python tools/site/method_evidence.py

thesis-check: install
	$(BIN)/pytest tests/integration/test_thesis_boards.py -m slow -v --durations=0

# The performance page: ratios against peers, in under five minutes on a quiet machine.
bench: install
	$(BIN)/python tools/performance/measure.py

# The GPU against the CPU: tests of it, agreements, ratios; in under eight minutes. Without a GPU it says so.
gpu-check: install
	timeout 480 $(BIN)/python tools/gpu/check.py

# Fails where a ratio is below what every quiet machine holds; writes nothing. For a CI job with a machine of its own.
bench-gate: install
	$(BIN)/python tools/performance/measure.py --gate

# Fails where a few ratios are below two fifths of the performance page: on any machine, busy or not, in under half a minute.
bench-quick: install
	$(BIN)/python tools/performance/gate.py

bench-all: install
	$(BIN)/pytest tests/benchmarks -m "" -o python_files="bench_*.py" -s --benchmark-columns=min,median,max

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
