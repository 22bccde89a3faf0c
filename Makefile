# 两条命令：make run（准备环境并启动）、make test（准备环境并测试）。Two commands: make run, make test.
# make help 列出其余的。PYTHON=… 可指定解释器（3.11 或更高）。

VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=

.PHONY: help run page page-check page-types test lint unit bench docs lock test-full ctp uwsgi stop clean
.DEFAULT_GOAL := help

help:
	@echo "make run        准备环境并启动（ARGS='--port 8000' 传参）   set up and start the server"
	@echo "make page       构建网页（make run 会先做）                 build the page; make run does so first"
	@echo "make test       准备环境，检查并测试，数分钟               set up, lint, type-check and test"
	@echo "make lint       ruff、mypy，锁定的版本是否过时              lint, format, types, stale locks"
	@echo "make unit       只跑单元测试，半分钟                       the unit tests, without those of properties or recordings"
	@echo "make bench      几项短的测速                               the short benchmarks"
	@echo "make page-types 网页里接口的类型，改了接口之后              write the types of the API for the page anew"
	@echo "make docs       文档做成网站，在 build/site                 the documents as a site"
	@echo "make lock       按 requirements*.txt 重新锁定版本           lock the versions anew"
	@echo "make test-full  另加原生编译、uWSGI、浏览器、长时间的测试   native build, uWSGI, a browser, long runs too"
	@echo "make ctp        编译安装 CTP 原生接口 ctpbee_api           build the native part for interface=ctp"
	@echo "make uwsgi      编译安装 uWSGI 与 gevent（uwsgi.ini 用）     what uwsgi.ini needs"
	@echo "make stop       结束仍在运行的进程                         end whatever still runs"
	@echo "make clean      删除环境与缓存，不动数据                   remove the environment, never the data"

run: $(VENV)/.ready
	@$(MAKE) --silent --no-print-directory page || { \
	    [ ! -e page/dist/index.html ] && echo "== 没有网页，服务器照常启动；浏览器打开它的地址，有说明" || \
	    echo "== 网页没有更新：用的还是上次构建成的"; } >&2
	@exec $(PY) run.py $(ARGS)

stop:
	@if [ -x $(PY) ]; then $(PY) run.py stop $(ARGS); else echo "还没有 $(VENV)，没有在运行的进程"; fi

lint: $(VENV)/.ready-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy app benchmarks run.py
	@sh tools/lock.sh check

unit: $(VENV)/.ready-test
	$(PY) -m pytest -q -n 2 --dist loadfile -m "not full and not hypothesis and not recorded" tests/unit $(ARGS)

bench: $(VENV)/.ready-test
	$(PY) -m benchmarks.orders
	$(PY) -m benchmarks.bars --seconds 1
	$(PY) -m benchmarks.ticks --clients 10 --seconds 1 --only plain ticks

docs: $(VENV)/.ready-docs
	@rm -rf build/pages && mkdir -p build/pages
	@cp -r *.md docs strategies deploy LICENSE build/pages
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/python -m mkdocs build --strict
	@echo "文档在 build/site/index.html"

lock: $(VENV)/.uv
	@sh tools/lock.sh

page: page/dist/index.html

# The types of rows and events that page/src/api/types.ts has, from what the server says of itself.
build/openapi.json: FORCE | $(VENV)/.ready
	@mkdir -p build
	@$(PY) -m app.views.openapi >$@

FORCE:

page-types: page/node_modules/.ready build/openapi.json
	sh tools/node.sh npm run --silent types

page-check: page/node_modules/.ready build/openapi.json
	@sh tools/node.sh npm run --silent types -- --check || { \
	    echo "page/src/api/types.ts 与接口不符：执行 make page-types" >&2; exit 1; }
	sh tools/node.sh npm run --silent check

test: lint page-check
	$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

uwsgi: $(VENV)/.ready-uwsgi

test-full: $(VENV)/.ready-test $(VENV)/.ready-uwsgi ctp page
	@for tool in chromium chromedriver go; do command -v $$tool >/dev/null || { \
	    echo "缺少 $$tool（Debian：apt-get install chromium chromium-driver golang-go）" >&2; exit 1; }; done
	@echo "== FerretDB：首次编译一两分钟"
	@$(PY) -m tests.support.mongodb
ifeq ($(ARGS),)
	$(PY) -m pytest -m "full and not alone" -n 2 --dist loadfile --no-loadscope-reorder
	$(PY) -m pytest -m "full and alone"
else
	$(PY) -m pytest -m full $(ARGS)
endif

# The environment. Each stamp depends on what it installs from: a second run has nothing to do.

export VENV
ENVIRONMENT := sh tools/environment.sh

$(PY):
	@$(ENVIRONMENT) python

$(VENV)/.uv: | $(PY)
	@$(ENVIRONMENT) uv
	@touch $@

$(VENV)/.ready: requirements.lock overrides.txt $(VENV)/.uv
	@$(ENVIRONMENT) packages "安装依赖（不需要编译器），网络快时一两分钟" -r requirements.lock
	@touch $@

$(VENV)/.ready-test: requirements-test.lock $(VENV)/.ready
	@$(ENVIRONMENT) packages "安装测试工具" -r requirements-test.lock
	@touch $@

# The documents' tools have an environment of their own: what they bring is not for the server.
$(VENV)/.ready-docs: requirements-docs.lock $(VENV)/.uv
	@$(PY) -m venv --without-pip $(VENV)/docs
	@PACKAGES_INTO=$(VENV)/docs $(ENVIRONMENT) packages "安装文档工具" -r requirements-docs.lock
	@touch $@

# Node for the page, by a wheel: the system needs none, and an old one does no harm.
$(VENV)/.ready-node: requirements-node.lock $(VENV)/.uv
	@$(PY) -m venv --without-pip $(VENV)/node
	@TELL=page/not-built.txt PACKAGES_INTO=$(VENV)/node $(ENVIRONMENT) packages "取 Node（网页用），约 60 MB" -r requirements-node.lock
	@touch $@

page/node_modules/.ready: page/package-lock.json $(VENV)/.ready-node
	@$(ENVIRONMENT) page install
	@touch $@

# Folders too: of a file that is gone its folder tells.
page/dist/index.html: page/node_modules/.ready $(wildcard page/*.html) page/vite.config.ts $(shell find page/src page/public page/vite)
	@$(ENVIRONMENT) page build

# Built without OpenSSL, uWSGI refuses every WebSocket. An earlier build may lie in uv's cache.
WITH_WEBSOCKET = $(VENV)/bin/uwsgi --help 2>/dev/null | grep -q -e --ssl-verbose

$(VENV)/.ready-uwsgi: requirements-uwsgi.txt $(VENV)/.ready
	@echo '#include <openssl/ssl.h>' | $(CC) -E - >/dev/null 2>&1 || { \
	    echo "缺少 C 编译器或 OpenSSL 头文件（没有它 uWSGI 不能用 WebSocket）：请安装 gcc 与 libssl-dev（Debian：apt-get install gcc libssl-dev）" >&2; exit 1; }
	@$(ENVIRONMENT) packages "编译安装 uWSGI，约一分钟" -r requirements-uwsgi.txt
	@$(WITH_WEBSOCKET) || { \
	    echo "== 先前编译的 uWSGI 不带 OpenSSL：重新编译"; \
	    $(VENV)/bin/uv cache clean uwsgi; \
	    $(VENV)/bin/uv pip install --compile-bytecode --python $(PY) --reinstall-package uwsgi -r requirements-uwsgi.txt; }
	@$(WITH_WEBSOCKET) || { echo "uWSGI 装上了，但不带 OpenSSL，不能用 WebSocket" >&2; exit 1; }
	@touch $@

NATIVE = $(PY) -c 'import ctpbee_api.ctp' 2>/dev/null

ctp: $(VENV)/.ready
	@$(NATIVE) || g++ --version >/dev/null 2>&1 || { \
	    echo "缺少 C++ 编译器：请安装 g++（Debian：apt-get install g++）" >&2; exit 1; }
	@$(NATIVE) || $(PY) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' || { \
	    echo "缺少 Python 头文件：请安装 python3-dev（Debian：apt-get install python3-dev）" >&2; exit 1; }
	@$(PY) -c 'import locale; locale.setlocale(locale.LC_ALL, "zh_CN.GB18030")' 2>/dev/null || { \
	    echo "系统缺少 zh_CN.GB18030，CTP 的文字要用它解码。Debian：" >&2; \
	    echo "  apt-get install locales && echo 'zh_CN.GB18030 GB18030' >> /etc/locale.gen && locale-gen" >&2; exit 1; }
	@$(NATIVE) || { \
	    echo "== 编译 ctpbee_api，约三分钟；下面是编译器的输出"; \
	    $(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip; \
	    $(PY) -m pip install --disable-pip-version-check --verbose -r requirements-ctp.txt; }
	@$(NATIVE) || { echo "ctpbee_api 装上了，但载入失败：" >&2; $(PY) -c 'import ctpbee_api.ctp'; exit 1; }
	@echo "ctpbee_api 已就绪：登录时用 interface=ctp"

clean:
	rm -rf $(VENV) page/node_modules page/dist page/dist.new page/dist.old page/not-built.txt .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
