# Everything a checkout needs; each target sets up what it lacks.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check lint types corpus metamorphic bench bench-live newer newest lab-test docs docs-update clean help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'mailaudit needs Python 3.11 or newer; name one with: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo 'Python lacks its venv module. On Debian or Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## audit the guide's own set-up, as its reader ends up with it
	@$(BIN)/mailaudit scan examples/as-published; code=$$?; echo; \
	echo "mailaudit ended with exit code $$code, as its last line explains. That is what this example is for."; test $$code -eq 1

test: $(STAMP) ## the test suite; lab-test has those tests that ask daemons
	@$(BIN)/python -m pytest -q -n auto -m "not daemon"

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

check: lint types test ## lint, types and tests: what CI runs

corpus: $(STAMP) ## how real files are read, where ../shared/corpora exists
	@$(BIN)/python -m bench.corpus

metamorphic: $(STAMP) ## the corrected example written otherwise, spoilt and robbed of evidence: what the rules say then; and mended
	@$(BIN)/python -m bench.metamorphic
	@$(BIN)/python -m bench.mending

bench: $(STAMP) ## speed and memory, as ratios in one run
	@$(BIN)/python -m bench.bench
	@$(BIN)/python -m bench.pf_speed

bench-live: $(STAMP) ## a whole scan of a live host in the lab, beside a bare script and other tools (as root)
	@$(BIN)/python -m bench.live

newer: ## Debian 13's daemons in .lab/, for lab-test to agree with as well (as root)
	@.ci/newer

newest: ## the newest daemons that Debian has (sid), for lab-test to agree with as well (as root); CI does not go by them
	@.ci/newer sid

lab-test: $(STAMP) ## tests with the daemons that are installed here
	@$(BIN)/python -m pytest -q -m daemon

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: $(VENV)/.docs ## the documentation as a site, in build/docs, with every link looked at
	@$(BIN)/python -m bench.site

docs-update: $(STAMP) ## write anew what docs/ has from a scan: the picture, what the guide gets wrong
	@$(BIN)/python -m bench.site.update

clean: ## remove what the targets above made
	rm -rf $(VENV) .lab build dist .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis
