# Every target does its own set-up; `make help` names them.
VENV ?= .venv
# The Qt binding that demo and test use; it must be in the environment.
QT_API ?= pyqt5
PYTEST_ARGS ?=
# What test-pyqt6 runs.
PYQT6_TESTS ?= tests/widgets
# Processes that share the tests.
TEST_PROCESSES ?= 2

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export QT_API
export PYTEST_QT_API = $(QT_API)

.DEFAULT_GOAL := help
.PHONY: help demo test test-pyqt6 check docs format zoo wheel clean

help:  ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: $(INSTALLED)  ## the app on a synthetic landscape; without a display it writes demo.png
	@scripts/demo $(BIN)/napari-relay

test: $(INSTALLED)  ## all tests, on a virtual display
	@scripts/debian-packages qt xvfb
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) $(PYTEST_ARGS)

test-pyqt6: $(INSTALLED)  ## the tests of the window again, on PyQt6
	@scripts/debian-packages qt xvfb
	@QT_API=pyqt6 PYTEST_QT_API=pyqt6 $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) \
	    $(PYQT6_TESTS)

check: $(INSTALLED)  ## lint, format, types, import directions, manifest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari_relay/napari.yaml

docs: $(INSTALLED)  ## build/site: the documentation with the reference; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(INSTALLED)  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

zoo: $(INSTALLED)  ## the shipped models, trained anew (hours; goes on where it was stopped)
	$(BIN)/python scripts/zoo.py

wheel: $(INSTALLED)  ## dist/napari_relay-*.whl
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## remove the environment and everything else that make wrote
	rm -rf $(VENV) build dist demo.png .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(INSTALLED): pyproject.toml scripts/install
	@scripts/install $(VENV)
