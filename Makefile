# Everything a newcomer needs: `make demo` to see it, `make test` to trust it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_CPU := https://download.pytorch.org/whl/cpu

.PHONY: demo test test-arm64 lint bench docs audit clean

demo: $(VENV)/runtime
	$(BIN)/img2imu demo

test: $(VENV)/development
	$(MAKE) --no-print-directory lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest  # many small jobs: threads would only get into each other's way

# The shipped models on a Raspberry Pi's processor, emulated; minutes, and no part of `test`.
test-arm64: $(VENV)/development
	tests/arm64/run.sh

lint: $(VENV)/development
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Us, and what one would take instead: a few minutes; makes docs/benchmarks.md again. Best on an idle machine.
bench: $(VENV)/development
	$(BIN)/python -m benchmarks.alternatives --page docs/benchmarks.md $(BENCH)

# The documentation as a site, in build/site; without a server: open build/site/index.html.
docs: $(VENV)/documentation
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Known vulnerabilities of everything that is installed. It asks the internet, so it is no part of `test`.
audit: $(VENV)/development
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet pip-audit
	build/audit/bin/pip-audit --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# The stamps say what the environment holds; they are made anew when the requirements change.
$(VENV)/runtime: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/documentation: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group docs
	touch $@

# The C tests need a compiler: where there is none, one comes as a Python package. PyPI's torch for Linux brings
# 2.8 GB that only a GPU needs; the other index, if it can be reached, has it without (2.13.0+cpu, newer to pip).
$(VENV)/development: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet 'torch==2.13.0' $$(curl -sfIm 5 $(TORCH_CPU)/ >/dev/null && echo --extra-index-url $(TORCH_CPU))
	$(BIN)/python -m pip install --quiet --editable '.[bench,benchmark,export]' --group test
	command -v cc >/dev/null || $(BIN)/python -m pip install --quiet ziglang
	touch $@ $(VENV)/runtime
