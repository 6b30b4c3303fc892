# make run    boots the default lanes, runs the checks, prints the table
# make test   runs linters, types and every test, guest tests included
# make chaos  injects faults into real runs, and judges how each ends
# make bench  prints ratios, each against a baseline measured in the same run
# make pages  writes the pages of docs/ anew that are made from the code
# Arguments pass through: make run ARGS='--lanes debian-13', make test ARGS='-m "not guest"'

ARGS =

run: .venv/ready
	.venv/bin/hil run --output runs $(ARGS)

test: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest $(ARGS)

bench: .venv/ready
	.venv/bin/hil bench $(ARGS)

chaos: .venv/ready
	.venv/bin/python -m tests.chaos $(ARGS)

.venv/ready: pyproject.toml ci/setup ci/host-packages.txt
	ci/setup

pages: .venv/ready
	.venv/bin/hil lanes --markdown > docs/lanes.md
	.venv/bin/hil lanes --changes > docs/eras.md
	.venv/bin/hil conform --list --markdown > docs/clauses.md

clean:
	rm -rf .venv build dist runs

.PHONY: run test bench chaos pages clean
