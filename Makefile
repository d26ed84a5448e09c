# Each target makes the virtual environment it needs, below .venv/, and works in it.
PYTHON ?= python3
VENV = .venv
PIP = -m pip --disable-pip-version-check --no-input install --progress-bar off
# What pip does, as the names of the packages that it takes: so one sees that it works, and how far it is. Errors stay.
AS_NAMES = | awk '/^ *(ERROR|error)/ { print } /^Collecting/ { sub(/[^A-Za-z0-9._-].*/, "", $$2); printf "%s ", $$2 } \
	/^Installing collected/ { printf "\nunpacking %d packages ...\n", NF - 3 } { fflush() }'
SHELL = /bin/bash

# Where dependencies differ: what calls them, on one server. What runs on others, long runs of the state machine, odd stores and
# what strangers stored are the same with any of them.
TESTS_OF_BOTO3 = registry_s3fs $(addprefix tests/unit/,config driver s3) \
	$(filter-out $(wildcard $(addprefix tests/integration/test_,odd_*.py many_*.py command*.py hostile*.py secrets.py)),$(wildcard tests/integration/test_*.py))
TESTS_OF_DEPENDENCIES = $(TESTS_OF_BOTO3) tests/conformance/test_abstract.py $(addprefix tests/unit/,files filesystem listing transfer) \
	--ignore=tests/unit/transfer/test_local_source.py --ignore=tests/unit/filesystem/test_scale.py \
	$(addprefix tests/unit/registry/,filesystem test_catalog.py test_inventory.py test_tables.py)

# Half of the time is a server's, or a test waits, so more processes than processors are quicker; each has servers of its own,
# and what a module's tests share is made once. Modules stay in their order: by the number of their tests, the longest would be last.
JOBS = 3
PYTEST = -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

.PHONY: demo test thorough interop newest oldest bench growth faults promises docs check matrix release clean
.SECONDARY:

demo: $(VENV)/demo/done
	$(VENV)/demo/bin/python -m demo

test: $(VENV)/test/done
	@echo "Running about 9,800 tests in $(JOBS) processes: about 8 minutes on two processors. It tells how far it is in percent. make thorough runs the rest."
	$(VENV)/test/bin/python $(PYTEST)

# What `make test` leaves out, as it takes long, for cases that a quicker test has, too, or that few meet.
thorough: $(VENV)/test/done
	$(VENV)/test/bin/python $(PYTEST) -m thorough

interop: $(VENV)/test/done
	$(VENV)/test/bin/python -m pytest tests/interop -ra -m ""

# s3fs, a peer in the tests, holds boto3 back through aiobotocore; here boto3 is the newest there is, and has awscrt.
newest: $(VENV)/newest/done
	$(VENV)/newest/bin/python $(PYTEST) $(TESTS_OF_BOTO3)

oldest: $(VENV)/oldest/done
	$(VENV)/oldest/bin/python $(PYTEST) $(TESTS_OF_DEPENDENCIES)

# Options by BENCH: make bench BENCH='--profile lan --peer s3fs --workload find --baseline HEAD~1'
bench: $(VENV)/bench/done
	$(VENV)/bench/bin/python -m benchmarks $(BENCH)

# The table of what large numbers cost.
growth: $(VENV)/bench/done
	$(VENV)/bench/bin/python -m benchmarks.growth

# Options by FAULTS: make faults FAULTS='--odd', or '--soak 200000'. S3SIM names the simulator's folder; without one, what needs
# it is left out.
faults: $(VENV)/bench/done
	$(VENV)/bench/bin/python -m reliability $(FAULTS)

# docs/promises.md, from the tests' docstrings.
promises:
	$(PYTHON) docs/make_promises.py

# The site, in build/site. Warnings are errors, and links are checked.
docs: $(VENV)/docs/done
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --strict
	@echo "build/site/index.html can be opened as it is; its search needs a server: $(PYTHON) -m http.server -d build/site"

check: $(VENV)/check/done
	$(VENV)/check/bin/ruff format --check .
	$(VENV)/check/bin/ruff check .
	$(VENV)/check/bin/mypy
	$(VENV)/check/bin/pyright --pythonpath $(VENV)/check/bin/python tests/typing/api.py
	$(VENV)/check/bin/lint-imports

# docs/compatibility.md is written by it. Options by MATRIX: make matrix MATRIX='-s newest-3.13'
matrix: $(VENV)/matrix/done
	PATH="$$PATH$$(printf ':%s' $(HOME)/.pyenv/versions/3.1*/bin)" $(VENV)/matrix/bin/nox --envdir $(VENV)/nox $(MATRIX)

# The sdist and the wheel are left in dist/. The unit tests of the sdist run on the installed wheel, with no package beside them.
RELEASE_TESTS = tests/unit
UNPACKED = build/release
RELEASE = $(CURDIR)/$(VENV)/release/bin/python
release: $(VENV)/release/done
	rm -rf dist $(UNPACKED)
	$(RELEASE) -m build
	$(RELEASE) -m twine check --strict dist/*
	$(RELEASE) -m check_wheel_contents dist/*.whl
	$(RELEASE) $(PIP) -q --force-reinstall --no-deps dist/*.whl
	mkdir -p $(UNPACKED)
	tar -xzf dist/*.tar.gz -C $(UNPACKED) --strip-components 1
	rm -r $(UNPACKED)/registry_s3fs
	cd $(UNPACKED) && $(RELEASE) -c 'import registry_s3fs as it; print(it.__version__, it.__file__); assert "site-packages" in it.__file__'
	cd $(UNPACKED) && $(RELEASE) $(PYTEST) $(RELEASE_TESTS)

# The pip that comes with older Pythons cannot resolve s3fs's pins.
$(VENV)/%/new: setup.cfg
	@echo "Making a virtual environment of its own, $(VENV)/$*, with the newest pip."
	@$(PYTHON) -m venv --clear $(VENV)/$*
	@$(VENV)/$*/bin/python $(PIP) -q --upgrade pip
	@touch $@

$(VENV)/demo/done: $(VENV)/demo/new
	@echo "Installing into $(VENV)/demo what the demo needs, about 70 packages of 650 MB, in one minute or two:"
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/demo/bin/python $(PIP) -e '.[demo]' $(AS_NAMES)
	@touch $@

$(VENV)/test/done: $(VENV)/test/new
	@echo "Installing into $(VENV)/test what all tests need, about 160 packages of 1.1 GB, in one minute or two:"
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/test/bin/python $(PIP) --no-compile -e '.[test]' $(AS_NAMES)
	@# On all processors, where pip takes one. Some packages bring files that are no Python of today.
	@$(VENV)/test/bin/python -W ignore -m compileall -q -j 0 $(VENV)/test/lib >/dev/null 2>&1 || true
	@touch $@

$(VENV)/newest/done: $(VENV)/newest/new
	@echo "Installing into $(VENV)/newest the newest boto3, and what the tests that depend on it need, about 80 packages of 750 MB, in two minutes:"
	$(VENV)/newest/bin/python $(PIP) -q -e .
	! $(VENV)/newest/bin/python -m pip list 2>/dev/null | grep -i aiobotocore
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/newest/bin/python $(PIP) -e '.[test-core,crt]' $(AS_NAMES)
	@touch $@

# pandas 3 would ask for a newer fsspec.
$(VENV)/oldest/done: $(VENV)/oldest/new
	@echo "Installing into $(VENV)/oldest the oldest dependencies that setup.cfg allows, and what tests need, about 85 packages of 800 MB, in two minutes:"
	sed -n '/^install_requires/,/^$$/s/^    \([A-Za-z0-9]*\) >= /\1==/p' setup.cfg > $(VENV)/oldest/constraints.txt
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/oldest/bin/python $(PIP) -c $(VENV)/oldest/constraints.txt -e '.[test-core]' 'pandas < 3' $(AS_NAMES)
	@touch $@

$(VENV)/bench/done: $(VENV)/bench/new
	@echo "Installing into $(VENV)/bench what benchmarks need, about 80 packages of 750 MB, in two minutes:"
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/bench/bin/python $(PIP) -e '.[bench]' $(AS_NAMES)
	@touch $@

$(VENV)/docs/done: $(VENV)/docs/new
	@echo "Installing into $(VENV)/docs what builds the site, about 45 packages of 200 MB, in a minute:"
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/docs/bin/python $(PIP) -e '.[docs]' $(AS_NAMES)
	@touch $@

$(VENV)/check/done: $(VENV)/check/new
	@echo "Installing into $(VENV)/check what the tests need and what checks them, about 150 packages of 1.5 GB, in three minutes:"
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/check/bin/python $(PIP) -e '.[test,check]' $(AS_NAMES)
	@touch $@

$(VENV)/matrix/done: $(VENV)/matrix/new
	$(VENV)/matrix/bin/python $(PIP) -q 'nox >= 2024.10.9'
	@touch $@

$(VENV)/release/done: $(VENV)/release/new
	@echo "Installing into $(VENV)/release what builds and checks a release, and what unit tests need, about 110 packages of 800 MB, in two minutes:"
	@set -o pipefail; PYTHONWARNINGS=ignore $(VENV)/release/bin/python $(PIP) '.[release,test-core]' $(AS_NAMES)
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
