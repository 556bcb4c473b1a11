#!/bin/sh
# Boots a kernel in QEMU with the example init as the first program, and calls it from the host over a
# virtio console and a serial line: see drive.py. The initramfs contains only our static programs and
# kernel modules.
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
(cd "$directory/root" && find . | cpio -o -H newc --quiet) >"$directory/initramfs"

cargo build --quiet --locked --example init
for module in $modules; do
    set -- "$@" "nullink.module=/modules/$module.ko"
done
shift
exec timeout 900 "$python" tests/boot/drive.py "$(echo target/kernel/boot/vmlinuz-*)" "$directory/initramfs" \
    "${CARGO_TARGET_DIR:-target}/debug/examples/init" "$@"
