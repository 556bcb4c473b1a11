#!/bin/sh
# Checks the examples for initramfs built for musl: they are static, and pass the tests of the ordinary
# examples.
set -eu
cd "$(dirname "$0")/../.."

fail() {
    echo "musl: $*" >&2
    exit 1
}

skip() {
    [ "${CI:-}" != true ] || fail "needs $1"
    echo "skipped: needs $1"
    exit 0
}

for tool in readelf python3; do
    command -v "$tool" >/dev/null || skip "$tool"
done
if ! [ -d "$(rustc --print target-libdir --target x86_64-unknown-linux-musl)" ]; then
    command -v musl-gcc >/dev/null && [ -d /usr/lib/rustlib/src ] && [ -x /usr/bin/cargo ] ||
        skip "std for x86_64-unknown-linux-musl: see build.sh"
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
tests/musl/build.sh "$out" accounts monitor init resolver || fail "does not build"

for program in "$out"/*; do
    # A static program has no interpreter, and needs no library.
    needs=$(readelf -ldW "$program" | grep -E '\<INTERP\>|\(NEEDED\)') && fail "not static: $program: $needs"
    echo "musl: ${program##*/} takes $(stat -c %s "$program") bytes"
done

memory=$(python3 tests/freestanding/accounts.py "$out/accounts") || fail "accounts does not serve"
echo "musl: accounts uses $memory KiB of memory for 8 connections, in turn and at once"

export NULLINK_EXAMPLES="$out"
for tests in "processes examples::accounts_serves" "activation a_program_serves" \
    "processes -- monitor::follow_prints monitor::wrong_arguments" "processes resolver::" "processes init::"; do
    # A test binary, and optionally the beginnings of test names.
    cargo test --quiet --locked --test $tests >"$out.log" 2>&1 || fail "$tests: $(cat "$out.log")"
    grep -q '^test result: ok. [1-9]' "$out.log" || fail "no tests named $tests"
done
rm -f "$out.log"
echo "musl: all checks passed"
