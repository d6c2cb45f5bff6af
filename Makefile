# Every target does the set-up that it needs: a virtual environment in .venv, pinned by constraints.txt.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# The data of jet_tagger must be fetched: its report is made by name, make reports MODELS=jet_tagger.
MODELS := $(filter-out jet_tagger,$(notdir $(patsubst %/sweep.yaml,%,$(wildcard models/*/sweep.yaml))))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where containers set it, each process that imports TensorFlow would compile it anew, for 16 s.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv demo reports fronts reports-ecp5 reports-osu018 estimates layers test test-full fuzz bench lint format constraints clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## set up .venv (the other targets do it when needed)

# The stamp comes last: an interrupted set-up starts again.
$(STAMP): constraints.txt pyproject.toml
	@command -v g++ >/dev/null || { echo "gatewright: g++ is not installed; install it with your package manager" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("gatewright: $(PYTHON) is Python %d.%d; 3.11 or newer is needed (make PYTHON=python3.11 ...)" % sys.version_info[:2])'
	@echo "Setting up $(VENV): about a minute and a half, 3 GB"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip check
# Whatever the user's environment says of bytecode: TensorFlow takes 18 s to load without, 5 with.
# Some packages have templates among their files, which don't compile.
	$(BIN)/python -m compileall -qq -j $(JOBS) -x '/tests/' $(VENV)/lib || :
	@touch $@

demo: $(STAMP) ## the digits classifier through every configuration, one of them routed; ends in an HTML report
	$(BIN)/gatewright run models/digits_mlp -o build --jobs $(JOBS)
	$(BIN)/gatewright run models/digits_mlp --config uniform2 -o build/ecp5-85k --target ecp5-85k --pnr \
	  --no-baselines
	@echo "Reports: build/digits_mlp/report/index.html, and placed and routed for ECP5:"
	@echo "  build/ecp5-85k/digits_mlp/report/index.html"

# The zoo and its searches for UltraScale+; $(1) and $(2) are further options of the two commands.
define zoo
	set -e; for model in $(MODELS); do \
	  $(BIN)/gatewright run models/$$model -o build --jobs $(JOBS) $(1); \
	  if grep -q '^search:' models/$$model/sweep.yaml; then \
	    $(BIN)/gatewright explore models/$$model -o build --jobs $(JOBS) $(2); \
	  fi; \
	done
endef

reports: $(STAMP) ## regenerate reports/ from the model zoo: UltraScale+, searches, ECP5, OSU018
	$(call zoo,--publish reports/$$model,--publish reports/$$model/search)
	$(MAKE) fronts
	$(MAKE) reports-ecp5 reports-osu018

fronts: $(STAMP) ## accuracy against LUTs of HGQ2 and QKeras on the same digits, from reports/
	$(BIN)/python -m benchmarks.fronts

# What the device has room for, and its router ends within minutes: unrolled designs of 6 and 8 bits take it hours.
ECP5_CONFIGS = \
  breast_cancer_residual: \
  digits_autoencoder:w4_r1,mixed_r1 \
  digits_cnn:w6_r16,w4_r16 \
  digits_mlp:uniform4,uniform3,uniform2,mixed,distilled4,distilled_pruned4 \
  digits_residual:w4_r18 \
  digits_separable:mixed_r8 \
  vowels_conv1d:w6_r12,w6_r48,w4_r1,mixed_r12

# One that fails is named; all others are reported, and the status is not 0.
reports-ecp5: $(STAMP) ## the part of reports/ that is placed and routed for ECP5
	status=0; for each in $(foreach m,$(MODELS),$(filter $(m):%,$(ECP5_CONFIGS))); do model=$${each%%:*}; configs=$${each#*:}; \
	  $(BIN)/gatewright run models/$$model $$(echo $$configs | sed 's/\([^,][^,]*\),*/ --config \1/g') \
	    -o build/ecp5-85k --jobs $(JOBS) --target ecp5-85k \
	    --pnr --rounds 3 --no-baselines --publish reports/ecp5-85k/$$model || status=1; \
	done; exit $$status

reports-osu018: $(STAMP) ## the part of reports/ in standard cells of OSU018, with energy
	status=0; for model in $(MODELS); do \
	  $(BIN)/gatewright run models/$$model -o build/osu018 --jobs $(JOBS) --target osu018 \
	    --power --no-baselines --publish reports/osu018/$$model || status=1; \
	done; exit $$status

estimates: $(STAMP) ## fit hls/estimates anew, to the zoo mapped for UltraScale+ and ECP5
	$(call zoo,--no-baselines,--no-baselines)
	$(BIN)/python -m benchmarks.estimate xcup build
	for model in $(MODELS); do \
	  $(BIN)/gatewright run models/$$model -o build/ecp5-mapped --jobs $(JOBS) --target ecp5-85k --no-baselines; \
	done
	$(BIN)/python -m benchmarks.estimate ecp5-85k build/ecp5-mapped

layers: $(STAMP) ## regenerate docs/layers.md from the table that the tests run through
	$(BIN)/gatewright layers --markdown > docs/layers.new
	mv docs/layers.new docs/layers.md

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## reformat the Python files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint ## lint and the fast tests
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not full"

test-full: lint ## lint and all tests, the wide cases too
	$(BIN)/pytest -n $(JOBS) --dist worksteal

fuzz: $(STAMP) ## the property-based tests with many more examples, then 5,000 damaged files of all kinds
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m hypothesis --hypothesis-profile=fuzz
	$(BIN)/python tests/hostile --tries 5000 --jobs $(JOBS) --keep build/hostile

bench: $(STAMP) ## speed and quality against peers, see benchmarks/
	$(BIN)/python -m benchmarks

constraints: ## resolve the dependencies anew and pin what a fresh environment gets
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --editable '.[dev]'
	{ sed -n '/^#/p' constraints.txt; $(BIN)/pip freeze --exclude-editable; } > constraints.new
	mv constraints.new constraints.txt
	$(BIN)/pip check
	@touch $(STAMP)

clean: ## remove what was built, except .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
