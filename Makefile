# Needs python3 >= 3.11, git and make; everything else is put into .tools/ and .venv/ of this folder.
PYTHON ?= python3
RUN = .venv/bin/python
# each of the many processes that the tests start would otherwise compile the program again
unexport PYTHONDONTWRITEBYTECODE
SYNCED = .venv/.synced
NPM = $(RUN) web/npm.py
WEB_SYNCED = web/node_modules/.synced
# one more than cores, up to four: some tests wait
WORKERS = $(shell $(PYTHON) -c "import os; print(min((os.cpu_count() or 1) + 1, 4))")

.DEFAULT_GOAL := help
.PHONY: help demo serve serve-bedrock-double record cassettes models evals opinion kernels docs examples test check check-web infra-check infra-snapshots deploy soak calibration bench audit web web-dist

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-20s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(SYNCED)  ## one optimization on the bundled prices, from request to report
	$(RUN) -m api optimize --trials 100 --paths 1000 --years 5 --stopping budget

serve: $(SYNCED)  ## the application on 127.0.0.1:8000; the documentation of its HTTP interface is at /api/docs
	@$(RUN) -m api serve $(ARGS)

serve-bedrock-double: $(SYNCED)  ## Amazon Bedrock's Converse on this machine, answered by the embedded planner
	@$(RUN) -m tests.doubles.bedrock.serve $(ARGS)

record: $(SYNCED)  ## record the runs of tests/cassettes again, against the models that the environment names
	$(RUN) -m api record --again tests/cassettes/*.yaml

cassettes: $(SYNCED)  ## make the cassettes of scripted models again that have changed, after a changed prompt or tool
	$(RUN) -m tests.doubles.bedrock.record

models: $(SYNCED)  ## write docs/models.md: every model of langchain-aws against the Bedrock double
	$(RUN) -m tests.doubles.bedrock.listed_models > docs/models.md

evals: $(SYNCED)  ## the evaluation cases with the configured model and the scripted ones, into docs/evals.md
	@$(RUN) -m tests.evals.evaluate $(ARGS)

opinion: $(SYNCED)  ## learn the weights of the planner's second opinion again, after a changed text or table
	$(RUN) -m tests.agents.planner.training

kernels: $(SYNCED)  ## compile the kernels that are used most; otherwise each is compiled when it is first needed
	$(RUN) infra/warm.py

docs: $(SYNCED)  ## write docs/settings.md, docs/strategies.md and docs/roles.md from the code
	$(RUN) -m api.settings_page > docs/settings.md
	$(RUN) -m api.strategies_page > docs/strategies.md
	$(RUN) -m api.roles_page > docs/roles.md

examples: $(SYNCED)  ## record the examples of the HTTP interface again, after a changed operation or schema
	$(RUN) -m tests.api.http.record_examples

test: $(SYNCED)  ## all tests, without the benchmarks and the long storms
	$(RUN) -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		-o tmp_path_retention_policy=failed

web: $(SYNCED) $(WEB_SYNCED)  ## the web application from its sources on 127.0.0.1:5173, for a service that make serve runs
	$(NPM) run dev

web-dist: $(SYNCED) $(WEB_SYNCED)  ## build web/dist, which the service serves, from web/src
	$(NPM) run build

check: $(SYNCED) check-web  ## lint, format, types, import rules, generated files, secrets, the web application
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	NODE_OPTIONS=--max-old-space-size=6144 .venv/bin/pyright
	.venv/bin/lint-imports
	@for page in settings strategies roles; do $(RUN) -m api.$${page}_page | diff -u docs/$$page.md - \
		|| { echo "docs/$$page.md is out of date: run make docs"; exit 1; }; done
	@$(RUN) -m api.openapi_document --check
	@$(RUN) -m tests.doubles.bedrock.record --check
	@$(RUN) -m tests.agents.planner.training --check
	$(RUN) .ci/secret_scan.py

check-web: $(SYNCED) $(WEB_SYNCED)
	@$(RUN) -m api.openapi_document > web/openapi.json
	@for step in types typecheck lint format test; do $(NPM) run --silent $$step || exit 1; done
	@$(NPM) run --silent fresh || { echo "web/dist is not what web/src gives: run make web-dist"; exit 1; }

infra-check: $(SYNCED)  ## the stacks of AWS: synthesis of four stages, cdk-nag, cfn-lint, rules, differences to the snapshots
	$(RUN) -m infra.checks

deploy: $(SYNCED)  ## a stage on AWS, such as STAGE=dev; needs Docker and credentials, see docs/deployment.md
	$(RUN) -m infra.deploy $(STAGE) $(ARGS)

infra-snapshots: $(SYNCED)  ## write infra/snapshots after an intended change of the stacks
	$(RUN) -m infra.checks --update

soak: $(SYNCED)  ## the long form of the storms, the fuzz and the fleets
	@if ls tests/soak/test_*.py >/dev/null 2>&1; then $(RUN) -m pytest tests -m soak -s --timeout 0; \
	else echo "nothing to soak yet: the short forms run in make test"; fi

calibration: $(SYNCED)  ## measure how often the verdict errs, into docs/verdict.md; continues where it stopped
	NUMBA_NUM_THREADS=1 $(RUN) -m tests.calibration.calibrate $(ARGS)  # one history a process uses the cores best

bench: $(SYNCED)  ## speed against the peers, into tests/bench/RESULTS.md; takes some minutes
	$(PYTHON) bootstrap.py --group bench --inexact
	OPENBLAS_NUM_THREADS=1 $(RUN) -m pytest tests/bench -m bench -s --timeout 0 --write-results

audit: $(SYNCED)  ## known weaknesses of the dependencies, and what of that cannot be seen without a network
	$(RUN) .ci/audit.py

$(WEB_SYNCED): web/package-lock.json
	$(NPM) ci --no-audit --no-fund
	@touch $@

$(SYNCED): bootstrap.py pyproject.toml uv.lock
	$(PYTHON) bootstrap.py
