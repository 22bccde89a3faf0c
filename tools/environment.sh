#!/bin/sh
# The Python environment that the Makefile works in, step by step:
#   environment.sh python                       make .venv, with uv where the system's Python is too old
#   environment.sh uv                           put uv into it
#   environment.sh packages SENTENCE -r FILE…   install what the files name
#   environment.sh page install|build           the page's packages, and the page
# Each step prints one line; what the programs said is shown when they fail, and then one sentence on what to do.
# pip's index (PIP_INDEX_URL, `pip config`) and its certificates (PIP_CERT) are handed on to uv, which does not read
# them by itself.
set -eu

VENV=${VENV:-.venv}
PY=${PACKAGES_INTO:-$VENV}/bin/python
WANTED=3.11 # what uv fetches: the version that the tests run on
RECIPE="下载不了就自己装 Python 3.11 或更高再 make run（Ubuntu 22.04：apt-get install python3.11 python3.11-venv），\
或设 UV_PYTHON_INSTALL_MIRROR 为 python-build-standalone 的镜像地址"
NETWORK='dns error|resolve|resolution|[Cc]onnect|timed out|error sending request|[Ff]ailed to (fetch|download)'

CERTIFICATE='UnknownIssuer|[Cc]ertificate|CERTIFICATE'

fail() {
    echo "$1" >&2
    exit 1
}

# The seconds that a step takes, where somebody looks on: a slow network and a hanging one look alike otherwise.
tick() {
    began=$(date +%s)
    while kill -0 $$ 2>/dev/null; do
        printf '\r== %s（%s 秒）' "$1" $(($(date +%s) - began))
        sleep 1
    done
}

step() { # SENTENCE COMMAND…
    sentence=$1
    shift
    printed=$(mktemp)
    ticker=
    trap 'rm -f "$printed"; [ -z "$ticker" ] || kill "$ticker" 2>/dev/null' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [ -t 1 ]; then
        tick "$sentence" &
        ticker=$!
    else
        echo "== $sentence"
    fi
    status=0
    "$@" >"$printed" 2>&1 </dev/null || status=$?
    if [ -n "$ticker" ]; then
        kill "$ticker" 2>/dev/null || true
        wait "$ticker" 2>/dev/null || true
        ticker=
        echo
    fi
    if [ "$status" -ne 0 ]; then
        cat "$printed" >&2
        [ -z "${TELL:-}" ] || cp "$printed" "$TELL"
        failure=other
        ! grep -qE "$NETWORK" "$printed" || failure=network
        ! grep -qE "$CERTIFICATE" "$printed" || failure=certificate
    fi
    rm -f "$printed"
    return "$status"
}

# Why packages could not be had, after the program's own words.
explain() {
    if [ "${failure:-}" = network ]; then
        fail "连不上软件源：检查网络与代理（https_proxy），或用镜像：make run PIP_INDEX_URL=https://镜像/simple"
    fi
    if [ "${failure:-}" = certificate ]; then
        fail "软件源的证书不被承认（多半是公司的代理）：把它的根证书写成 PEM 文件，再 make run SSL_CERT_FILE=文件"
    fi
    fail "没有装成，原因见上面"
}

find_python() {
    for python in ${PYTHON:-} python3.11 python3 python3.12 python3.13; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
}

make_venv() {
    found=$(find_python)
    if [ -z "$found" ]; then
        fetch_python
    elif ! step "建立 $VENV：$found" "$found" -m venv "$VENV"; then
        rm -rf "$VENV"
        fail "venv 不可用：请安装 python3-venv（Debian：apt-get install python3-venv）"
    fi
}

fetch_python() {
    uv=$(command -v uv || true)
    if [ -z "$uv" ]; then
        command -v python3 >/dev/null ||
            fail "需要 Python 3.11 或更高：请安装 python3（Debian 12：apt-get install python3 python3-venv）"
        old=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "== 系统的 Python 是 $old，需要 3.11 或更高：用 uv 另取一个"
        folder=$(mktemp -d)
        if ! step "取 uv" get_uv "$folder"; then
            rm -rf "$folder"
            fail "取不到 uv（先装 python3-venv 再试）。$RECIPE"
        fi
        uv=$folder/bin/uv
    fi
    status=0
    step "用 uv 取 Python $WANTED，建立 $VENV" "$uv" venv --python "$WANTED" "$VENV" || status=$?
    rm -rf "${folder:-}"
    if [ "$status" -ne 0 ]; then
        rm -rf "$VENV"
        fail "uv 没有取到 Python $WANTED。$RECIPE"
    fi
}

get_uv() { # FOLDER
    python3 -m venv "$1" && "$1/bin/python" -m pip install --disable-pip-version-check 'uv>=0.5,<1'
}

put_uv() {
    [ ! -x "$VENV/bin/uv" ] || return 0
    "$PY" -m pip --version >/dev/null 2>&1 || step "安装 pip" "$PY" -m ensurepip || explain
    step "安装 uv" "$PY" -m pip install --disable-pip-version-check 'uv>=0.5,<1' || explain
}

hand_on_the_index() {
    [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] || return 0
    index=${PIP_INDEX_URL:-$("$PY" -m pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
}

hand_on_the_certificates() {
    [ -z "${SSL_CERT_FILE:-}" ] || return 0
    certificates=${PIP_CERT:-$("$PY" -m pip config get global.cert 2>/dev/null || true)}
    [ ! -f "$certificates" ] || export SSL_CERT_FILE="$certificates"
}

hand_on_the_certificates_to_node() {
    hand_on_the_certificates
    [ -n "${NODE_EXTRA_CA_CERTS:-}" ] || [ -z "${SSL_CERT_FILE:-}" ] || export NODE_EXTRA_CA_CERTS="$SSL_CERT_FILE"
}

packages() { # SENTENCE -r FILE…
    sentence=$1
    shift
    hand_on_the_index
    hand_on_the_certificates
    source=${UV_DEFAULT_INDEX:-}
    [ -z "$source" ] || sentence="$sentence，来自 $(echo "$source" | sed 's#//[^/@]*@#//#')"
    step "$sentence" "$VENV/bin/uv" pip install --python "$PY" --override overrides.txt "$@" || explain
    step "编译成字节码，约 10 秒" \
        "$VENV/bin/uv" pip install --compile-bytecode --python "$PY" --override overrides.txt "$@" || explain
}

# What becomes of it is kept where the server's `/` shows it. A mirror is npm's own setting (npm_config_registry).
page() { # install|build
    TELL=page/not-built.txt
    rm -f "$TELL"
    hand_on_the_certificates_to_node
    case $1 in
    install) step "取网页的依赖（npm），约半分钟" sh tools/node.sh install || fail "网页的依赖没有取到，原因见上面；镜像：npm_config_registry=https://镜像 make page" ;;
    build) step "构建网页，几秒" sh tools/node.sh build || fail "网页没有构建成，原因见上面" ;;
    esac
}

case ${1:-} in
python) make_venv ;;
uv) put_uv ;;
packages)
    shift
    packages "$@"
    ;;
page) page "$2" ;;
*) fail "environment.sh python | uv | packages SENTENCE -r FILE… | page install|build" ;;
esac
