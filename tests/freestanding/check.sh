#!/bin/sh
# The proofs about programs without libc: nothing allocates and the core does not panic, at any level
# of optimisation, or it would not link; how large the service accounts is, what memory it takes, which
# panics are left in it, and which system calls it makes; how much stack a call takes: stack.sh. And
# that the proofs would notice.
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

# The example accounts. Its budget is a file of 24 KiB and 100 KiB of memory with 8 connections of
# 4 KiB each way, of which those are 64. That is not reached; it shall not get worse.
size=$(stat -c %s "$out/z/accounts")
echo "freestanding: accounts takes $size bytes (budget: 24576)"
[ "$size" -le 59500 ] || fail "accounts takes more than 59500 bytes"

if command -v python3 >/dev/null; then
    for level in 1 2 3 s; do
        python3 accounts.py "$out/$level/accounts" >/dev/null || fail "accounts does not serve at level $level"
    done
    memory=$(python3 accounts.py "$out/z/accounts") || fail "accounts does not serve"
    echo "freestanding: accounts has $memory KiB of memory for 8 connections (budget: 100)"
    [ "$memory" -le 160 ] || fail "accounts has more than 160 KiB of memory"
elif [ "${CI:-}" = true ]; then
    fail "needs python3"
else
    echo "skipped: needs python3"
fi
if command -v strace >/dev/null && command -v python3 >/dev/null; then
    python3 accounts.py "$out/z/accounts" "$out/trace" >/dev/null
    calls=$(sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' "$out/trace" | sort -u | tr '\n' ' ')
    expected="clock_gettime close execve exit fcntl getpid getsockopt open ppoll read recvmsg sendto setsockopt "
    [ "$calls" = "$expected" ] || fail "accounts makes the system calls $calls"
fi

# Who can panic: nobody but rustix, which doubts what it is given and what the kernel says.
#   os/fd/owned.rs: a descriptor is not -1. Those here come from the kernel, from successful calls
#     (ret_owned_fd), or from LISTEN_FDS, and are 3 or more.
#   net/sockopt.rs, and what is merged from it: getsockopt(2) gives as many bytes as the option has.
#   net/addr.rs: an index into sun_path, behind a look at its length; at this level the compiler does
#     not see that.
#   net/socket_addr_any.rs: the address that recvmsg(2) gives is not shorter than its family, and not
#     longer than the room for it.
#   io/errno.rs: the number of an error is one.
./build.sh "$out/named" z "-Cstrip=none -Cdebuginfo=1" || fail "does not build with names"
objdump -dC --no-show-raw-insn "$out/named/accounts" >"$out/code"
awk '/^[0-9a-f]+ </ { of = $2 }
    /(call|jmp) .*<core::.*(panic|_fail)/ && of !~ /^<core::/ { sub(":", "", $1); print $1 }' "$out/code" |
    while read -r address; do
        # Its innermost place outside of core: function and line.
        addr2line -ifC -e "$out/named/accounts" "$address" | paste - - |
            grep -v '	/rustc/[0-9a-f]*/library/' | head -n 1
    done >"$out/panics"
[ -s "$out/panics" ] || fail "no panics are found: is the search for them broken?"
if grep -Ev 'rustix-[^/]*/src/(maybe_polyfill/no_std/os/fd/owned|backend/linux_raw/(net/(sockopt|addr)|io/errno)|net/socket_addr_any)[.]rs:|^rustix::net::socket_addr_any::SocketAddrAny::new|	.*/rustix-[^/]*/src/backend/linux_raw/arch/x86_64.rs:' "$out/panics"
then
    fail "accounts can panic there"
fi
echo "freestanding: $(wc -l <"$out/panics") panics in accounts, all of them assertions of rustix"

./stack.sh
echo "freestanding: all is well"
