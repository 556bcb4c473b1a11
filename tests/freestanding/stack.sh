#!/bin/sh
# Checks that handling a call takes at most 4 KiB of stack, from the session's step to the deepest
# function that the handler calls. The caller's buffers do not count. Measured by the call graph of two
# programs, and by painting the stack with the worst known input. Also tests that both find mistakes.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
limit=4096

fail() {
    echo "stack: $*" >&2
    exit 1
}

if ! command -v python3 >/dev/null || ! command -v objdump >/dev/null; then
    [ "${CI:-}" != true ] || fail "needs python3 and objdump"
    echo "skipped: needs python3 and objdump"
    exit 0
fi

graph() { python3 stack.py "$1" 'service::session::Session(<.*>)?>::step_in::' "$limit"; }
paint() { python3 paint.py "$1" "$limit"; }

named="-Cstrip=none -Csymbol-mangling-version=v0"
./build.sh "$out/named" z "$named" --bin freestanding --bin accounts || fail "does not build"
for program in freestanding accounts; do
    graph "$out/named/$program" || fail "$program takes more stack than allowed"
done
for level in z 3; do
    ./build.sh "$out/painted" "$level" "" --bin freestanding --features painted || fail "does not build"
    paint "$out/painted/freestanding" || fail "freestanding takes more stack than allowed at level $level"
done

# Both must find the array of 4 KiB in this handler.
./build.sh "$out/deep" z "$named" --bin freestanding --features painted,could_be_deep || fail "does not build"
for proof in graph paint; do
    if "$proof" "$out/deep/freestanding" >"$out/found" 2>&1; then
        fail "$proof does not find a large array"
    fi
    grep -q "more than $limit" "$out/found" || fail "$proof fails for another reason: $(cat "$out/found")"
done
echo "stack: all checks passed"
