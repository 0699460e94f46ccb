# Targets are what CI runs. `make demo` and `make test` install what they need first.
PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/.installed
TEST := .venv/.installed-test
SOURCES := services shared deploy tests

.PHONY: demo test lint types docs unit bench bench-gate bench-quality study fuzz kills serve openapi commands constraints clean

demo: $(RUN)
	$(BIN)/sleeve demo

test: lint types docs unit

unit: $(TEST)
	$(BIN)/pytest -n auto --dist worksteal

lint: $(TEST)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(TEST)
	$(BIN)/mypy

# The documentation site, offline; a broken link or a page outside the navigation is an error.
docs: $(TEST)
	$(BIN)/mkdocs build --strict --quiet --site-dir build/site

bench: $(TEST)
	$(BIN)/python -m tests.bench.run

bench-gate: $(TEST)
	$(BIN)/python -m tests.bench.gate_at_scale

bench-quality: $(TEST)
	$(BIN)/python -m tests.campaigns.quality

study: $(TEST)
	$(BIN)/python -m tests.campaigns.study

fuzz: $(TEST)
	$(BIN)/python -m tests.campaigns.fuzz

kills: $(TEST)
	for d in sqlite postgresql; do for w in rest bulk gate; do $(BIN)/python -m tests.campaigns.kills --database $$d --way $$w || exit 1; done; done

serve: $(RUN)
	$(BIN)/sleeve serve

openapi: $(RUN)
	$(BIN)/python -m services.server.openapi docs/api/openapi.json

commands: $(RUN)
	$(BIN)/python -m services.commands.reference_page docs/commands.md

constraints: $(TEST)
	{ head -1 constraints.txt; { $(BIN)/pip freeze --exclude-editable; grep -E '^(msgpack|ray)==' constraints.txt; } | LC_ALL=C sort -fu -t= -k1,1; } > constraints.new && mv constraints.new constraints.txt

clean:
	rm -rf .venv build *.egg-info sleeve-demo

$(RUN): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .[all]
	$(BIN)/python -m shared.matching.compile_ahead
	touch $@

$(TEST): $(RUN)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .[all,test]
	touch $@
