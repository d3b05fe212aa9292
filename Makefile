.POSIX:

PYTHON = python3.11
BIN = .venv/bin
UV_VERSION = 0.13.9
# Where pip would take the CUDA build of torch (several GB): --index-url and the address of PyTorch's CPU wheels.
TORCH_OPTIONS =
DEBIAN_PACKAGES = fonts-wqy-zenhei chromium

LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml --generate-hashes --quiet
# An image gets the versions that the tests have run with.
LOCK_IMAGE = $(LOCK) --constraint requirements/cpu.txt --python-platform x86_64-manylinux_2_28
# Wheels only; xgboost-cpu stands in for xgboost and its CUDA libraries.
LOCK_PEERS = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile requirements/peers.in --generate-hashes --quiet \
	--only-binary :all: --no-emit-package xgboost --no-emit-package nvidia-nccl-cu12

.PHONY: help setup demo test test-minio lint format calibrate bench bench-public peers stop up down lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1	/p' Makefile | expand -t 12

# torch comes first and by pip: uv ignores pip's find-links, but keeps the wheel that it finds installed.
setup: ## Make or update .venv from the locks; install Chinese fonts and Chromium where that is possible
	@set -e; \
	wanted=$$(cat requirements/torch.txt requirements/cpu.txt pyproject.toml | sha256sum); \
	if [ "$$(cat .venv/installed 2>/dev/null)" != "$$wanted" ]; then \
		[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv; \
		$(BIN)/python -m pip install --quiet uv==$(UV_VERSION); \
		$(BIN)/python -m pip install --quiet $(TORCH_OPTIONS) -r requirements/torch.txt; \
		$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/cpu.txt; \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .; \
		echo "$$wanted" > .venv/installed; \
	fi
	@missing=; \
	for package in $(DEBIAN_PACKAGES); do \
		dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
			&& apt-get update -qq && apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
		then echo "installed$$missing"; \
		else echo "pictures and browser tests need$$missing: apt-get install$$missing"; fi; \
	fi

demo: setup ## Mine a simulated experiment from end to end (USERS=100000, KEEP=0 to end without waiting)
	@$(BIN)/python -m local_stack demo

test: setup ## Run all tests but the slow ones; CAUSAL_TEST_DATA names the folder of public data sets
	$(BIN)/pytest -m "not slow" --durations=15

test-minio: setup ## Run the object store's tests against MinIO in a container; needs Docker
	docker/test-minio.sh

lint: setup ## Check style, format, types, the direction of imports, Dockerfiles and shell scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint docker/*.Dockerfile
	$(BIN)/shellcheck docker/*.sh

format: setup ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

calibrate: setup ## Run the slow statistical tests
	$(BIN)/pytest -m slow --durations=0

bench: setup ## Measure the pipeline (BENCH="--users 100000 --airflow"), then the join (BENCH_JOIN="--users 100000")
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements/cpu.txt -r pyproject.toml --extra bench
	$(BIN)/python -m benchmarks.pipeline $(BENCH)
	$(BIN)/python -m benchmarks.join $(BENCH_JOIN)

bench-public: setup ## Run allocation on public files in full (BENCH_PUBLIC="--criteo criteo-uplift-v2.1.csv.gz")
	$(BIN)/python -m benchmarks.public_allocation $(BENCH_PUBLIC)

peers: setup ## Make .venv-peers, in which the benchmarks run causalml, EconML and scikit-uplift
	@set -e; \
	wanted=$$(sha256sum < requirements/peers.txt); \
	if [ "$$(cat .venv-peers/installed 2>/dev/null)" != "$$wanted" ]; then \
		[ -x .venv-peers/bin/python ] || $(PYTHON) -m venv .venv-peers; \
		$(BIN)/uv pip install --quiet --python .venv-peers/bin/python --require-hashes --no-deps -r requirements/peers.txt; \
		echo "$$wanted" > .venv-peers/installed; \
	fi

stop: ## Stop every server that the demo or "local_stack up" has left running
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local_stack down; fi

up: .env ## Start the whole stack in containers; needs Docker
	docker compose up --build --detach --wait
	@echo "Airflow: http://$$(docker compose port api-server 8080), user admin, password AIRFLOW_ADMIN_PASSWORD in .env"

down: ## Stop the containers; the data stays in their volumes
	docker compose --profile "*" down

.env:
	docker/make-env.sh $@

lock: setup ## Bring the locks in requirements/ in line with pyproject.toml
	$(LOCK) --python-version 3.11 --extra models --extra cpu --extra serve --extra airflow --extra local --extra dev \
		--no-emit-package torch --output-file requirements/cpu.txt
	$(LOCK_IMAGE) --python-version 3.11 --extra models --extra cpu --extra serve --extra airflow --extra docker \
		--no-emit-package torch --output-file requirements/docker.txt
	$(LOCK_IMAGE) --no-config --python-version 3.12 --extra models --extra gpu --prerelease disallow \
		--output-file requirements/gpu.txt
	$(LOCK_PEERS) --python-version 3.11 --output-file requirements/peers.txt

clean: stop ## Remove everything that was made here but .venv
	rm -rf .local build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path "./.venv*/*" -prune -exec rm -rf {} +
