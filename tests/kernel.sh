#!/bin/sh
# Downloads Debian's kernel for virtual machines, and unpacks its files into target/kernel.
set -eu
cd "$(dirname "$0")/.."
[ ! -e target/kernel/done ] || exit 0
rm -rf target/kernel
mkdir -p target/kernel
cd target/kernel
find_package() {
    apt-cache depends --important linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/.*Depends: *\(linux-image-[^ ]*\).*/\1/p'
}
package=$(find_package)
if [ -z "$package" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    package=$(find_package)
fi
[ -n "$package" ] || {
    echo "kernel: apt has no package linux-image-cloud-amd64" >&2
    exit 1
}
apt-get download -qq -o APT::Sandbox::User=root "$package"
dpkg -x ./*.deb .
rm ./*.deb
touch done
