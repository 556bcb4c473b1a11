#!/bin/sh
# Boots a kernel in QEMU with the example init as the first program, and calls it from the host over a
# virtio console and a serial line: see drive.py. The initramfs contains only our static programs and
# kernel modules. Then boots an initramfs with systemd-udevd, where script.sh calls both with nullctl.
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

# The other image also has nullctl, the script, a shell, and systemd-udevd with its libraries.
status=0
tests/systemd.sh target/systemd || status=$?
case $status in
0)
    unpacked=$PWD/target/systemd/root
    libraries=usr/lib/x86_64-linux-gnu
    rm -rf "$directory/tools"
    cp -r "$directory/root" "$directory/tools"
    (
        cd "$directory/tools"
        mkdir -p bin usr/bin usr/lib/systemd usr/lib64 "$libraries/systemd"
        ln -s usr/lib lib
        ln -s usr/lib64 lib64
        cp ../programs/nullctl "$unpacked/usr/bin/busybox" bin/
        ln -s busybox bin/sh
        cp "$unpacked/usr/bin/udevadm" usr/bin/
        ln -s ../../bin/udevadm usr/lib/systemd/systemd-udevd
        loader=$unpacked/usr/lib64/ld-linux-x86-64.so.2
        cp -L "$loader" usr/lib64/
        "$loader" --library-path "$unpacked/$libraries:$unpacked/$libraries/systemd" --list usr/bin/udevadm |
            sed -n "s,.* => $unpacked/\($libraries/[^ ]*\) .*,\1,p" |
            while read -r library; do cp -L "$unpacked/$library" "$library"; done
    )
    cp tests/boot/script.sh "$directory/tools/script"
    image tools
    tools=$directory/tools.cpio
    ;;
77)
    echo "skipped: needs systemd 262 from Debian"
    [ "${CI:-}" != true ] || exit 1
    tools=
    ;;
*) exit "$status" ;;
esac

cargo build --quiet --locked --example init
for module in $modules; do
    set -- "$@" "nullink.module=/modules/$module.ko"
done
shift
exec timeout 900 "$python" tests/boot/drive.py "$(echo target/kernel/boot/vmlinuz-*)" \
    "$directory/root.cpio" "$tools" "${CARGO_TARGET_DIR:-target}/debug/examples/init" "$@"
