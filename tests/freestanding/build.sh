#!/bin/sh
# Builds the freestanding programs into a directory. They are static, and do not link if they need
# libc or an allocator. The program `freestanding` does not link if it can panic either.
#
#   [ARCH=aarch64] tests/freestanding/build.sh OUTDIR [OPT_LEVEL] [RUSTFLAGS] [OPTIONS OF CARGO...]
#
# For aarch64, run `rustup target add aarch64-unknown-linux-musl`, or install Debian's packages
# rustc-web, cargo-web and rust-web-src to build core from source. The linker is rust-lld or lld.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
# The programs are copied from the default target directory.
unset CARGO_TARGET_DIR
level=${2:-z}
more=${3-}
shift "$(($# < 3 ? $# : 3))"

# The last option orders basic blocks at opt-level s and z too: fewer jumps, 1.5 % less for accounts.
common="-Crelocation-model=static -Cforce-unwind-tables=no -Cllvm-args=-apply-ext-tsp-for-size"
cargo=cargo
built=target
case "${ARCH:-x86_64}" in
x86_64)
    target=x86_64-unknown-linux-gnu
    common="$common
        -Clink-arg=-nostartfiles -Clink-arg=-nostdlib -Clink-arg=-static -Clink-arg=-no-pie
        -Clink-arg=-Wl,--build-id=none -Clink-arg=-Wl,--no-eh-frame-hdr -Clink-arg=-Wl,-z,norelro
        -Clink-arg=-Wl,-T,$PWD/link.x"
    # An entry of a jump table takes 8 bytes here: comparing is shorter.
    common="$common -Cllvm-args=-min-jump-table-entries=1000"
    ;;
aarch64)
    # There may be no C compiler for aarch64, so the linker is called directly.
    target=aarch64-unknown-linux-musl
    sysroot=$(rustc --print sysroot)
    lld=$(find "$sysroot/lib/rustlib" -path '*/bin/rust-lld' | head -n 1)
    common="$common
        -Clinker=${lld:-ld.lld} -Clinker-flavor=ld.lld -Clink-self-contained=no
        -Clink-arg=-static -Clink-arg=--no-pie
        -Clink-arg=--build-id=none -Clink-arg=--no-eh-frame-hdr -Clink-arg=-znorelro
        -Clink-arg=-T$PWD/link.x"
    if ! [ -d "$(rustc --print target-libdir --target "$target")" ]; then
        # A separate directory: two compilers in one would rebuild everything each time.
        built=target/debian
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$built
        cargo="/usr/bin/cargo -Zbuild-std=core,alloc"
    fi
    ;;
*)
    echo "freestanding: ARCH must be x86_64 or aarch64, not $ARCH" >&2
    exit 1
    ;;
esac
name=$(echo "$target" | tr a-z- A-Z_)
export CARGO_PROFILE_RELEASE_OPT_LEVEL="$level" "CARGO_TARGET_${name}_RUSTFLAGS=$common $more"
programs="freestanding accounts monitor init report nullctl memory"
(cd "$built/$target/release" 2>/dev/null && rm -f $programs) || true
build() { $cargo build --quiet --locked --release --target "$target" "$@"; }
build "$@"
# With --bin, only that program is built.
case " $* " in
*" --bin "*) ;;
*) build --features device --bin monitor --bin init --bin report --bin nullctl "$@" ;;
esac
for program in $programs; do
    [ ! -e "$built/$target/release/$program" ] || cp "$built/$target/release/$program" "$out/"
done
[ -n "$(ls "$out")" ]
