#!/bin/sh
# Unpacks packages of a newer Debian, and all packages that they need, into a directory.
#
# Usage: tests/debian.sh DIR OLDEST PACKAGE...
#
# They come from Debian's sid or forky, the first of them in which the first PACKAGE is at least version
# OLDEST, which is a number. The apt configuration is in DIR: the configuration, the package lists and
# the packages of the machine stay as they are. If DIR has these packages already, nothing happens.
#
#   DIR/version            the version of the first package, such as "262.1-1"
#   DIR/root               the unpacked packages
#
# Exit status: 77 with a line "skipped: ..." if Debian cannot be reached or has no such version.
set -eu

if [ $# -lt 3 ]; then
    echo "usage: $0 DIR OLDEST PACKAGE..." >&2
    exit 2
fi
mkdir -p "$1"
directory=$(cd "$1" && pwd)
oldest=$2
shift 2
# What DIR has, or must have.
wanted="$oldest $*"
[ "$(cat "$directory/wanted" 2>/dev/null)" != "$wanted" ] || exit 0

skip() {
    echo "skipped: $*"
    exit 77
}

for tool in apt-get apt-cache apt-config dpkg dpkg-deb; do
    command -v "$tool" >/dev/null || skip "needs $tool"
done
[ "$(dpkg --print-architecture)" = amd64 ] || skip "needs amd64"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || skip "needs the keys of Debian, package debian-archive-keyring"

apt=$directory/apt
root=$directory/root
# Only the proxies of the machine's configuration are used.
proxies=$(apt-config dump | grep -i '^Acquire::.*Proxy.* "..*";$' || true)
export APT_CONFIG="$apt/apt.conf"

configure() {
    mkdir -p "$apt/empty" "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    echo "deb [signed-by=$keys] http://deb.debian.org/debian $1 main" >"$apt/sources.list"
    cat >"$APT_CONFIG" <<EOF
Dir::Etc::Main "$apt/empty/apt.conf";
Dir::Etc::Parts "$apt/empty";
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
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "2";
Acquire::http::Timeout "20";
# A mirror may be a snapshot, whose lists have expired.
Acquire::Check-Valid-Until "false";
$proxies
EOF
}

# version_in SUITE PACKAGE: prints the version, or nothing. Keeps the output of apt-get in DIR/apt/log.
version_in() {
    configure "$1"
    apt-get update >"$apt/log" 2>&1 || return 0
    apt-cache policy "$2" 2>>"$apt/log" | sed -n 's/^ *Candidate: \([0-9].*\)$/\1/p'
}

rm -rf "$directory/wanted" "$directory/version" "$apt/cache/archives" "$root"
for suite in sid forky; do
    version=$(version_in "$suite" "$1")
    number=${version%%[!0-9]*}
    [ "${number:-0}" -ge "$oldest" ] || continue
    # With an empty list of installed packages, this is everything that the packages need.
    apt-get install --download-only --no-install-recommends --yes --quiet "$@" >>"$apt/log" 2>&1 || continue
    # A merged /usr, as the packages expect it.
    mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
    for folder in bin sbin lib lib64; do
        ln -s "usr/$folder" "$root/$folder"
    done
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --no-same-owner
    done
    echo "$version" >"$directory/version"
    echo "$wanted" >"$directory/wanted"
    exit 0
done
tail -n 3 "$apt/log" >&2
skip "needs $1 $oldest or newer from Debian's sid or forky"
