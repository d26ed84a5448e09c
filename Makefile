# Each target makes the virtual environment it needs, below .venv/, and works in it.
PYTHON ?= python3
VENV = .venv
PIP = -m pip --disable-pip-version-check install -q
# Where dependencies differ: all but what runs on other servers, the long runs of the state machine, and what is the same
# with any of them: local files, and which keys a request names.
TESTS_OF_DEPENDENCIES = registry_s3fs tests/unit tests/integration tests/conformance \
	--ignore=tests/conformance/driver --ignore=tests/conformance/test_state_machine.py --ignore=tests/conformance/test_publish_atomicity.py \
	--ignore=tests/conformance/test_key_isolation.py --ignore=tests/unit/transfer/test_local_source.py --ignore=tests/unit/filesystem/test_scale.py

# Half of the time is a server's, so two processes take little more than half as long as one; each has servers of its own.
PYTEST = -m pytest -n 2 --dist loadfile

.PHONY: demo test interop newest oldest bench faults promises check clean
.SECONDARY:

demo: $(VENV)/demo/done
	$(VENV)/demo/bin/python -m demo

test: $(VENV)/test/done
	$(VENV)/test/bin/python $(PYTEST)

interop: $(VENV)/test/done
	$(VENV)/test/bin/python -m pytest tests/interop -ra

# s3fs, a peer in the tests, holds boto3 back through aiobotocore; here boto3 is the newest there is, and has awscrt.
newest: $(VENV)/newest/done
	$(VENV)/newest/bin/python $(PYTEST) $(TESTS_OF_DEPENDENCIES)

oldest: $(VENV)/oldest/done
	$(VENV)/oldest/bin/python $(PYTEST) $(TESTS_OF_DEPENDENCIES)

# Options by BENCH: make bench BENCH='--profile lan --peer s3fs --workload find --baseline HEAD~1'
bench: $(VENV)/bench/done
	$(VENV)/bench/bin/python -m benchmarks $(BENCH)

# Options by FAULTS: make faults FAULTS='--odd', or '--soak 200000'. S3SIM names the simulator's folder; without one, what needs
# it is left out.
faults: $(VENV)/bench/done
	$(VENV)/bench/bin/python -m reliability $(FAULTS)

# docs/promises.md, from the tests' docstrings.
promises:
	$(PYTHON) docs/make_promises.py

check: $(VENV)/check/done
	$(VENV)/check/bin/ruff format --check .
	$(VENV)/check/bin/ruff check .
	$(VENV)/check/bin/mypy
	$(VENV)/check/bin/pyright --pythonpath $(VENV)/check/bin/python tests/typing/api.py
	$(VENV)/check/bin/lint-imports

# The pip that comes with older Pythons cannot resolve s3fs's pins.
$(VENV)/%/new: setup.cfg
	$(PYTHON) -m venv --clear $(VENV)/$*
	$(VENV)/$*/bin/python $(PIP) --upgrade pip
	touch $@

$(VENV)/demo/done: $(VENV)/demo/new
	$(VENV)/demo/bin/python $(PIP) -e '.[demo]'
	touch $@

$(VENV)/test/done: $(VENV)/test/new
	$(VENV)/test/bin/python $(PIP) -e '.[test]'
	touch $@

$(VENV)/newest/done: $(VENV)/newest/new
	$(VENV)/newest/bin/python $(PIP) -e .
	! $(VENV)/newest/bin/python -m pip list 2>/dev/null | grep -i aiobotocore
	$(VENV)/newest/bin/python $(PIP) -e '.[test-core,crt]'
	touch $@

# pandas 3 would ask for a newer fsspec.
$(VENV)/oldest/done: $(VENV)/oldest/new
	sed -n '/^install_requires/,/^$$/s/^    \([A-Za-z0-9]*\) >= /\1==/p' setup.cfg > $(VENV)/oldest/constraints.txt
	$(VENV)/oldest/bin/python $(PIP) -c $(VENV)/oldest/constraints.txt -e '.[test-core]' 'pandas < 3'
	touch $@

$(VENV)/bench/done: $(VENV)/bench/new
	$(VENV)/bench/bin/python $(PIP) -e '.[bench]'
	touch $@

$(VENV)/check/done: $(VENV)/check/new
	$(VENV)/check/bin/python $(PIP) -e '.[test,check]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
