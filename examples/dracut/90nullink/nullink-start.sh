#!/bin/sh
# For an initramfs without systemd. (It is sourced. /tmp goes with the initramfs.)
/usr/bin/nullink-monitor unix:/run/uevents &
echo $! > /tmp/nullink-monitor.pid
