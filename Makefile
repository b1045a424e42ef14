# Python 3.11 or newer and make are all that a target needs; each does its own set-up in .venv.
#
#   make demo    the order flow from end to end, on this machine
#   make unit    domain, application and memory: the tests that need no server and open no door
#   make test    the linters, and the tests in memory and on real servers, five at a time (ARGS="-k name" for some;
#                JOBS=0: one after the other; TESTS=tests: with those of make system, as CI runs them)
#   make system  the tests of whole installations: their processes, clusters, browsers, other frameworks, wheel and image
#   make lint    formatting, lint, types and import walls
#   make faults  the fault campaign: an installation as in production, whose processes, servers and links fail every few
#                seconds (SEED=n: that one again; SIZE=small: each fault once)
#   make mutants the designs that the campaign, the crash points and the race must catch, and the race itself at full size
#   make sweep   all crash points on memory, SQLite and PostgreSQL, every trouble also alone in an installation of its
#                own, and every command with every broken stream (make test runs the part under a minute)
#   make bench   the measurements (ARGS=--tiny: only see that each runs)
#   make lock    requirements.txt anew, from pyproject.toml, and of it what the image gets
#   make contract  docs/contract anew, from the code
#   make screenshots  a picture of each view of the board, in build/screenshots
#   make docs    the documentation as a static site in build/docs
#   make clean   remove all that was made here, .venv included

# Processes start in a third of the time when their modules are compiled once.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
JOBS ?= 5
PYTHONS = $(PYTHON) python3.14 python3.13 python3.12 python3.11
BIN := .venv/bin
READY := .venv/.ready
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.PHONY: demo unit test tests-only system lint faults mutants sweep bench lock contract screenshots docs clean
.DEFAULT_GOAL := test

demo: $(READY)
	$(BIN)/orderflow demo

PYTEST = $(BIN)/pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

unit: JOBS = 3
unit: $(READY)
	$(PYTEST) tests/unit $(ARGS)

TESTS = tests/faults tests/doors tests/integration tests/project tests/unit

# The linters and the tests side by side, for mypy uses one core only.
test: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 lint tests-only

# Five at a time on two cores, for many wait for servers. The folders with the longest files come first.
tests-only: $(READY)
	$(PYTEST) $(TESTS) $(ARGS)

system: $(READY)
	$(PYTEST) tests/system $(ARGS)

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src tests/support
	$(BIN)/lint-imports

CAMPAIGN = tests/faults/test_campaign.py::test_nothing_is_lost_doubled_or_out_of_order_whatever_breaks

faults: $(READY)
	ORDERFLOW_TEST_FAULTS=large ORDERFLOW_TEST_FAULTS_SEED=$(SEED) ORDERFLOW_TEST_FAULTS_SIZE=$(SIZE) \
		$(BIN)/pytest $(CAMPAIGN) $(ARGS)

mutants: $(READY)
	ORDERFLOW_TEST_FAULTS=large $(BIN)/pytest tests/faults --ignore tests/faults/test_crash_points.py \
		--deselect $(CAMPAIGN) $(ARGS)

sweep: $(READY)
	ORDERFLOW_TEST_FAULTS=large $(BIN)/pytest tests/faults/test_crash_points.py tests/system/test_broken_streams.py $(ARGS)

bench: $(READY)
	$(BIN)/python -m bench $(ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

# The image gets the same versions as the tests, without what only tests and builds need.
lock: $(READY)
	$(COMPILE) --all-extras --group dev pyproject.toml -o requirements.txt
	$(COMPILE) --extra all --constraint requirements.txt pyproject.toml -o deploy/requirements.txt
	{ sed -n '/^\[build-system\]/,/^$$/s/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml; echo uv; } | \
		$(COMPILE) --constraint requirements.txt - -o deploy/requirements-build.txt

# Without settings of this machine: the documents are those of a new installation.
contract: $(READY)
	env -i $(BIN)/orderflow contract asyncapi > docs/contract/asyncapi.json
	env -i $(BIN)/orderflow contract openapi > docs/contract/openapi.json

docs: $(READY)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs

screenshots: $(READY)
	$(BIN)/python -m tests.screenshots build/screenshots

clean:
	rm -rf .venv build dist *.egg-info src/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: a set-up that was cut off, or whose inputs changed, is done again. uv is quicker than pip,
# but does not know pip's own settings: where it does not get through, pip tries.
$(READY): requirements.txt deploy/requirements-build.txt pyproject.toml setup.py
	@if ! { $(BIN)/python -c '$(NEW_ENOUGH)' && $(BIN)/python -m pip --version; } >/dev/null 2>&1; then \
		for python in $(PYTHONS) none; do \
			if [ "$$python" != none ] && "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null; then break; fi; \
		done; \
		if [ "$$python" = none ]; then \
			echo "orderflow needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3" >&2; exit 1; \
		fi; \
		"$$python" -m venv --clear .venv || { \
			echo "'$$python -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement deploy/requirements-build.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements.txt || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@
