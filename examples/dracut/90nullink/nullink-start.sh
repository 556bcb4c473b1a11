#!/bin/sh
# For an initramfs without systemd. dracut sources this file. /tmp is part of the initramfs.
/usr/bin/nullink-monitor unix:/run/uevents &
echo $! > /tmp/nullink-monitor.pid
