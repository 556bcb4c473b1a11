#!/bin/sh
# Judges Nullink with the conformance suite, and the Python reference, whose result is known.
#
#   tests/conformance/check.sh PYTHON      a Python that has the package varlink, version 31
set -eu
cd "$(dirname "$0")/../.."
python=$1
peers=tests/conformance/peers/python
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

cargo build --quiet --locked --features tools --example conform --example conformance
examples=${CARGO_TARGET_DIR:-target}/debug/examples
conform=$examples/conform
ours=$examples/conformance

# The port is one that the kernel does not give to others.
port=17320
for address in "unix:$directory/t" "unix:@nullink-conform-$$" "tcp:127.0.0.1:$port"; do
    echo "conformance: the service at $address"
    "$conform" --strict --limit 16384 "$address" -- "$ours" "$address" >"$directory/log" || {
        grep -v ' pass - ' "$directory/log"
        exit 1
    }
    tail -n 1 "$directory/log"
done
echo "conformance: the client"
"$conform" --strict --client "unix:$directory/c" -- "$ours" --client "unix:$directory/c" \
    >"$directory/log" || {
    grep -v ' pass - ' "$directory/log"
    exit 1
}
tail -n 1 "$directory/log"

# A suite in which nothing fails shows nothing: these are the ids of the reference's failures.
known() {
    echo "conformance: the reference's $1"
    status=0
    "$conform" $3 "unix:$directory/p" -- "$python" "$peers/$1.py" "unix:$directory/p" \
        >"$directory/log" || status=$?
    [ "$status" = 1 ] || {
        echo "conformance: exit status $status, not 1" >&2
        exit 1
    }
    tail -n 1 "$directory/log"
    failed=$(sed -n 's/ FAIL - .*//p' "$directory/log" | sort -u | tr '\n' ' ')
    [ "$failed" = "$2" ] || {
        echo "conformance: $failed fail, not $2" >&2
        exit 1
    }
}
known service "C1 C2 C7 F3 M1 M5 M7 S4 W5 " ""
known client "F3 R3 " --client
