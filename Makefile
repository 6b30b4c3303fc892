# SPDX-License-Identifier: MIT
# make run    boots the default lanes, runs the checks, prints the table
# make test   runs linters, types and every test, guest tests included
# make lint   runs linters, formatters' checks, types, spelling and the search for dead code: well under a minute
# make format formats Python, C and shell
# make chaos  injects faults into real runs, and judges how each ends
# make disturbed kills campaigns on real guests, and compares what they find
# make objects fetches packages with BPF objects, and reads every one
# make examples compiles the probes in examples/ with clang
# make roots  runs Debian's own tools for BPF in guests, by hil exec --root
# make labgrid installs labgrid, and runs on a guest that is a board of its environment and of its coordinator
# make bench  prints ratios, each against a baseline measured in the same run
# make lockstep-coverage  compares what lanes execute with the model, by hundreds of programs a lane, resumable
# make docs   builds the documentation's site in build/site; warnings are errors
# make screenshots ARGS=RUN  draws a run for docs/images, by Chromium
# make image  builds a container image with hil and all it needs, by podman; ENGINE=docker or buildah takes another
# make pages  writes the pages of docs/ anew that are made from the code
# Arguments pass through: make run ARGS='--lanes debian-13', make test ARGS='-m "not guest"'

ARGS =
ENGINE = podman
C = $(wildcard harness/fuzz/standalone/*.c guest/*.c guest/*.h hil/recorder/*.c tests/chaos/*.c tests/harness/fuzz/*.c tests/harness/loader/*.c examples/*/*.c examples/include/*.h)
SHELL_SCRIPTS = ci/setup .ci/run images/init hil/board/keeper.sh

run: .venv/ready
	.venv/bin/hil run --output runs $(ARGS)

test: lint
	.venv/bin/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/clang-format --dry-run --Werror $(C)
	.venv/bin/shfmt --diff $(SHELL_SCRIPTS)
	.venv/bin/python ci/spdx.py --check
	.venv/bin/codespell
	.venv/bin/vulture
	.venv/bin/mypy

format: .venv/ready
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/clang-format -i $(C)
	.venv/bin/shfmt --write $(SHELL_SCRIPTS)
	.venv/bin/python ci/spdx.py

bench: .venv/ready
	.venv/bin/hil bench $(ARGS)

lockstep-coverage: .venv/ready
	.venv/bin/python -m tests.lockstep --write $(ARGS)

chaos: .venv/ready
	.venv/bin/python -m tests.chaos $(ARGS)

mutants: .venv/ready
	.venv/bin/python -m tests.mutants $(ARGS)

campaign: .venv/ready
	.venv/bin/hil fuzz --lanes linux-4.1,debian-12 --cases 200000 --seed 1 --output runs $(ARGS)

disturbed: .venv/ready
	.venv/bin/python -m tests.campaigns $(ARGS)

probes: .venv/ready
	.venv/bin/python -m tests.objects.probes $(ARGS)

objects: .venv/ready
	.venv/bin/python -m tests.objects $(ARGS)

roots: .venv/ready
	HIL_TEST_ROOTS=1 .venv/bin/pytest tests/harness/loader/test_asked.py $(ARGS)

labgrid: .venv/ready
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[labgrid]'
	.venv/bin/pytest tests/hil/board/test_lab.py tests/harness/boards/test_lab.py $(ARGS)

.venv/ready: pyproject.toml ci/setup ci/host-packages.txt
	ci/setup

examples:
	$(MAKE) -C examples

pages: .venv/ready
	.venv/bin/hil lanes --markdown > docs/lanes.md
	.venv/bin/hil lanes --changes > docs/eras.md
	.venv/bin/hil conform --list --markdown > docs/clauses.md
	.venv/bin/hil bugs --markdown > docs/kernel-bugs.md

docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --quiet

screenshots: .venv/ready
	.venv/bin/python -m ci.screenshots $(ARGS)

image: .venv/ready
	@command -v $(ENGINE) >/dev/null || { echo "$(ENGINE) is not installed: install it, or name another, make image ENGINE=docker" >&2; exit 2; }
	rm -rf build/image
	.venv/bin/python -m build --wheel --outdir build/image
	cp ci/host-packages.txt build/image
	$(ENGINE) build --tag hil --file ci/container/Containerfile $(ARGS) build/image

clean:
	rm -rf .venv build dist runs

.PHONY: run test lint format bench lockstep-coverage chaos mutants campaign disturbed objects probes examples roots labgrid docs pages screenshots image clean
