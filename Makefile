# Everything runs in this folder's own .venv and by relative paths, so the checkout may lie anywhere.
PYTHON ?= python3
LABKIT_LANG ?= zh
NOTEBOOK ?= notebooks/$(LABKIT_LANG)/00_start_here.ipynb
ARGS ?=
# One compute thread a worker (tests/conftest.py): models this small gain nothing from a second. WORKERS= runs in one process.
WORKERS ?= -n logical --maxprocesses 4 --dist loadfile
RUN = .venv/bin/python
WIDGETS7 = test -d .venv/widgets7 || $(RUN) -m pip install -q --target .venv/widgets7 --no-deps ipywidgets==7.7.1 ipython_genutils
CODE = labkit exercises/checks tests tools notebooks solutions

.DEFAULT_GOAL := help
.PHONY: help lab demo test unit test-widgets7 test-colab test-newest check mutate notebooks bench wheel pack clean

help:
	@echo "make lab             打开第一本笔记        open JupyterLab on the first notebook (LABKIT_LANG=en, NOTEBOOK=..., NO_BROWSER=1)"
	@echo "make demo            不开浏览器看结果      compare strategies on the packaged reviews, without a browser"
	@echo "make test            所有测试和笔记        run every test and every notebook (ARGS=...)"
	@echo "make unit            只跑单元测试          the unit tests alone: no browser, no other processes, no notebooks"
	@echo "make test-widgets7   用旧版控件再测面板    test the panels with ipywidgets 7.7.1, as Colab has it"
	@echo "make test-colab      在 Colab 的版本下测试  what the platform decides: panels, models, strategies, figures, two notebooks"
	@echo "                     COLAB_TESTS=tests 全测  with Colab's versions (COLAB_TESTS=tests for every unit test)"
	@echo "make test-newest     最新版本出问题了吗    the same payload on the tested and on the newest versions (PIN=...)"
	@echo "make check           检查代码风格          lint, and check the format"
	@echo "make mutate          攻击练习的检查        change each solution in every way: does its check notice? (ARGS=01)"
	@echo "make notebooks       重建笔记              build the notebooks from their sources (LABKIT_SOURCE=... for Colab)"
	@echo "make bench           测速度                measure the speed on this machine"
	@echo "make wheel           给 Colab 的一个文件   one file for Colab: dist/labkit-….whl"
	@echo "make pack            课堂离线安装包        one archive for a classroom without a network"
	@echo "make clean           删除环境和缓存        remove .venv and caches; runs/ and out/ stay"

lab: .venv/.ready-lab
	@test -f "$(NOTEBOOK)" || { echo "没有这本笔记 no such notebook: $(NOTEBOOK)" >&2; exit 1; }
	@set -- "--LabApp.default_url=/lab/tree/$(NOTEBOOK)"; \
	if [ "$$(id -u)" = 0 ]; then set -- --allow-root "$$@"; fi; \
	if [ -n "$(NO_BROWSER)" ]; then set -- --no-browser "$$@"; fi; \
	echo "JupyterLab 的网址见下，按 Ctrl+C 结束。 JupyterLab prints its URL below; Ctrl+C ends it."; \
	exec $(RUN) -m jupyterlab "$$@"

demo: .venv/.ready-core
	$(RUN) -m labkit demo

test: .venv/.ready-test
	-@$(WIDGETS7)
	@unset MPLBACKEND; $(RUN) -m pytest $(WORKERS) $(ARGS)

test-widgets7: .venv/.ready-test
	@$(WIDGETS7)
	PYTHONPATH=.venv/widgets7 $(RUN) -m pytest tests/ui -m "not integration"

# Colab's Python is 3.13; another may be named: make test-colab COLAB_PYTHON=python3.12
COLAB_PYTHON ?= python3.13
# What Colab's widgets, peft, torchao and matplotlib may break; all unit tests together take far longer than a quarter of an hour.
COLAB_TESTS ?= tests/ui tests/models tests/strategies tests/plots tests/house/test_colab_cell.py
# The extras that unit tests use, and what they and notebooks are run with; browsers and nbgrader stay out.
COLAB_EXTRAS = lab,hub,excel,cluster,serve,export,speech
COLAB_NEEDS = httpx jupytext nbclient nbformat nbval nervaluate notebook prometheus_client pytest pytest-xdist torchao
# Libraries as old as Colab's warn of one another, which is no error of ours.
COLAB_TEST = .venv-colab/bin/python -m pytest -W default
test-colab: .venv-colab/.ready
	@unset MPLBACKEND; $(COLAB_TEST) $(COLAB_TESTS) -m "not integration" $(WORKERS) $(ARGS)
	@unset MPLBACKEND; $(COLAB_TEST) tests/models/test_old_torchao.py notebooks/zh/01_first_finetune.ipynb notebooks/en/03_training_a_sliver.ipynb

.venv-colab/.ready: constraints-colab.txt pyproject.toml
	"$(COLAB_PYTHON)" -m venv .venv-colab
	.venv-colab/bin/python -m pip install --disable-pip-version-check -q -c constraints-colab.txt -e ".[$(COLAB_EXTRAS)]" $(COLAB_NEEDS)
	@touch $@

test-newest: .venv/.ready-test
	@unset MPLBACKEND; $(RUN) tools/canary.py $(foreach pin,$(PIN),--pin "$(pin)") $(ARGS)

unit: .venv/.ready-test
	@unset MPLBACKEND; $(RUN) -m pytest tests -m "not integration" $(WORKERS) $(ARGS)

check: .venv/.ready-test
	$(RUN) -m ruff check $(CODE)
	$(RUN) -m ruff format --check $(CODE)

mutate: .venv/.ready-test
	$(RUN) tools/mutate.py $(ARGS)

notebooks: .venv/.ready-test
	@unset MPLBACKEND; $(RUN) tools/build_notebooks.py $(if $(LABKIT_SOURCE),--source "$(LABKIT_SOURCE)")

bench: .venv/.ready-test
	$(RUN) tools/bench.py

wheel: .venv/.ready-core
	@rm -f dist/labkit-*.whl
	@$(RUN) -m pip wheel --disable-pip-version-check -q --no-deps -w dist .
	@rm -rf build
	@ls dist/labkit-*.whl
	@echo "在 Colab 里：运行笔记的第一格，在对话框里选这个文件；或放到 Google Drive 里挂载（MyDrive 或它的一个文件夹）。"
	@echo "In Colab: run a notebook's first cell and choose this file in the dialog; or put it on a mounted Google Drive (MyDrive or a folder in it)."

pack: .venv/.ready-test
	$(RUN) tools/make_pack.py

clean:
	rm -rf .venv .venv-colab .venv-newest build dist labkit.egg-info .pytest_cache .ruff_cache
	find labkit tests tools notebooks -name __pycache__ -prune -exec rm -rf {} +

# A stamp is written last: an install that was interrupted goes on at the next call.
.venv/.made:
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
	echo "需要 Python 3.11 到 3.13；$(PYTHON) 不可用或版本不合。请安装，或指定：make $(MAKECMDGOALS) PYTHON=python3.12"; \
	echo "Python 3.11 to 3.13 is needed; $(PYTHON) is missing or another version. Install one, or name it: make $(MAKECMDGOALS) PYTHON=python3.12"; \
	exit 1; } >&2
	"$(PYTHON)" -m venv .venv
	@touch $@

.venv/.ready-%: .venv/.made pyproject.toml constraints.txt
	$(RUN) -m pip install --disable-pip-version-check -c constraints.txt -e ".$(if $(filter-out core,$*),[$*])"
	@touch $@
