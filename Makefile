# Everything a person or CI runs. `make demo` on a fresh machine needs Python 3.11 to 3.13 with pip, make and git.
# `make demo WITHOUT=torch` leaves PyTorch out, which only systems with a model of torch's need.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
SYSTEM ?= wine_quality
NAME ?= all
WITHOUT ?= nothing
DIST ?= dist
VALIDATE ?= --validate
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

export DAGSTER_HOME ?= $(CURDIR)/.mlops
export MLFLOW_DISABLE_TELEMETRY := true
unexport PYTHONDONTWRITEBYTECODE # bytecode halves the time of every import

.PHONY: demo test soak ui lint format bench lock advisories licences sbom clean

demo: $(VENV)/installed
	@$(BIN)/mlops land $(SYSTEM)
	@$(BIN)/mlops run $(SYSTEM)
	@$(BIN)/mlops report $(SYSTEM)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=40

soak: $(VENV)/installed-dev # without the equals signs pytest takes the name for a path
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --soak=$(NAME) --soak-page=docs/soak.md

ui: $(VENV)/installed
	@$(BIN)/mlops instance > /dev/null
	@echo "Dagster: http://localhost:3000   MLflow: http://localhost:5000   (stop with Ctrl-C)"
	@trap 'kill 0' INT TERM EXIT; \
	$(BIN)/mlflow server --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(DAGSTER_HOME)/mlflow.db}" \
	  --host 127.0.0.1 --port 5000 & \
	$(BIN)/mlops ui --host 127.0.0.1 --port 3000

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/vermin --quiet --no-tips --exclude str.decode -t=3.11- --violations mlops_assets mlops_assets_tests benchmarks
	$(BIN)/pyright
	$(BIN)/python -m pytest -q mlops_assets_tests/test_house.py
	$(BIN)/mlops doctor --declarations
	@$(BIN)/mlops instance > /dev/null
	$(BIN)/dg check defs

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

UPGRADE ?=
lock: $(VENV)/installed-dev # keeps every version but those that UPGRADE names; UPGRADE=--all takes the newest of all
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/lock.py $(UPGRADE)

advisories: $(VENV)/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/advisories.py

licences: $(VENV)/installed-dev # of what running needs
	@mkdir -p $(DIST)
	$(BIN)/python .ci/licences.py > $(DIST)/licences.txt

sbom: $(VENV)/installed-dev
	@mkdir -p $(DIST)
	cat requirements.lock torch.lock | $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  $(VALIDATE) -o $(DIST)/sbom.json -

clean:
	rm -rf $(VENV) .mlops

$(VENV)/installed: pyproject.toml requirements.lock torch.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps --require-hashes -r requirements.lock
	@[ "$(WITHOUT)" = torch ] || $(PIP) -r torch.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	$(PIP) --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
