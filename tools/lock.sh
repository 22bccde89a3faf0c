#!/bin/sh
# The locks: every package with its version, for each Python and platform, made of the requirements.
#   lock.sh          write them; versions that still fit stay
#   lock.sh check    fail when one does not say what the requirements ask for (needs no network)
set -eu

UV=${VENV:-.venv}/bin/uv
MISSING="与要求不符，请执行 make lock 并提交"

compile() { # LOCK FILE…
    lock=$1
    shift
    "$UV" pip compile --quiet --universal --python-version 3.11 --override overrides.txt \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file "$lock" "$@"
}

# A lock names the text that it is made of: a change to that is seen without asking a registry.
digest() { # FILE…
    cat overrides.txt "$@" | grep -v '^ *#' | grep -v '^ *$' | sha256sum | cut -c 1-64
}

each() { # LOCK FILE…
    lock=$1
    shift
    line="# made by make lock of: $* ($(digest "$@"))"
    if [ "$action" = check ]; then
        [ "$(head -n 1 "$lock")" = "$line" ] || { echo "$lock $MISSING" >&2; exit 1; }
        return
    fi
    compile "$lock" "$@"
    { echo "$line"; grep -v '^#' "$lock"; } >"$lock.new"
    mv "$lock.new" "$lock"
}

action=${1:-write}
each requirements.lock requirements.txt
each requirements-filing.lock requirements.txt requirements-filing.txt
each requirements-dask.lock requirements.txt requirements-dask.txt
each requirements-test.lock requirements.txt requirements-filing.txt requirements-dask.txt requirements-test.txt
each requirements-docs.lock requirements-docs.txt
each requirements-node.lock requirements-node.txt
