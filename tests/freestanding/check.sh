#!/bin/sh
# The proofs that need no more than a linker: nothing allocates and nothing panics, at any level
# of optimisation; and that the proofs would notice.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
    echo "freestanding: $*" >&2
    exit 1
}

for level in 1 2 3 s z; do
    ./build.sh "$out/$level" "$level" || fail "something panics, or needs what is not there"
    echo "freestanding: opt-level $level links without panics, allocator and libc:" \
        "$(stat -c %s "$out/$level/freestanding") bytes"
done

# An index that may be out of bounds, and a vector: neither may link.
for mistake in could_panic:nullink_could_panic could_allocate:'no global memory allocator'; do
    if ./build.sh "$out/mistake" z "--cfg ${mistake%%:*}" 2>"$out/errors"; then
        fail "${mistake%%:*} links"
    fi
    grep -q "${mistake#*:}" "$out/errors" || fail "${mistake%%:*} fails for another reason: $(cat "$out/errors")"
done

# It serves.
call() { printf '{"method":"org.example.freestanding.%s"%s}\0' "$1" "${2-}"; }
calls() {
    call Ping ',"parameters":{"ping":"\ud83e\udd80 \u0048i"}'
    call Sum ',"parameters":{"numbers":[1,-2,0],"negate":true}'
    call Sum ',"parameters":{"numbers":[9223372036854775807,1,0]}'
    call Sum ',"parameters":{"numbers":[1,2]}'
    call Keep ',"parameters":{"object":{"a" : [1.50]},"color":"green"}'
    call Keep ',"parameters":{"object":{},"color":"red","ratio":0.30}'
    call Keep ',"parameters":{"object":{},"color":"red","ratio":1e400}'
    call Keep ',"parameters":{"object":{},"color":"red","ration":1}'
    call Count ',"more":true,"parameters":{"n":2}'
    call Count ',"parameters":{"n":2}'
    call Fail
    call Ping ',"oneway":true'
    call Unheard
    call Pipe ',"upgrade":true'
    printf 'raw bytes'
}
expected='{"parameters":{"pong":"🦀 Hi"}}
{"parameters":{"sum":1,"numbers":[1,-2]}}
{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"numbers"}}
{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"numbers"}}
{"parameters":{"object":{"a" : [1.50]},"color":"green"}}
{"parameters":{"object":{},"color":"red","ratio":0.30}}
{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"ratio"}}
{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"ration"}}
{"continues":true,"parameters":{"i":0}}
{"parameters":{"i":1}}
{"error":"org.varlink.service.ExpectedMore"}
{"error":"org.example.freestanding.Failed","parameters":{"why":"too long"}}
{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"org.example.freestanding.Unheard"}}
{}
raw bytes'
for level in 1 2 3 s z; do
    answers=$(calls | "$out/$level/freestanding" | tr '\0' '\n')
    [ "$answers" = "$expected" ] || fail "it answers: $answers"
    # A message that is none ends it, behind the replies that are due.
    answers=$({ call Pipe; printf 'nonsense\0'; call Pipe; } | "$out/$level/freestanding" | tr '\0' '\n') || true
    [ "$answers" = '{"error":"org.varlink.service.ExpectedUpgrade"}' ] || fail "it answers: $answers"
done

# One call is one read and one write; and there is no other system call, of memory least of all.
if command -v strace >/dev/null; then
    call Ping ',"parameters":{"ping":"x"}' >"$out/call"
    strace -o "$out/trace" "$out/z/freestanding" <"$out/call" >/dev/null
    calls=$(sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' "$out/trace" | tr '\n' ' ')
    [ "$calls" = "execve read write read exit " ] || fail "it makes the system calls $calls"
elif [ "${CI:-}" = true ]; then
    fail "needs strace"
else
    echo "skipped: needs strace"
fi
echo "freestanding: all is well"
