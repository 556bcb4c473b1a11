# Functions for check.sh and aarch64.sh, which source this file in this directory. They set $out to a
# temporary directory.

fail() {
    echo "freestanding: $*" >&2
    exit 1
}

# skip TOOL: skips the checks because a tool is missing. In CI that is a failure.
skip() {
    [ "${CI:-}" != true ] || fail "needs $1"
    echo "skipped: needs $1"
    exit 0
}

# Tests that an index that may be out of bounds does not link, nor does a vector.
mistakes_do_not_link() {
    for mistake in could_panic:nullink_could_panic could_allocate:'no global memory allocator'; do
        if ./build.sh "$out/mistake" z "" --bin freestanding --features "${mistake%%:*}" 2>"$out/errors"; then
            fail "${mistake%%:*} links"
        fi
        grep -q "${mistake#*:}" "$out/errors" ||
            fail "${mistake%%:*} fails for another reason: $(cat "$out/errors")"
    done
}

# panics PROGRAM: prints where it can panic, as the innermost source line outside the standard library.
# A function of core for slicing that is not inlined can panic where it is called.
panics() {
    objdump -dC --no-show-raw-insn "$1" |
        awk '/^[0-9a-f]+ </ { of = $0 }
            /(call|jmp|j[a-z]+) .*(<core::.*(panic|_fail)|SliceIndex<.*>::index(_mut)?>)/ &&
                of !~ /<core::panicking::|_fail>:|SliceIndex<.*>::index(_mut)?>:/ {
                sub(":", "", $1)
                print $1
            }' |
        while read -r address; do
            addr2line -ifC -e "$1" "$address" | paste - - |
                awk '!/\/library\// { print; found = 1; exit } { core = core ? core : $0 } END { if (!found) print core }'
        done
}

# answers_are_right [RUNNER] PROGRAM: checks the replies of the program freestanding.
answers_are_right() {
    answers=$(calls | "$@" | tr '\0' '\n')
    [ "$answers" = "$expected" ] || fail "wrong replies: $answers"
    # A malformed message ends it, after the replies to earlier calls.
    answers=$({ call Pipe; printf 'nonsense\0'; call Pipe; } | "$@" | tr '\0' '\n') || true
    [ "$answers" = '{"error":"org.varlink.service.ExpectedUpgrade"}' ] || fail "wrong replies: $answers"
}

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
