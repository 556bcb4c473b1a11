#!/bin/sh
# Builds the freestanding programs into a directory: static, without libc and without an allocator,
# or they do not link. The program of that name does not link either if there is a way to panic.
#
#   [ARCH=aarch64] tests/freestanding/build.sh OUTDIR [OPT_LEVEL] [more RUSTFLAGS] [cargo's options...]
#
# For aarch64 that takes `rustup target add aarch64-unknown-linux-musl`; or else Debian's packages
# rustc-web, cargo-web and rust-web-src, to build core from its source. The linker is Rust's own, or lld.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
# The programs are copied from the directory that this script knows.
unset CARGO_TARGET_DIR
level=${2:-z}
more=${3-}
shift "$(($# < 3 ? $# : 3))"

# The last one orders basic blocks where the size counts, too: fewer jumps, 1.5 % of accounts.
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
    ;;
aarch64)
    # Without a C compiler for it: its linker is called as such.
    target=aarch64-unknown-linux-musl
    sysroot=$(rustc --print sysroot)
    lld=$(find "$sysroot/lib/rustlib" -path '*/bin/rust-lld' | head -n 1)
    common="$common
        -Clinker=${lld:-ld.lld} -Clinker-flavor=ld.lld -Clink-self-contained=no
        -Clink-arg=-static -Clink-arg=--no-pie
        -Clink-arg=--build-id=none -Clink-arg=--no-eh-frame-hdr -Clink-arg=-znorelro
        -Clink-arg=-T$PWD/link.x"
    if ! [ -d "$(rustc --print target-libdir --target "$target")" ]; then
        # In a directory of its own, or each compiler would build all of it again.
        built=target/debian
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$built
        cargo="/usr/bin/cargo -Zbuild-std=core,alloc"
    fi
    ;;
*)
    echo "freestanding: nobody has tried $ARCH" >&2
    exit 1
    ;;
esac
name=$(echo "$target" | tr a-z- A-Z_)
export CARGO_PROFILE_RELEASE_OPT_LEVEL="$level" "CARGO_TARGET_${name}_RUSTFLAGS=$common $more"
programs="freestanding accounts monitor init report memory"
(cd "$built/$target/release" 2>/dev/null && rm -f $programs) || true
build() { $cargo build --quiet --locked --release --target "$target" "$@"; }
build "$@"
# With --bin only that program is built.
case " $* " in
*" --bin "*) ;;
*) build --features device --bin monitor --bin init --bin report "$@" ;;
esac
for program in $programs; do
    [ ! -e "$built/$target/release/$program" ] || cp "$built/$target/release/$program" "$out/"
done
[ -n "$(ls "$out")" ]
