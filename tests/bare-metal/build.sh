#!/bin/sh
# Builds the firmware of both boards into a directory. It does not link if it needs an allocator, or can
# panic.
#
#   tests/bare-metal/build.sh OUTDIR [OPT_LEVEL] [OPTIONS OF CARGO...]
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
# The programs are copied from the default target directory.
unset CARGO_TARGET_DIR
level=${2:-z}
[ $# -lt 2 ] || shift
shift

# Debian's compiler has the source of core, to build it for these targets. The linker is the usual
# toolchain's rust-lld. With rustup, `rustup target add` and `cargo build` are enough.
host=$(rustc -vV | sed -n 's/^host: //p')
lld=$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CARGO_PROFILE_RELEASE_OPT_LEVEL="$level"
for board in lm3s6965evb:thumbv7m-none-eabi microbit:thumbv6m-none-eabi; do
    target=${board#*:}
    board=${board%:*}
    RUSTFLAGS="-Clinker=$lld -Clink-arg=-L$PWD/$board -Clink-arg=-Tlink.x" \
        /usr/bin/cargo build --quiet --locked --release --target "$target" --bin "$board" \
        -Z build-std=core -Z build-std-features=compiler-builtins-mem "$@"
    cp "target/$target/release/$board" "$out/"
done
