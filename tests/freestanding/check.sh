#!/bin/sh
# The proofs about programs without libc: nothing allocates and the core does not panic, at any level
# of optimisation, or it would not link; how large the service accounts is, what memory it takes, which
# panics are left in it, and which system calls it makes; how much stack a call takes: stack.sh. And
# that the proofs would notice.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

. ./proofs.sh

./build.sh "$out/z" z || fail "something panics, or needs what is not there"
for level in 1 2 3 s; do
    ./build.sh "$out/$level" "$level" "" --bin freestanding --bin accounts --bin memory ||
        fail "something panics, or needs what is not there"
done
for level in 1 2 3 s z; do
    echo "freestanding: opt-level $level links without panics, allocator and libc:" \
        "$(stat -c %s "$out/$level/freestanding") bytes"
done

mistakes_do_not_link
for level in 1 2 3 s z; do
    answers_are_right "$out/$level/freestanding"
    "$out/$level/memory" || fail "the functions for memory are wrong at level $level"
done

# One call is one read and one write; and there is no other system call, of memory least of all.
if command -v strace >/dev/null; then
    call Ping ',"parameters":{"ping":"x"}' >"$out/call"
    strace -o "$out/trace" "$out/z/freestanding" <"$out/call" >/dev/null
    calls=$(sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' "$out/trace" | tr '\n' ' ')
    [ "$calls" = "execve read write read exit " ] || fail "it makes the system calls $calls"
    # A program that does not start has not started because of a signal: `report --later` starts itself
    # by its name, which is not the path of a file here.
    if (cd / && PATH="$out/z:$PATH" strace -o "$out/trace" -e inject=read:error=EINTR:when=1 \
        report --later status 2>"$out/errors"); then
        fail "a read that is interrupted counts as a program that has started"
    fi
    grep -q "report: can't start" "$out/errors" || fail "report says: $(cat "$out/errors")"
    grep -q INJECTED "$out/trace" || fail "strace has interrupted nothing"
elif [ "${CI:-}" = true ]; then
    fail "needs strace"
else
    echo "skipped: needs strace"
fi

# The example accounts: the size of its file, and its memory with 8 clients in turn and with all of them
# at once.
size=$(stat -c %s "$out/z/accounts")
echo "freestanding: accounts takes $size bytes (budget: 49152)"
[ "$size" -le 55500 ] || fail "accounts takes more than 55500 bytes"

if command -v python3 >/dev/null; then
    for level in 1 2 3 s; do
        python3 accounts.py "$out/$level/accounts" >/dev/null || fail "accounts does not serve at level $level"
    done
    memory=$(python3 accounts.py "$out/z/accounts") || fail "accounts does not serve"
    echo "freestanding: accounts has $memory KiB of memory for 8 connections (budget: 96 in turn, 104 at once)"
    [ "${memory% *}" -le 96 ] && [ "${memory#* }" -le 104 ] ||
        fail "accounts has more than 96 and 104 KiB of memory"
elif [ "${CI:-}" = true ]; then
    fail "needs python3"
else
    echo "skipped: needs python3"
fi
if command -v strace >/dev/null && command -v python3 >/dev/null; then
    python3 accounts.py "$out/z/accounts" "$out/trace" >/dev/null
    calls=$(sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' "$out/trace" | sort -u | tr '\n' ' ')
    expected="clock_gettime close epoll_create1 epoll_ctl epoll_pwait execve exit fcntl getpid getsockopt open read recvmsg"
    expected="$expected sendto setsockopt "
    [ "$calls" = "$expected" ] || fail "accounts makes the system calls $calls"
fi

# The tests of the example init, with this one.
(cd ../.. && NULLINK_EXAMPLES="$out/z" cargo test --quiet --locked --test init >"$out/log" 2>&1) ||
    fail "init does not do what the example does: $(cat "$out/log")"

# Only rustix can panic: it asserts what it is given, and what the kernel returns.
#   os/fd/owned.rs: a descriptor is not -1. Those here come from the kernel, from successful calls
#     (ret_owned_fd), or from LISTEN_FDS, and are 3 or more.
#   net/sockopt.rs: getsockopt(2) gives as many bytes as the option has.
#   net/addr.rs: an index into sun_path, after its length was checked; at this level the compiler does
#     not see that.
#   net/socket_addr_any.rs, net/read_sockaddr.rs: the address that recvmsg(2) gives is not shorter than
#     its family, and not longer than the room for it.
#   fs/raw_dir.rs: the kernel writes whole entries.
#   io/errno.rs: the number of an error is one.
allowed='/rustix-[^/]*/src/((maybe_polyfill/no_std/os/fd/owned|net/socket_addr_any|fs/raw_dir)|backend/linux_raw/(net/(sockopt|addr|read_sockaddr)|io/errno))[.]rs:[0-9]'
# Each panic has its own place only if the compiler does not merge several.
./build.sh "$out/named" z "-Cstrip=none -Cdebuginfo=1 -Cllvm-args=-enable-tail-merge=false
    -Cllvm-args=-simplifycfg-sink-common=false -Cllvm-args=-simplifycfg-hoist-common=false" ||
    fail "does not build with names"
for program in accounts monitor init report; do
    panics "$out/named/$program" >"$out/panics"
    [ -s "$out/panics" ] || fail "no panics are found: is the search for them broken?"
    if grep -Ev "$allowed" "$out/panics"; then
        fail "$program can panic there"
    fi
    echo "freestanding: $(wc -l <"$out/panics") panics in $program, all of them assertions of rustix"
done

./stack.sh
echo "freestanding: all is well"
