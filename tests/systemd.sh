#!/bin/sh
# Unpacks the programs of a current systemd, at least version 258, for tests against them.
#
# Usage: tests/systemd.sh DIR
#
# Downloads the packages from Debian with an apt configuration in DIR; the configuration, the
# package lists and the packages of the machine stay as they are. Needs apt-get, dpkg-deb and, for
# the services, root.
#
#   DIR/version            the version, such as "262.1-1"
#   DIR/root               the unpacked packages
#   DIR/bin/varlinkctl     varlinkctl, and other programs, run with the unpacked libraries
#   DIR/bin/start SERVICE FOLDER
#                          runs a service; without arguments, it lists the services
#
# systemd-ask-password is a service as well, at the address exec:DIR/bin/systemd-ask-password. It
# uses the machine's /run/systemd/ask-password.
# Exit status: 77 with a line "skipped: ..." if Debian cannot be reached or has no such version.
set -eu

oldest=258
packages='systemd udev systemd-userdbd systemd-resolved systemd-container systemd-oomd'

if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi
mkdir -p "$1"
directory=$(cd "$1" && pwd)

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
bin=$directory/bin
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

# The version in the suite, or nothing. Keeps the output of apt-get in DIR/apt/log.
version_in() {
    configure "$1"
    apt-get update >"$apt/log" 2>&1 || return 0
    apt-cache policy systemd 2>>"$apt/log" | sed -n 's/^ *Candidate: \([0-9].*\)$/\1/p'
}

fetch() {
    for suite in sid forky; do
        version=$(version_in "$suite")
        number=${version%%[!0-9]*}
        [ "${number:-0}" -ge "$oldest" ] || continue
        # With an empty list of installed packages, this is everything that the packages need.
        # shellcheck disable=SC2086
        apt-get install --download-only --no-install-recommends --yes --quiet $packages \
            >>"$apt/log" 2>&1 || continue
        rm -rf "$root"
        mkdir -p "$root"
        # A merged /usr, as the packages expect it.
        mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
        for folder in bin sbin lib lib64; do
            ln -s "usr/$folder" "$root/$folder"
        done
        for package in "$apt"/cache/archives/*.deb; do
            dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --no-same-owner
        done
        echo "$version" >"$directory/version"
        return 0
    done
    tail -n 3 "$apt/log" >&2
    skip "needs systemd $oldest or newer from Debian's sid or forky"
}

[ -s "$directory/version" ] || fetch

# What the services read about the machine that they run on: users, and who it is.
cat >"$root/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
systemd-network:x:991:991::/:/usr/sbin/nologin
systemd-resolve:x:990:990::/:/usr/sbin/nologin
nobody:x:65534:65534::/:/usr/sbin/nologin
EOF
cat >"$root/etc/group" <<'EOF'
root:x:0:
systemd-network:x:991:
systemd-resolve:x:990:
nogroup:x:65534:
EOF
sed 's/:.*/:*:20000:0:99999:7:::/' "$root/etc/passwd" >"$root/etc/shadow"
sed 's/:.*/:*::/' "$root/etc/group" >"$root/etc/gshadow"
echo 'passwd: files
group: files
shadow: files
gshadow: files
hosts: files' >"$root/etc/nsswitch.conf"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
echo 'ID=debian
PRETTY_NAME="Test of a current systemd"' >"$root/etc/os-release"
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/root"

# One wrapper for each program: with the unpacked loader and libraries, it needs no other libc.
rm -rf "$bin"
mkdir -p "$bin"
for program in varlinkctl udevadm systemd-ask-password systemd-tty-ask-password-agent \
    userdbctl resolvectl networkctl journalctl hostnamectl; do
    cat >"$bin/$program" <<EOF
#!/bin/sh
usr='$root/usr'
exec "\$usr/lib64/ld-linux-x86-64.so.2" --argv0 $program \\
    --library-path "\$usr/lib/x86_64-linux-gnu:\$usr/lib/x86_64-linux-gnu/systemd" \\
    "\$usr/bin/$program" "\$@"
EOF
    chmod +x "$bin/$program"
done

cat >"$bin/start" <<EOF
#!/bin/sh
# Runs a service in the foreground, with FOLDER as its /run and its own network and mounts.
#
# Usage: start SERVICE FOLDER
#
# SERVICE     socket below FOLDER                           interfaces
# udevd       udev/io.systemd.Udev                          io.systemd.Udev, io.systemd.service
# userdbd     systemd/userdb/io.systemd.Multiplexer         io.systemd.UserDatabase (more)
# resolved    systemd/resolve/io.systemd.Resolve            io.systemd.Resolve
#             systemd/resolve/io.systemd.Resolve.Monitor    io.systemd.Resolve.Monitor (more)
# networkd    systemd/netif/io.systemd.Network              io.systemd.Network, io.systemd.service
# journald    systemd/journal/io.systemd.journal            io.systemd.Journal, io.systemd.service
# hostnamed   systemd/io.systemd.Hostname                   io.systemd.Hostname
# importd     systemd/io.systemd.Import                     io.systemd.Import
#
# The service keeps the process ID of this program: end it with kill. Needs root.
set -eu
root='$root'
case \${1-} in
udevd | userdbd | resolved | networkd | journald | hostnamed | importd) ;;
*)
    sed -n '2,/^set/s/^# \\{0,1\\}//p' "\$0"
    exit 2
    ;;
esac
[ \$# -eq 2 ] || { echo "usage: start SERVICE FOLDER" >&2; exit 2; }
EOF
cat >>"$bin/start" <<'EOF'
service=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
mkdir -p "$folder/systemd/resolve" "$folder/systemd/resolve.hook" "$folder/systemd/userdb" \
    "$folder/systemd/journal" "$folder/systemd/machine" \
    "$folder/systemd/netif/leases" "$folder/systemd/netif/links"
chmod 755 "$folder"
chown 990:990 "$folder/systemd/resolve" "$folder/systemd/resolve.hook"
chown -R 991:991 "$folder/systemd/netif"
# The devices are a few of the machine's, in a file system that only the service sees: rules of
# udev change nothing outside.
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin ${SYSTEMD_LOG_LEVEL:+SYSTEMD_LOG_LEVEL=$SYSTEMD_LOG_LEVEL} \
    unshare --mount --net sh -euc '
        root=$1 folder=$2 service=$3
        mount --bind "$root" "$root"
        cd "$root"
        mount --bind "$folder" run
        mount -t proc proc proc
        mount -t sysfs -o ro sysfs sys
        mount -t tmpfs -o mode=755 tmpfs dev
        for node in null zero full random urandom; do
            : >"dev/$node"
            mount --bind "/dev/$node" "dev/$node"
        done
        exec chroot . "/usr/lib/systemd/systemd-$service"
    ' sh "$root" "$folder" "$service"
EOF
chmod +x "$bin/start"
echo "systemd $(cat "$directory/version") in $directory"
