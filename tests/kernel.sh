#!/bin/sh
# Debian's kernel for virtual machines, in target/kernel, without installing it: boot and lib/modules.
set -eu
cd "$(dirname "$0")/.."
[ ! -e target/kernel/done ] || exit 0
rm -rf target/kernel
mkdir -p target/kernel
cd target/kernel
package=$(apt-cache depends --important linux-image-cloud-amd64 | sed -n 's/.*Depends: *\(linux-image-[^ ]*\).*/\1/p')
apt-get download -qq -o APT::Sandbox::User=root "$package"
dpkg -x ./*.deb .
rm ./*.deb
touch done
