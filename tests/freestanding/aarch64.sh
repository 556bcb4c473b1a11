#!/bin/sh
# What check.sh proves on x86_64, for aarch64, under emulation: nothing panics or allocates, or it would
# not link; the programs serve; accounts has its size.
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

./build.sh "$out" z || fail "something panics, or needs what is not there"
answers_are_right "$RUNNER" "$out/freestanding"
"$RUNNER" "$out/memory" || fail "the functions for memory are wrong"
python3 accounts.py "$out/accounts" >/dev/null || fail "accounts does not serve"
size=$(stat -c %s "$out/accounts")
echo "freestanding: aarch64: accounts takes $size bytes"
# As on x86_64, it shall not get worse.
[ "$size" -le 55500 ] || fail "accounts takes more than 55500 bytes"
mistakes_do_not_link

# The tests of the example init, with this one.
mkdir "$out/examples"
printf '#!/bin/sh\nexec %s %s "$@"\n' "$RUNNER" "$out/init" >"$out/examples/init"
chmod +x "$out/examples/init"
(cd ../.. && NULLINK_EXAMPLES="$out/examples" cargo test --quiet --locked --test init >"$out/log" 2>&1) ||
    fail "init does not do what the example does: $(cat "$out/log")"

# It can be loaded where a page is 64 KiB: what is executed and what is written have none in common.
readelf -lW "$out/accounts" | awk '$1 == "LOAD" { print $3, $6, $NF }' >"$out/segments"
last=-1
while read -r address length alignment; do
    [ "$alignment" = 0x10000 ] && [ $((address >> 16)) -gt "$last" ] ||
        fail "segments share a page: $(cat "$out/segments")"
    last=$(((address + length - 1) >> 16))
done <"$out/segments"
[ "$last" -ge 0 ] || fail "no segments are found"
echo "freestanding: aarch64: all is well"
