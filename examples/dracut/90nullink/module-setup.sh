#!/bin/bash
# A dracut module: adds the static program `monitor` (org.example.uevents) to the initramfs, where it
# serves at unix:/run/uevents. For another service, change the names here and in the other files.

# 255: the module is used only on request, with --add nullink or add_dracutmodules. The program must be
# installed.
check() {
    require_binaries /usr/local/bin/nullink-monitor || return 1
    return 255
}

depends() {
    return 0
}

install() {
    # Also installs the needed libraries. A static program has none.
    inst_binary /usr/local/bin/nullink-monitor /usr/bin/nullink-monitor
    if dracut_module_included systemd; then
        # systemd creates the socket early, and starts the service for the first client.
        inst_simple "$moddir/nullink-monitor.service" "$systemdsystemunitdir/nullink-monitor.service"
        inst_simple "$moddir/nullink-monitor.socket" "$systemdsystemunitdir/nullink-monitor.socket"
        $SYSTEMCTL -q --root "$initdir" enable nullink-monitor.socket
    else
        # The service runs from before udev until just before the switch to the real root.
        inst_hook pre-udev 10 "$moddir/nullink-start.sh"
        inst_hook cleanup 90 "$moddir/nullink-stop.sh"
    fi
}
