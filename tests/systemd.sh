#!/bin/sh
# Unpacks the programs of a current systemd, at least version 258, for tests against them.
#
# Usage: tests/systemd.sh DIR
#
# debian.sh downloads the packages, with a static shell for images. The services need root.
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

if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi

"$(dirname "$0")/debian.sh" "$1" "$oldest" systemd udev systemd-userdbd systemd-resolved systemd-container \
    systemd-oomd busybox-static
directory=$(cd "$1" && pwd)
root=$directory/root
bin=$directory/bin

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
