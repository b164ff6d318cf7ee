# Jifendai 积分贷: the two commands are `make run` and `make test`.
# On the machine: make and Python 3.11 or newer, nothing else. 只需要 make 与 Python 3.11 以上。

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# Each candidate is run, not merely looked up: version managers put shims on PATH that exist and fail.
PYTHON ?=
CANDIDATES := $(strip $(PYTHON) python3.13 python3.12 python3.11 python3 python)

VENV := .venv
BIN := $(VENV)/bin
# A lock names versions and hashes, never an index: the machine's own pip configuration decides where packages come from.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-input
COMPILE := .cache/lock/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --only-binary :all:

help: ## this list 本说明
	@echo "Jifendai 积分贷"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

run: install ## serve http://127.0.0.1:8000 with demo keys 启动演示服务
	@JIFENDAI_DEMO=1 $(BIN)/jifendai serve

# More workers than cores: many tests wait for processes, disks and browsers.
test: install-dev ## every test, on both databases 运行全部测试
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)

lint: install-dev ## tidiness only: ruff and the rooms 只查整洁与分层
	@$(BIN)/ruff check . && $(BIN)/python -m pytest -q tests/test_house.py

bench: install-bench ## measurements side by side with other designs 并列性能对比
	@$(BIN)/python -m benchmarks $(ARGS)

soak: install-dev ## the long harnesses, full counts (hours) 长时间可靠性测试
	@JIFENDAI_SOAK=1 $(BIN)/python -m pytest -m soak --timeout=0 $(ARGS)

openapi: install ## write openapi.yaml anew 重新生成 openapi.yaml
	@$(BIN)/jifendai openapi > openapi.yaml.new && mv openapi.yaml.new openapi.yaml && echo "openapi.yaml written 已生成"

# What npm writes about sponsors is all addresses; the lock keeps names, versions and hashes.
define UNFUND
const fs = require("fs"), name = "package-lock.json", lock = JSON.parse(fs.readFileSync(name));
for (const one of Object.values(lock.packages)) delete one.funding;
fs.writeFileSync(name, JSON.stringify(lock, null, 2) + "\n");
endef
export UNFUND

lock: python-found ## newest versions into the three locks 更新依赖锁定文件
	@echo "Resolving the newest versions 正在解析最新版本 …"
	@test -x .cache/lock/bin/uv || { mkdir -p .cache && $(FIND_PYTHON) && "$$found" -m venv .cache/lock; }
	@.cache/lock/bin/python -m pip --disable-pip-version-check install --quiet --upgrade uv
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	@$(COMPILE) --group bench --constraint requirements.lock --constraint requirements-dev.lock --output-file requirements-bench.lock
	@if npm --version >/dev/null 2>&1; then echo "Node tools of the tests 测试用 Node 工具 …"; \
	  cd tests/contract && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error >/dev/null && \
	  node -e "$$UNFUND"; \
	else echo "No npm: tests/contract/package-lock.json stays as it is 未安装 npm，保持不变"; fi
	@if grep -n '://' tests/contract/package-lock.json requirements*.lock; then echo "a lock names an address 锁定文件含有地址" >&2; exit 1; fi
	@echo "Locked 已锁定: $$(grep -c == requirements.lock) to run 运行, $$(grep -c == requirements-dev.lock) to test 测试"

clean: ## remove the environment and caches; data stays 清除环境与缓存，数据不动
	@rm -rf $(VENV) .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find app tests benchmarks migrations -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
	@echo "clean 已清除"

# ---- the environment ------------------------------------------------------------------------------------------------

# Sets $$found to the first candidate that runs, is new enough and can make an environment.
FIND_PYTHON = found=; for candidate in $(CANDIDATES); do \
	  if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	  then found=$$candidate; break; fi; \
	done; test -n "$$found"

python-found:
	@$(FIND_PYTHON) || { \
	  echo "No Python 3.11 or newer was found that can make an environment (tried: $(CANDIDATES))."; \
	  echo "  Debian, Ubuntu: apt install python3 python3-venv    macOS: brew install python@3.13"; \
	  echo "  Or name one: make run PYTHON=/path/to/python3"; \
	  echo "没有找到可用的 Python 3.11 或更高版本（已尝试：$(CANDIDATES)）。"; \
	  echo "  Debian、Ubuntu：apt install python3 python3-venv    macOS：brew install python@3.13"; \
	  echo "  也可以指定：make run PYTHON=/路径/python3"; exit 1; } >&2

# An environment that no longer runs (its Python went away, or the folder was moved) is made anew.
venv:
	@if ! $(BIN)/python -c '' >/dev/null 2>&1 || [ "$$(cat $(VENV)/folder 2>/dev/null)" != "$$PWD" ]; then \
	  $(MAKE) --no-print-directory python-found && $(FIND_PYTHON) && \
	  echo "Making the environment in $(VENV) with $$found 正在创建运行环境 …" && \
	  "$$found" -m venv --clear $(VENV) && printf '%s\n' "$$PWD" > $(VENV)/folder; \
	fi

# $(call install_lock,LOCK): does nothing when this very lock is what was installed last time.
define install_lock
	@if ! cmp -s $(1) $(VENV)/installed-$(1); then \
	  echo "Installing $$(grep -c == $(1)) pinned packages from $(1), less than a minute 正在安装依赖，不到一分钟 …"; \
	  $(PIP_INSTALL) --require-hashes --only-binary :all: -r $(1) && cp $(1) $(VENV)/installed-$(1) && echo "Installed 依赖已就绪"; \
	fi
	@if ! cmp -s pyproject.toml $(VENV)/installed-pyproject.toml; then \
	  $(PIP_INSTALL) --no-deps --no-build-isolation --no-index -e . && cp pyproject.toml $(VENV)/installed-pyproject.toml; \
	fi
endef

install: venv
	$(call install_lock,requirements.lock)

install-dev: venv
	$(call install_lock,requirements-dev.lock)

install-bench: venv
	$(call install_lock,requirements-bench.lock)

.PHONY: help run test lint bench soak openapi lock clean python-found venv install install-dev install-bench
