#!/bin/sh
# Boots a kernel in QEMU with the example init as the first program, and calls it from the host over a
# virtio console and a serial line: see drive.py. The initramfs contains only our static programs and
# kernel modules. Then boots the kernel of a newer Debian and an initramfs with systemd-udevd, where
# script.sh calls both with nullctl.
#
#   tests/boot/run.sh PYTHON      a Python that has the package varlink
set -eu
cd "$(dirname "$0")/../.."
python=$1
directory=target/boot

for tool in qemu-system-x86_64 cpio apt-get dpkg; do
    command -v "$tool" >/dev/null && continue
    echo "skipped: needs $tool"
    [ "${CI:-}" != true ] || exit 1
    exit 0
done

tests/kernel.sh
mkdir -p "$directory"
tests/freestanding/build.sh "$directory/programs"
rm -rf "$directory/root"
mkdir -p "$directory/root/modules"
for program in init monitor report; do
    cp "$directory/programs/$program" "$directory/root/"
done
modules="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_console"
for module in $modules; do
    find target/kernel/lib/modules -name "$module.ko" -exec cp {} "$directory/root/modules/" \;
done
image() { (cd "$directory/$1" && find . | cpio -o -H newc --quiet) >"$directory/$1.cpio"; }
image root

# The other image also has nullctl, the script, a shell, and systemd-udevd and varlinkctl with their
# libraries. Its kernel has tags on sockets, and the drivers of the console. varlinkctl needs a module to
# list sockets.
status=0
tests/systemd.sh target/systemd && tests/debian.sh target/linux 7.1 linux-image-cloud-amd64 || status=$?
case $status in
0)
    release=$(echo target/linux/root/usr/lib/modules/*)
    unpacked=$PWD/target/systemd/root
    libraries=usr/lib/x86_64-linux-gnu
    rm -rf "$directory/tools"
    cp -r "$directory/root" "$directory/tools"
    rm "$directory/tools/modules"/*
    "$unpacked/usr/bin/busybox" xzcat "$release/kernel/net/unix/unix_diag.ko.xz" \
        >"$directory/tools/modules/unix_diag.ko"
    (
        cd "$directory/tools"
        mkdir -p bin etc usr/bin usr/lib/systemd usr/lib64 "$libraries/systemd"
        ln -s usr/lib lib
        ln -s usr/lib64 lib64
        cp ../programs/nullctl "$unpacked/usr/bin/busybox" bin/
        ln -s busybox bin/sh
        cp "$unpacked/etc/passwd" etc/
        cp "$unpacked/usr/bin/udevadm" "$unpacked/usr/bin/varlinkctl" usr/bin/
        ln -s ../../bin/udevadm usr/lib/systemd/systemd-udevd
        loader=$unpacked/usr/lib64/ld-linux-x86-64.so.2
        cp -L "$loader" usr/lib64/
        for program in udevadm varlinkctl; do
            "$loader" --library-path "$unpacked/$libraries:$unpacked/$libraries/systemd" --list "usr/bin/$program"
        done |
            sed -n "s,.* => $unpacked/\($libraries/[^ ]*\) .*,\1,p" | sort -u |
            while read -r library; do cp -L "$unpacked/$library" "$library"; done
    )
    cp tests/boot/script.sh "$directory/tools/script"
    image tools
    kernel=$release/vmlinuz tools=$directory/tools.cpio
    ;;
77)
    echo "skipped: needs systemd 262 and Linux 7.1 from Debian"
    [ "${CI:-}" != true ] || exit 1
    kernel= tools=
    ;;
*) exit "$status" ;;
esac

cargo build --quiet --locked --example init
for module in $modules; do
    set -- "$@" "nullink.module=/modules/$module.ko"
done
shift
exec timeout 900 "$python" tests/boot/drive.py "$(echo target/kernel/boot/vmlinuz-*)" \
    "$directory/root.cpio" "$kernel" "$tools" "${CARGO_TARGET_DIR:-target}/debug/examples/init" "$@"
