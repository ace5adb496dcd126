# Everything a person or CI runs. `make demo` on a fresh machine needs Python 3.11 with pip, make and git.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
SYSTEM ?= wine_quality
NAME ?= all

export DAGSTER_HOME ?= $(CURDIR)/.mlops
export MLFLOW_DISABLE_TELEMETRY := true
unexport PYTHONDONTWRITEBYTECODE # bytecode halves the time of every import

.PHONY: demo test soak ui lint format bench clean

demo: $(VENV)/installed
	@$(BIN)/mlops land $(SYSTEM)
	@$(BIN)/mlops run $(SYSTEM)
	@$(BIN)/mlops report $(SYSTEM)

test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=40

soak: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --soak $(NAME) --soak-page docs/soak.md

ui: $(VENV)/installed
	@$(BIN)/mlops instance > /dev/null
	@echo "Dagster: http://localhost:3000   MLflow: http://localhost:5000   (stop with Ctrl-C)"
	@trap 'kill 0' INT TERM EXIT; \
	$(BIN)/mlflow server --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(DAGSTER_HOME)/mlflow.db}" \
	  --host 127.0.0.1 --port 5000 & \
	$(BIN)/dagster dev -w workspace.yaml --host 127.0.0.1 --port 3000

lint: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -q mlops_assets_tests/test_house.py
	$(BIN)/mlops doctor --declarations
	@$(BIN)/mlops instance > /dev/null
	$(BIN)/dg check defs

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mlops

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
