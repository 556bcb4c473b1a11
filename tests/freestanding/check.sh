#!/bin/sh
# Checks the programs without libc: at every opt-level they link, so nothing allocates and the library
# does not panic. Checks the size of the service accounts, its memory, its remaining panics and its
# system calls, and the stack of a call: stack.sh. Also tests that the checks find mistakes.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

. ./proofs.sh

./build.sh "$out/z" z || fail "a program does not link: it can panic, or needs libc or an allocator"
for level in 1 2 3 s; do
    ./build.sh "$out/$level" "$level" "" --bin freestanding --bin accounts --bin memory ||
        fail "a program does not link: it can panic, or needs libc or an allocator"
done
for level in 1 2 3 s z; do
    echo "freestanding: opt-level $level links without panics, allocator and libc:" \
        "$(stat -c %s "$out/$level/freestanding") bytes"
done

mistakes_do_not_link
for level in 1 2 3 s z; do
    answers_are_right "$out/$level/freestanding"
    "$out/$level/memory" || fail "the memory functions are wrong at level $level"
done

# A call takes one read and one write, and no other system call, such as one that allocates memory.
if command -v strace >/dev/null; then
    call Ping ',"parameters":{"ping":"x"}' >"$out/call"
    strace -o "$out/trace" "$out/z/freestanding" <"$out/call" >/dev/null
    calls=$(sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' "$out/trace" | tr '\n' ' ')
    [ "$calls" = "execve read write read exit " ] || fail "freestanding makes the system calls $calls"
    # `report --later` starts itself by its name, which fails here because there is no such file in /.
    # The calls that learn of the failure are interrupted, and must be repeated: the read, the write
    # in the child, and the wait for its end. After a read that fails otherwise, the program is not
    # taken for started either.
    for error in read:error=EINTR write:error=EINTR wait4:error=EINTR read:error=EIO; do
        if (cd / && PATH="$out/z:$PATH" strace -f -o "$out/trace" -e "inject=$error:when=1" \
            report --later status 2>"$out/errors"); then
            fail "report takes $error for a started program"
        fi
        grep -q "report: can't start" "$out/errors" || fail "report prints: $(cat "$out/errors")"
        grep -q INJECTED "$out/trace" || fail "strace has not made $error"
        ! grep -q "wait4.*EINTR" "$out/trace" || [ "$(grep -c "wait4(" "$out/trace")" -gt 1 ] ||
            fail "report does not repeat an interrupted wait"
    done
elif [ "${CI:-}" = true ]; then
    fail "needs strace"
else
    echo "skipped: needs strace"
fi

# The example accounts: the size of its file, and its memory with 8 clients in turn and at once.
size=$(stat -c %s "$out/z/accounts")
echo "freestanding: accounts takes $size bytes (budget: 49152)"
[ "$size" -le 55700 ] || fail "accounts takes more than 55700 bytes"

if command -v python3 >/dev/null; then
    for level in 1 2 3 s; do
        python3 accounts.py "$out/$level/accounts" >/dev/null || fail "accounts does not serve at level $level"
    done
    memory=$(python3 accounts.py "$out/z/accounts") || fail "accounts does not serve"
    echo "freestanding: accounts uses $memory KiB of memory for 8 connections (budget: 96 in turn, 104 at once)"
    [ "${memory% *}" -le 96 ] && [ "${memory#* }" -le 104 ] ||
        fail "accounts uses more memory than 96 and 104 KiB"
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

# The tool nullctl: the size of its file, and its tests, which measure its memory, too.
size=$(stat -c %s "$out/z/nullctl")
echo "freestanding: nullctl takes $size bytes (budget: 98304)"
[ "$size" -le 119300 ] || fail "nullctl takes more than 119300 bytes"
(cd ../.. && cargo build --quiet --locked --examples && NULLCTL="$out/z/nullctl" \
    cargo test --quiet --locked --features nullctl --test nullctl >"$out/log" 2>&1) ||
    fail "nullctl fails its tests: $(cat "$out/log")"

# Run the tests of the example init with this program.
(cd ../.. && NULLINK_EXAMPLES="$out/z" cargo test --quiet --locked --test processes init:: >"$out/log" 2>&1) ||
    fail "init fails the tests of the example: $(cat "$out/log")"

# Only rustix can panic: it has assertions about its arguments and the results of system calls.
#   os/fd/owned.rs: a descriptor is not -1. Descriptors come from successful system calls
#     (ret_owned_fd), or from LISTEN_FDS and are 3 or more.
#   net/sockopt.rs: getsockopt(2) returns as many bytes as the option has.
#   net/addr.rs: an index into sun_path is in range. Its length was checked, but at this level the
#     compiler does not see that.
#   net/send_recv/msg.rs: an index into the buffer of control messages is in range, as for sun_path.
#   net/socket_addr_any.rs, net/read_sockaddr.rs: the address from recvmsg(2) is not shorter than its
#     family, and not longer than the buffer.
#   fs/raw_dir.rs: the kernel writes whole entries.
#   io/errno.rs: an errno is in the valid range.
allowed='/rustix-[^/]*/src/((maybe_polyfill/no_std/os/fd/owned|net/(socket_addr_any|send_recv/msg)|fs/raw_dir)|backend/linux_raw/(net/(sockopt|addr|read_sockaddr)|io/errno))[.]rs:[0-9]'
# The compiler must not merge calls of the panic functions, so that each has its own source line.
./build.sh "$out/named" z "-Cstrip=none -Cdebuginfo=1 -Cllvm-args=-enable-tail-merge=false
    -Cllvm-args=-simplifycfg-sink-common=false -Cllvm-args=-simplifycfg-hoist-common=false" ||
    fail "the programs do not build with symbols"
# The number of these places is limited for each program, so that a new call with an assertion is noticed.
for limit in accounts:12 monitor:15 init:13 report:8 nullctl:20; do
    program=${limit%:*}
    panics "$out/named/$program" >"$out/panics"
    [ -s "$out/panics" ] || fail "no panics found in $program: is the search broken?"
    if grep -Ev "$allowed" "$out/panics"; then
        fail "$program can panic at the places above"
    fi
    count=$(wc -l <"$out/panics")
    [ "$count" -le "${limit#*:}" ] || fail "$program has $count assertions of rustix, more than ${limit#*:}: $(cat "$out/panics")"
    echo "freestanding: $count panics in $program, all of them assertions of rustix (limit: ${limit#*:})"
done

./stack.sh
echo "freestanding: all checks passed"
