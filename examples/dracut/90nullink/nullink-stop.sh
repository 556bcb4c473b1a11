#!/bin/sh
# Stops the service. It would keep running otherwise, with the emptied initramfs as its root. The
# socket is left: a service of the real system can replace it.
[ ! -e /tmp/nullink-monitor.pid ] || kill "$(cat /tmp/nullink-monitor.pid)"
