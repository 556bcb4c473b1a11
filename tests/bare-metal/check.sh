#!/bin/sh
# Checks the firmware: the library builds for targets without an operating system. The service of two
# boards links, so it does not allocate or panic. It serves on an emulated serial line, even after
# arbitrary bytes, and keeps its limits for flash and stack. Also tests that the checks find mistakes.
#
#   tests/bare-metal/check.sh PYTHON      a Python that has the package varlink
set -eu
python=$(command -v "$1")
case $python in /*) ;; *) python=$PWD/$python ;; esac
cd "$(dirname "$0")"

fail() {
    echo "bare-metal: $*" >&2
    exit 1
}

for tool in /usr/bin/cargo:rustc-web,cargo-web /usr/src/rustc-*/library:rust-web-src qemu-system-arm:qemu-system-arm size:binutils; do
    # The path of the source contains the version.
    if ! command -v "${tool%:*}" >/dev/null && ! ls -d ${tool%:*} >/dev/null 2>&1; then
        [ "${CI:-}" != true ] || fail "needs ${tool#*:}"
        echo "skipped: needs ${tool#*:}"
        exit 0
    fi
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for target in thumbv7em-none-eabihf thumbv6m-none-eabi riscv32imac-unknown-none-elf; do
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target /usr/bin/cargo build --quiet --locked \
        --manifest-path ../../Cargo.toml --lib --no-default-features --target "$target" -Z build-std=core ||
        fail "the library does not build for $target"
    echo "bare-metal: the library builds for $target"
done

./build.sh "$out" || fail "the firmware does not link: it can panic, or needs an allocator"
echo "bare-metal: the firmware links without panics and allocator"

# An index that may be out of bounds must not link, nor a vector.
for mistake in could_panic:nullink_could_panic could_allocate:"can't find crate for .alloc"; do
    if ./build.sh "$out/mistake" z --features "${mistake%%:*}" 2>"$out/errors"; then
        fail "${mistake%%:*} links"
    fi
    grep -q "${mistake#*:}" "$out/errors" || fail "${mistake%%:*} fails for another reason: $(cat "$out/errors")"
done

# The client runs on the host.
(cd ../.. && cargo build --quiet --locked --example board)
client=${CARGO_TARGET_DIR:-$PWD/../../target}/debug/examples/board
definition=../../examples/shared/org.example.board.varlink
for board in lm3s6965evb microbit; do
    stack=$(timeout 600 "$python" drive.py "$board" "$out/$board" "$client" "$definition") ||
        fail "$board does not serve"
    size "$out/$board" | awk -v "board=$board" -v "stack=$stack" 'NR == 2 {
        print "bare-metal: " board " serves:", $1, "bytes of flash,", $2 + $3, "of memory,", stack, "of stack" }'
    # The limit for handling a call without buffers. The whole program must keep it here.
    [ "$stack" -le 4096 ] || fail "$board takes more than 4096 bytes of stack"
    # A limit, so that it does not grow unnoticed.
    flash=$(size "$out/$board" | awk 'NR == 2 { print $1 + $2 }')
    # Cortex-M0 has no clz and shifts 64 bits in a function, which strings in words need.
    [ "$flash" -le 30000 ] || fail "$board takes more than 30000 bytes of flash"
done
echo "bare-metal: all checks passed"
