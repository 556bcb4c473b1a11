#!/bin/bash
# A dracut module: the static program `monitor` (org.example.uevents), in the initramfs, at
# unix:/run/uevents. For another service: other names in here and in the files beside it.

# Only where it is asked for (255): --add nullink, or add_dracutmodules. And only if it is installed.
check() {
    require_binaries /usr/local/bin/nullink-monitor || return 1
    return 255
}

depends() {
    return 0
}

install() {
    # (With the libraries that it needs, of which a static program has none.)
    inst_binary /usr/local/bin/nullink-monitor /usr/bin/nullink-monitor
    if dracut_module_included systemd; then
        # systemd has the socket from the beginning, and starts the service for the first client.
        inst_simple "$moddir/nullink-monitor.service" "$systemdsystemunitdir/nullink-monitor.service"
        inst_simple "$moddir/nullink-monitor.socket" "$systemdsystemunitdir/nullink-monitor.socket"
        $SYSTEMCTL -q --root "$initdir" enable nullink-monitor.socket
    else
        # It runs before udev does, and until just before the switch to the real root.
        inst_hook pre-udev 10 "$moddir/nullink-start.sh"
        inst_hook cleanup 90 "$moddir/nullink-stop.sh"
    fi
}
