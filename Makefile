# Every target creates .venv when it is missing and installs again when requirements.txt or pyproject.toml changed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
DEMO_CONFIG := configs/digits/frcnn_tiny.py
DEMO_DATA := data/digits
DEMO_IMAGES := 8000
DEMO_RUN := work_dirs/demo

.PHONY: demo install test test-slow lint format clean
.DEFAULT_GOAL := demo

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v < (3, 14); sys.exit(None if ok else f"Python {v[0]}.{v[1]} found, 3.11 to 3.13 needed: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

install: $(INSTALLED)  ## everything the project needs, in .venv

demo: $(INSTALLED)  ## draw data, train the laptop-size detector, test it; goes on where it was stopped
	$(RUN) tools/prepare_data.py synthetic --look clear --train $(DEMO_IMAGES) --out $(DEMO_DATA)
	$(RUN) tools/train.py $(DEMO_CONFIG) --data-root $(DEMO_DATA) --work-dir $(DEMO_RUN) --resume
	$(RUN) tools/test.py $(DEMO_CONFIG) $$(cat $(DEMO_RUN)/last_checkpoint) --data-root $(DEMO_DATA) --work-dir $(DEMO_RUN)
	@echo 'Next: your own images (data/README.md), curves (tensorboard --logdir $(DEMO_RUN)), other recipes (configs/digits/).'

test: $(INSTALLED)  ## the default tests
	$(RUN) -m pytest

test-slow: $(INSTALLED)  ## the tests that take minutes
	$(RUN) -m pytest -m slow

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(INSTALLED)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:  ## caches and the environment; data and work_dirs stay
	rm -rf $(VENV) .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
