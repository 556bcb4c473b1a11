#!/bin/sh
# The proofs about firmware: the core builds for targets without an operating system; a service on two
# boards links without an allocator and without a way to panic; it answers over an emulated serial
# line, whatever else comes over it; how large it is, and how deep its stack. And that the proofs would
# notice.
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
    # (The path of a source has the version in it.)
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
        fail "the core does not build for $target"
    echo "bare-metal: the core builds for $target"
done

./build.sh "$out" || fail "something panics, or needs what is not there"
echo "bare-metal: it links without panics and allocator"

# An index that may be out of bounds, and a vector: neither may link.
for mistake in could_panic:nullink_could_panic could_allocate:"can't find crate for .alloc"; do
    if ./build.sh "$out/mistake" z --features "${mistake%%:*}" 2>"$out/errors"; then
        fail "${mistake%%:*} links"
    fi
    grep -q "${mistake#*:}" "$out/errors" || fail "${mistake%%:*} fails for another reason: $(cat "$out/errors")"
done

# The client runs where this does.
(cd ../.. && cargo build --quiet --locked --example board)
client=${CARGO_TARGET_DIR:-$PWD/../../target}/debug/examples/board
definition=../../examples/shared/org.example.board.varlink
for board in lm3s6965evb microbit; do
    stack=$(timeout 600 "$python" drive.py "$board" "$out/$board" "$client" "$definition") ||
        fail "$board does not serve"
    size "$out/$board" | awk -v "board=$board" -v "stack=$stack" 'NR == 2 {
        print "bare-metal: " board " serves:", $1, "bytes of flash,", $2 + $3, "of memory,", stack, "of stack" }'
    # The budget for a dispatch, apart from the buffers: all of a program is more than that.
    [ "$stack" -le 4096 ] || fail "$board has more than 4096 bytes on its stack"
    # It shall not get worse.
    flash=$(size "$out/$board" | awk 'NR == 2 { print $1 + $2 }')
    [ "$flash" -le 29000 ] || fail "$board takes more than 29000 bytes of flash"
done
echo "bare-metal: all is well"
