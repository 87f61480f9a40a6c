# make demo, make test: each does all of its own set-up in .venv the first time.

DISTRO ?= jazzy
PYTHON ?= python3
ARGS ?=

VENV := $(if $(filter jazzy,$(DISTRO)),.venv,.venv-$(DISTRO))
SETUP := $(PYTHON) tools/setup_venv.py --distro $(DISTRO) --folder $(VENV)
RUN := $(VENV)/bin/python tools/environment.py
PYTEST := OMP_NUM_THREADS=1 $(RUN) $(VENV)/bin/pytest
# Two processes share the tests, with one thread each for torch and BLAS. tests/conftest.py decides
# the order.
SHARED := -n 2 --dist loadfile --no-loadscope-reorder
# On which other distribution `make test` runs the tests that use ROS.
OTHER := $(if $(filter jazzy,$(DISTRO)),kilted)
ROS_TESTS := tests/nodes tests/client tests/demo tests/trials
# ARGS without the files that it names, and those of them that are such tests.
ROS_ARGS = $(filter-out tests/%,$(ARGS)) $(if $(filter tests/%,$(ARGS)),$(ROS_CHOSEN),$(ROS_TESTS))
ROS_CHOSEN = $(filter $(addsuffix %,$(ROS_TESTS)),$(ARGS))
BENCH := build/bench
PICTURE ?= $(BENCH)/benchmarks.png

.PHONY: help demo bench load soak fuzz test test-ros check setup dev train clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    a simulated robot drives about and answers questions about what it sees'
	@echo 'make test    lint, types and tests on Jazzy; those that use ROS again on Kilted;'
	@echo '             ARGS="-k timing" goes to pytest'
	@echo 'make test-ros  the tests that use ROS and are not slow; DISTRO=kilted: on Kilted'
	@echo 'make bench   ours beside llama.cpp, at the sizes of MobileVLM-1.7B; JSON=FILE keeps the figures'
	@echo 'make load    100 requests of 10 processes at once, every reply checked'
	@echo 'make soak    ten minutes of four large cameras and questions; ARGS="--transport compressed"'
	@echo 'make fuzz    20,000 odd and damaged messages to a node, every reply checked'
	@echo 'make check   lint and types alone'
	@echo 'make setup   only the environment that the demo needs, in $(VENV)'
	@echo 'make dev     that and what the tests need'
	@echo 'make train   that and what training and conversion need (CPU torch)'
	@echo 'make clean   remove all environments and caches'
	@echo
	@echo 'DISTRO=jazzy (default) or kilted; PYTHON=python3.12 picks another Python (3.10 to 3.12)'

demo: setup
	@$(RUN) $(VENV)/bin/python $(VENV)/lib/mobilevlm_ros/demo $(ARGS)

# Random weights of the exact sizes, made once: 8 GB of disk and some minutes.
$(BENCH)/bundle/bundle.json: | train
	$(VENV)/bin/mobilevlm convert --random mobilevlm-1.7b $(BENCH)/bundle --precision int8 \
		--keep-source $(BENCH)/checkpoint

$(BENCH)/mmproj-Q8_0.gguf: $(BENCH)/bundle/bundle.json
	$(VENV)/bin/python benchmarks/peer_files.py $(BENCH)/checkpoint $(BENCH)

bench: train $(BENCH)/mmproj-Q8_0.gguf
	$(VENV)/bin/mobilevlm bench $(BENCH)/bundle --peer $(BENCH)/mmproj-F16.gguf \
		--peer $(BENCH)/mmproj-Q8_0.gguf --captions benchmarks/caption_trace.json \
		--picture $(PICTURE) $(if $(JSON),--json $(JSON)) $(ARGS)

load: setup
	@$(RUN) $(VENV)/bin/python $(VENV)/lib/mobilevlm_ros/load $(ARGS)

soak: setup
	@$(RUN) $(VENV)/bin/python $(VENV)/lib/mobilevlm_ros/soak $(ARGS)

fuzz: dev
	@$(RUN) $(VENV)/bin/python $(VENV)/lib/mobilevlm_ros/fuzz $(ARGS)

setup:
	@$(SETUP)

train:
	@$(SETUP) --with train

dev:
	@$(SETUP) --with train --with dev

check: dev
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m mypy

test: check
	@$(PYTEST) $(SHARED) $(ARGS)
	@$(if $(OTHER),$(MAKE) --no-print-directory test-ros DISTRO=$(OTHER))

test-ros:
	@$(if $(filter tests/%,$(ROS_ARGS)),echo 'Tests that use ROS on $(DISTRO)' && $(SETUP) --with dev \
		&& { $(PYTEST) $(SHARED) -m 'not slow' $(ROS_ARGS) || [ $$? = 5 ]; },:)

clean:
	rm -rf .venv .venv-kilted build install log out .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
