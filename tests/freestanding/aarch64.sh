#!/bin/sh
# Runs checks of check.sh for aarch64, under emulation: the programs link, so nothing panics or
# allocates. They serve, and accounts is small enough.
set -eu
cd "$(dirname "$0")"

. ./proofs.sh

for tool in qemu-aarch64-static readelf python3; do
    command -v "$tool" >/dev/null || skip "$tool"
done
if ! [ -d "$(rustc --print target-libdir --target aarch64-unknown-linux-musl)" ]; then
    [ -d /usr/lib/rustlib/src ] && [ -x /usr/bin/cargo ] || skip "core for aarch64: see build.sh"
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export ARCH=aarch64 RUNNER=qemu-aarch64-static

./build.sh "$out" z || fail "a program does not link: it can panic, or needs libc or an allocator"
answers_are_right "$RUNNER" "$out/freestanding"
"$RUNNER" "$out/memory" || fail "the memory functions are wrong"
python3 accounts.py "$out/accounts" >/dev/null || fail "accounts does not serve"
size=$(stat -c %s "$out/accounts")
echo "freestanding: aarch64: accounts takes $size bytes"
# The same limit as on x86_64.
[ "$size" -le 55500 ] || fail "accounts takes more than 55500 bytes"
mistakes_do_not_link

# Run the tests of the example init with this program.
mkdir "$out/examples"
printf '#!/bin/sh\nexec %s %s "$@"\n' "$RUNNER" "$out/init" >"$out/examples/init"
chmod +x "$out/examples/init"
(cd ../.. && NULLINK_EXAMPLES="$out/examples" cargo test --quiet --locked --test processes init:: >"$out/log" 2>&1) ||
    fail "init fails the tests of the example: $(cat "$out/log")"

# It must load with pages of 64 KiB, so no page may be in both the code and the data segment.
readelf -lW "$out/accounts" | awk '$1 == "LOAD" { print $3, $6, $NF }' >"$out/segments"
last=-1
while read -r address length alignment; do
    [ "$alignment" = 0x10000 ] && [ $((address >> 16)) -gt "$last" ] ||
        fail "segments share a page: $(cat "$out/segments")"
    last=$(((address + length - 1) >> 16))
done <"$out/segments"
[ "$last" -ge 0 ] || fail "no segments found"
echo "freestanding: aarch64: all checks passed"
