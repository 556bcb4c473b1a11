#!/bin/sh
# Builds the peer with sd-varlink from Debian's newest libsystemd-dev, in a directory of its own.
#
#   tests/conformance/peers/sd-varlink.sh DIR      makes DIR/conform-sd-varlink
#
# Exit status 77 with a line "skipped: needs ..." if a tool or Debian's archive is missing.
set -eu
mkdir -p "$1"
directory=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$directory/root
libraries=$root/usr/lib/x86_64-linux-gnu

command -v cc >/dev/null || {
    echo "skipped: needs cc"
    exit 77
}
# Version 257 is the first one with sd-varlink.h.
"$here/../../debian.sh" "$directory" 257 libsystemd-dev
# The library needs a newer C library than the machine may have: its own loader finds it.
cc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wno-unused-parameter -I"$root/usr/include" -o "$directory/program" \
    "$here/sd-varlink/main.c" "$libraries/libsystemd.so.0" -lpthread -Wl,--allow-shlib-undefined
cat >"$directory/conform-sd-varlink" <<RUN
#!/bin/sh
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$directory/program" "\$@"
RUN
chmod +x "$directory/conform-sd-varlink"
