# Everything starts from a fresh checkout: `make run` and `make test` install what they need first.
.DEFAULT_GOAL := help
.PHONY: help bootstrap run test lint unit vm crash mutants fuzz bench docs collection format clean
SHELL := /bin/sh
PY := .venv/bin/python
# Tests of one file stay together if they share a virtual machine, which keeps a processor busy. The others wait now and
# then, for a disk or a time limit, so one more than there are processors on a small machine.
PARALLEL := -n 2 --dist loadfile
SIDE_BY_SIDE := -n 3 --dist worksteal
# Loop devices need root: without root their tests are left out.
HERE := not vm and not alone$(shell [ "$$(id -u)" = 0 ] || echo " and not root")
# A whole campaign is one test, so its timeout is long (seconds).
PATIENT := --timeout 14400
# mkfs.btrfs looks at all disks, and the test kills it at a counted call: no other test may make disks at the same time.
KILLED := tests/crash/test_killed_on_loops.py
CODE := src plugins tests benchmarks

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

bootstrap: ## Install what is missing on this machine, and make .venv
	@tools/bootstrap
	@$(PY) -m compileall -q src plugins tests  # otherwise each start in an emulated machine compiles them, for seconds

run: bootstrap ## Rehearse the main playbook on a blank 30 GiB disk in a virtual machine
	.venv/bin/subfloor rehearse playbooks/nixos-tmpfs-root.yml -e disk=/dev/vda -e 'state_version="25.11"' --disk 30GiB

test: lint ## Check the code and run all tests
	$(PY) -m pytest $(SIDE_BY_SIDE) -m "$(HERE)"
	@[ "$$(id -u)" != 0 ] || $(PY) -m pytest -m alone
	$(PY) -m pytest $(PARALLEL) -m vm

lint: bootstrap ## Check style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict $(CODE)

unit: bootstrap ## Run the tests that need neither root nor a virtual machine
	$(PY) -m pytest $(SIDE_BY_SIDE) -m "not vm and not root"

vm: bootstrap ## Run the tests that boot a virtual machine
	$(PY) -m pytest $(PARALLEL) -m vm

crash: bootstrap ## Resume a run after every crash that can be made of it, on real disks (docs/reliability.md)
	SUBFLOOR_CRASH=all $(PY) -m pytest $(PARALLEL) $(PATIENT) -m "not alone" --ignore $(KILLED) tests/crash tests/disks tests/vm
	SUBFLOOR_CRASH=all $(PY) -m pytest $(PATIENT) $(KILLED)
	SUBFLOOR_CRASH=all $(PY) -m pytest $(PATIENT) -m alone

mutants: bootstrap ## Break the code in many ways, one at a time; a test must fail each time
	PYTHONPATH=tests:tests/support $(PY) -m mutants

fuzz: bootstrap ## Give every parser a hundred times as much random input as `make test`
	SUBFLOOR_FUZZ=100 $(PY) -m pytest $(PARALLEL) --timeout 0 \
	  tests/unit/playbook/test_fuzz.py tests/unit/playbook/test_playbook_fuzz.py \
	  tests/unit/observe/test_probes.py tests/unit/storage/test_gpt.py

bench: bootstrap ## Measure costs as ratios (needs root)
	$(PY) benchmarks/ratios.py

docs: bootstrap ## Build the documentation as a site, in build/site
	$(PY) -m mkdocs build --strict

collection: bootstrap ## Make the Ansible collection subfloor.core, in ansible/
	.venv/bin/subfloor export collection ansible

format: bootstrap ## Format the code, and fix what ruff can fix by itself
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean: ## Remove generated files
	rm -rf .venv build dist ansible/ansible_collections .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +
