# Needs Python 3.11 or newer (with venv), make, git and a C compiler. Everything else goes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := $(BIN)/uv
# Without these, uv could follow another environment or an interpreter of its own.
export VIRTUAL_ENV := $(CURDIR)/.venv
export UV_PYTHON := $(CURDIR)/$(BIN)/python
export UV_PYTHON_DOWNLOADS := never
# Indexes behind a certificate of one's own network are trusted as the system trusts them.
export UV_SYSTEM_CERTS := 1
export NODE_USE_SYSTEM_CA := 1
CODE := $(wildcard src tests tools benchmarks)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check bench assets lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/.run assets ## Start the city and open it on http://127.0.0.1:8000/ (CHENGSHU_PORT changes the port)
	@CHENGSHU_MQTT=$${CHENGSHU_MQTT-embedded} $(BIN)/chengshu run

# Two at once, those of a file together; but browsers, which draw maps without a graphics card, one after the other, and
# what fails there once more: a Chromium may hang by itself. Exit 5 is pytest's when the narrowing left none.
PROCESSES ?= 2

test: .venv/.dev check ## Check everything, then run all tests; PYTEST="-k name" narrows them
	@CHENGSHU_CHROMIUM=$$(sh tools/browser.sh) || exit 1; export CHENGSHU_CHROMIUM; \
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile -m "not browser" $(PYTEST) || [ $$? -eq 5 ] || exit 1; \
	$(BIN)/python -m pytest -m browser $(PYTEST) || [ $$? -eq 5 ] || $(BIN)/python -m pytest -m browser --lf $(PYTEST)

check: .venv/.dev assets ## Style, types, directions of imports, freshness of docs, completeness of translations
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(if $(wildcard tools/docs.py),$(BIN)/python tools/docs.py --check)
	@$(if $(wildcard tools/translations.py),$(BIN)/python tools/translations.py --check)

bench: .venv/.dev assets ## Measure this machine (JSON lines); ONLY=name runs one measurement
	@$(BIN)/python -m benchmarks $(ONLY)

assets: .venv/.run ## Build the front end and the translations into the package
	@$(BIN)/python tools/assets.py
	@$(if $(wildcard tools/translations.py),$(BIN)/python tools/translations.py --compile)

# The lock names versions and hashes but no index: every machine takes the files from the index that it is set to.
lock: .venv/.uv-$(UV_VERSION) ## Lock the dependencies anew; UPGRADE=1 takes newer versions, UPGRADE=name of one package
	@$(UV) lock $(if $(UPGRADE),$(if $(filter 1,$(UPGRADE)),--upgrade,--upgrade-package $(UPGRADE)))
	@sed -i -E 's#url = "https?://[^"]*/([^"/]+)"#filename = "\1"#; s#(registry = ")https?://[^"]*#\1https://index.invalid/simple#' uv.lock

clean: ## Remove what was built; the city's data in .chengshu stay
	rm -rf .venv build dist src/chengshu/web/static/dist frontend/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.uv-$(UV_VERSION):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making the environment in .venv …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

# Running needs fewer packages than developing; an environment that has both keeps both.
RUN_GROUPS := --no-default-groups --group build --group assets
define install
	@$(UV) export --quiet --frozen --no-emit-project $(1) --output-file .venv/requirements.txt
	@$(UV) pip sync --require-hashes .venv/requirements.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
endef

.venv/.run: .venv/.uv-$(UV_VERSION) uv.lock pyproject.toml
	$(call install,$(if $(wildcard .venv/.dev),--all-groups,$(RUN_GROUPS)))

.venv/.dev: .venv/.run
	$(call install,--all-groups)
