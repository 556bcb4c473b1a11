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

skip() {
    echo "skipped: needs $*"
    exit 77
}

for tool in apt-get dpkg-deb cc; do
    command -v "$tool" >/dev/null || skip "$tool"
done

fetch() {
    apt=$directory/apt
    mkdir -p "$apt/empty" "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    echo "deb http://deb.debian.org/debian sid main" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "$apt/empty";
Dir::Etc::Preferences "$apt/empty/preferences";
Dir::Etc::PreferencesParts "$apt/empty";
Dir::State "$apt";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt/cache";
Debug::NoLocking "true";
APT::Sandbox::User "";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
CONF
    export APT_CONFIG="$apt/apt.conf"
    apt-get update --quiet=2 >"$apt/log" 2>&1 || skip "Debian's archive"
    apt-get install --download-only --no-install-recommends --yes --quiet=2 libsystemd-dev \
        >>"$apt/log" 2>&1 || skip "libsystemd-dev of sid"
    mkdir -p "$root/usr/lib" "$root/usr/lib64" "$root/usr/bin" "$root/usr/sbin"
    for folder in bin sbin lib lib64; do
        ln -sfn "usr/$folder" "$root/$folder"
    done
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --no-same-owner
    done
}

[ -e "$root/usr/include/systemd/sd-varlink.h" ] || fetch
# The library needs a newer C library than the machine may have: its own loader finds it.
cc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wno-unused-parameter -I"$root/usr/include" -o "$directory/program" \
    "$here/sd-varlink/main.c" "$libraries/libsystemd.so.0" -lpthread -Wl,--allow-shlib-undefined
cat >"$directory/conform-sd-varlink" <<RUN
#!/bin/sh
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$directory/program" "\$@"
RUN
chmod +x "$directory/conform-sd-varlink"
