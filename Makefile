# Everything here runs on a machine with Python (3.11 or newer), pip and make.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test lint guard bench peers clean

demo: $(INSTALLED)  ## train PPO on DoorKey, evaluate it and film it, in runs/demo
	rm -rf runs/demo
	$(BIN)/spelunk train ppo spelunk/DoorKey-v0 --total-steps 4000000 --out runs/demo

test: $(INSTALLED)  ## the whole test suite
	$(BIN)/python -m pytest

lint: $(INSTALLED)  ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

guard: $(INSTALLED)  ## has an environment become slower than it was, beside a reference loop?
	$(BIN)/python benchmarks/guard.py

bench: $(INSTALLED)  ## every benchmark; the results go to benchmarks/results and into the README
	$(BIN)/python benchmarks/run_all.py

peers:  ## the packages that benchmarks/peers.py compares with, each in an environment of its own
	$(PYTHON) benchmarks/peers/install.py

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(INSTALLED)

clean:
	rm -rf .venv build dist *.egg-info runs
