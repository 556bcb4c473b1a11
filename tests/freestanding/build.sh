#!/bin/sh
# Builds the freestanding programs into a directory: static, without libc and without an allocator,
# or they do not link. The program of that name does not link either if there is a way to panic.
#
#   tests/freestanding/build.sh OUTDIR [OPT_LEVEL] [more RUSTFLAGS]
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
level=${2:-z}
more=${3-}

target=x86_64-unknown-linux-gnu
export CARGO_PROFILE_RELEASE_OPT_LEVEL="$level"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="
    -Crelocation-model=static -Cforce-unwind-tables=no
    -Clink-arg=-nostartfiles -Clink-arg=-nostdlib -Clink-arg=-static -Clink-arg=-no-pie
    -Clink-arg=-Wl,--build-id=none -Clink-arg=-Wl,--no-eh-frame-hdr -Clink-arg=-Wl,-z,norelro
    -Clink-arg=-Wl,-T,$PWD/link.x
    $more"
cargo build --quiet --locked --release --target "$target"
for program in freestanding accounts monitor init report; do
    cp "target/$target/release/$program" "$out/"
done
