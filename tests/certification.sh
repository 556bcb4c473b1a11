#!/bin/sh
# Certifies both sides with the Python reference: its client calls our service, and ours its service.
#
#   tests/certification.sh PYTHON      a Python that has the package varlink
set -eu
cd "$(dirname "$0")/.."
python=$1
directory=$(mktemp -d)
pid=
finish() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$directory"
}
trap finish EXIT

cargo build --quiet --locked --example certification
ours=${CARGO_TARGET_DIR:-target}/debug/examples/certification
theirs="$python -u -m varlink.tests.test_certification"

wait_for() {
    for _ in $(seq 300); do
        [ ! -S "$1" ] || return 0
        sleep 0.1
    done
    echo "certification: no service listens at $1" >&2
    return 1
}

echo "certification: the reference's client, our service"
"$ours" "unix:$directory/ours" &
pid=$!
wait_for "$directory/ours"
# That client prints the reply to End, but does not check it.
$theirs --client "--varlink=unix:$directory/ours" >"$directory/log" || {
    cat "$directory/log"
    exit 1
}
grep -qx "End: {'all_ok': True}" "$directory/log" || {
    cat "$directory/log"
    exit 1
}
kill "$pid"

echo "certification: our client, the reference's service"
$theirs "--varlink=unix:$directory/theirs" >/dev/null &
pid=$!
wait_for "$directory/theirs"
"$ours" --client "unix:$directory/theirs" >"$directory/log" || {
    cat "$directory/log"
    exit 1
}
grep -qx "all_ok: true" "$directory/log"
echo "certification: all_ok on both sides"
