#!/bin/sh
# Runs the commands of docs/early-boot.md for initramfs images: for dracut with and without systemd, for
# initramfs-tools, and for mkosi-initrd. Boots each image in QEMU: a client must receive a uevent before
# udev runs, and the service must be gone in the real root.
#
#   tests/images.sh [PROGRAM]      the static program `monitor`, if it has been built already
#
# It does not change the machine: everything happens in a mount namespace, with overlays on directories.
#
# Debian 12 has no mkosi-initrd. The files that the commands put into mkosi.extra are added to an image
# of dracut with systemd, as mkosi adds them to its own. (This was tried by hand with mkosi 26.)
set -eu

fail() {
    echo "images: $*" >&2
    exit 1
}

# commands HEADING: prints the commands of a section of docs/early-boot.md.
commands() {
    awk -v heading="$1" '
        /^##* / { inside = $0 == heading }
        /^```/ { code = inside && $0 == "```sh"; next }
        code' docs/early-boot.md
}

# add DIRECTORY IMAGE: appends a directory to an image. The kernel unpacks all archives in a file that
# start at multiples of 4 bytes.
add() {
    truncate -s %4 "$2"
    (cd "$1" && find . | cpio --quiet -o -H newc) >>"$2"
}

# boots NAME DIRECTORY gone|left: boots /boot/nullink.img with the check, and with a directory that
# starts the check. In the real root, the socket must be gone or left.
boots() {
    cp /boot/nullink.img "$work/image"
    add "$work/check" "$work/image"
    add "$work/$2" "$work/image"
    start=$(date +%s)
    timeout 300 qemu-system-x86_64 -accel tcg -m 512M -nodefaults -display none -serial stdio -no-reboot \
        -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/image" \
        -drive "if=none,id=root,format=raw,file=$work/root.img,snapshot=on" -device nvme,serial=1,drive=root \
        -append "console=ttyS0 panic=-1 quiet root=/dev/nvme0n1 rootfstype=ext4 rw fastboot rd.skipfsck rd.shell=0 rd.emergency=reboot" \
        </dev/null | tr -d '\r' >"$work/console" || true
    said=$(sed -n 's/^.*check: //p' "$work/console" | sed 's/^[0-9]* change/change/' | tr '\n' ';')
    expected="before udev;listening;change /devices/virtual/mem/null;the real root;the socket is $3;end;"
    [ "$said" = "$expected" ] || {
        tail -n 50 "$work/console"
        fail "$1: the image printed \"$said\", expected \"$expected\""
    }
    echo "images: $1: the service answers before udev, and is gone in the real root ($(($(date +%s) - start)) s)"
}

# run HEADING: runs the commands of a section of docs/early-boot.md.
run() {
    rm -f /boot/nullink.img
    commands "$1" | grep -vxF "$build" >"$work/commands"
    [ -s "$work/commands" ] || fail "docs/early-boot.md has no commands below \"$1\""
    start=$(date +%s)
    sh -e "$work/commands" >"$work/log" 2>&1 </dev/null || {
        tail -n 50 "$work/log"
        fail "$1: a command failed"
    }
    echo "images: the commands below \"$1\" work ($(($(date +%s) - start)) s)"
}

# The command that builds the programs. It does not need root.
build="tests/freestanding/build.sh target/static"

if [ "${1-}" != --inside ]; then
    cd "$(dirname "$0")/.."
    for tool in dracut lsinitrd mkinitramfs lsinitramfs qemu-system-x86_64 apt-get dpkg cpio zstd depmod mke2fs strip ldd unshare; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing="${missing-} $tool"
    done
    [ -x /usr/lib/systemd/systemd ] || missing="${missing-} systemd"
    sudo=
    [ "$(id -u)" = 0 ] || { sudo=sudo && command -v sudo >/dev/null; } || missing="${missing-} root"
    if [ -n "${missing-}" ]; then
        [ "${CI:-}" != true ] || fail "needs$missing"
        echo "skipped: needs$missing"
        exit 0
    fi

    tests/kernel.sh || fail "cannot download a kernel"
    commands "## In an initramfs" | grep -qxF "$build" || fail "docs/early-boot.md has another command to build the programs"
    mkdir -p target/static target/images
    if [ -n "${1-}" ]; then
        cp "$1" target/static/monitor
    else
        eval "$build"
    fi
    cargo build --quiet --locked --example monitor
    exec $sudo unshare --mount --propagation private "tests/$(basename "$0")" --inside "$PWD/target/kernel" \
        "${CARGO_TARGET_DIR:-target}/debug/examples/monitor"
fi

kernel=$2 client=$3
export PATH="$PATH:/usr/sbin:/sbin"
work=$PWD/target/images
mount -t tmpfs tmpfs "$work"
for directory in usr etc boot var; do
    mkdir -p "$work/over/$directory" "$work/under/$directory"
    mount -t overlay -o "lowerdir=/$directory,upperdir=$work/over/$directory,workdir=$work/under/$directory" \
        overlay "/$directory"
done

# To save time, the running kernel seems to have no modules, so the images contain none. The kernel that
# is booted has the needed drivers built in.
modules=/usr/lib/modules/$(uname -r)
mkdir -p /usr/lib/modules
mount -t tmpfs tmpfs /usr/lib/modules
mkdir "$modules"
touch "$modules/modules.order" "$modules/modules.builtin" "$modules/modules.builtin.modinfo"
depmod
cp "$kernel"/boot/config-* "/boot/config-$(uname -r)"
printf '%s\n' 'no_kernel=yes' 'hostonly=no' 'compress=cat' >/etc/dracut.conf.d/quick.conf
echo 'MODULES=list' >/etc/initramfs-tools/conf.d/quick

# For the image: a client with its libraries, and a script that waits until it receives a uevent.
check=$work/check/check
mkdir -p "$check"
strip -o "$check/monitor" "$client"
libraries=$(ldd "$client" | sed -n 's,^[^/]*\(/[^ ]*\) (.*,\1,p')
cp -L $libraries "$check/"
cat >"$check/run" <<'SCRIPT'
#!/bin/sh
say() { echo "check: $*" >/dev/console; }
when="before udev"
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" || continue
    case $name in *udevd) when="after udev" ;; esac
done
say "$when"
# The service may have been started only now.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -S /run/uevents ] || break
    sleep 1
done
mkfifo /check/reports
/check/ld-linux-x86-64.so.2 --library-path /check /check/monitor --follow unix:/run/uevents mem >/check/reports 2>&1 &
while read -r line; do
    say "$line"
    case $line in
    listening) echo change >/sys/devices/virtual/mem/null/uevent ;;
    *) break ;;
    esac
done </check/reports
SCRIPT
chmod +x "$check/run"

# These run the check before udev: a unit, a hook of dracut, a script of initramfs-tools.
units=$work/systemd/usr/lib/systemd/system
mkdir -p "$units/sysinit.target.wants"
cat >"$units/check.service" <<'UNIT'
[Unit]
DefaultDependencies=no
After=nullink-monitor.socket
Before=systemd-udevd.service sysinit.target
[Service]
Type=oneshot
# The client keeps running.
KillMode=process
ExecStart=/check/run
UNIT
ln -s ../check.service "$units/sysinit.target.wants/"

hooks=$work/hook/usr/lib/dracut/hooks/pre-udev
mkdir -p "$hooks"
echo '/check/run' >"$hooks/20-check.sh"
chmod +x "$hooks/20-check.sh"

mkdir "$work/nothing"
cat >/etc/initramfs-tools/scripts/init-top/tell <<'SCRIPT'
#!/bin/sh
[ "$1" != prereqs ] || exit 0
/check/run
SCRIPT
chmod +x /etc/initramfs-tools/scripts/init-top/tell

# The real root: its first program prints what is left, and restarts, which ends QEMU.
root=$work/root
mkdir -p "$root/sbin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/bin"
cp /bin/dash "$root/bin/sh"
for library in $(ldd /bin/dash | sed -n 's,^[^/]*\(/[^ ]*\) (.*,\1,p'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
echo 'ID=nothing' >"$root/etc/os-release"
cat >"$root/sbin/init" <<'SCRIPT'
#!/bin/sh
say() { echo "check: $*" >/dev/console; }
say "the real root"
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" || continue
    [ "$name" != nullink-monitor ] || say "the service still runs"
done
if [ -S /run/uevents ]; then say "the socket is left"; else say "the socket is gone"; fi
say "end"
echo b >/proc/sysrq-trigger
SCRIPT
chmod +x "$root/sbin/init"
truncate -s 32M "$work/root.img"
mke2fs -q -t ext4 -d "$root" "$work/root.img"

# Replacements for commands: sudo, because this runs as root, and mkosi-initrd, with mkosi.extra.
mkdir "$work/bin"
export PATH="$work/bin:$PATH"
printf '#!/bin/sh\nexec "$@"\n' >"$work/bin/sudo"
cat >"$work/bin/mkosi-initrd" <<'SCRIPT'
#!/bin/sh
set -eu
[ "$*" = "--output-dir /boot --output nullink.img" ]
dracut --force /boot/nullink.img
truncate -s %4 /boot/nullink.img
cd /etc/mkosi-initrd/mkosi.extra
find . | cpio --quiet -o -H newc >>/boot/nullink.img
SCRIPT
chmod +x "$work/bin/sudo" "$work/bin/mkosi-initrd"

run "## In an initramfs"

run "### dracut"
boots "dracut with systemd" systemd gone

echo 'omit_dracutmodules+=" systemd "' >/etc/dracut.conf.d/plain.conf
run "### dracut"
boots "dracut without systemd" hook left
rm /etc/dracut.conf.d/plain.conf /etc/dracut.conf.d/nullink.conf

run "### initramfs-tools"
boots "initramfs-tools" nothing left

run "### mkosi-initrd"
boots "mkosi-initrd's files" systemd gone
