#!/bin/sh
# Builds examples with std into a directory, as static programs for x86_64-unknown-linux-musl.
#
#   tests/musl/build.sh OUTDIR [EXAMPLE...]
#
# With rustup, run `rustup target add x86_64-unknown-linux-musl` first. Without it, install Debian's
# packages rustc-web, cargo-web, rust-web-src and musl-tools to build std from source.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
# The programs are copied from the default target directory.
unset CARGO_TARGET_DIR
[ $# -gt 0 ] || set -- accounts monitor init

target=x86_64-unknown-linux-musl
cargo=cargo
built=target
if ! [ -d "$(rustc --print target-libdir --target "$target")" ]; then
    # A separate directory: two compilers in one would rebuild everything each time.
    built=target/debian
    mkdir -p "$built"
    # std links libunwind for backtraces and unwinding. gcc has its functions in libgcc_eh, which
    # needs _dl_find_object. musl lacks that, so this one reports that it found nothing.
    printf 'int _dl_find_object(void *pc, void *found) { (void)pc; (void)found; return -1; }\n' |
        musl-gcc -Os -x c -c - -o "$built/found.o"
    cp "$(gcc -print-file-name=libgcc_eh.a)" "$built/libunwind.a"
    ar r "$built/libunwind.a" "$built/found.o"
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$built"
    # At a fixed address, unlike rustup's target: otherwise musl-gcc makes a dynamic program.
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="
        -Clink-self-contained=no -Crelocation-model=static -Lnative=$PWD/$built"
    cargo="/usr/bin/cargo -Zbuild-std=std,panic_abort"
fi

for example in "$@"; do
    set -- "$@" --example "$example"
    shift
done
$cargo build --quiet --locked --release --target "$target" "$@"
while [ $# -gt 0 ]; do
    cp "$built/$target/release/examples/$2" "$out/"
    shift 2
done
