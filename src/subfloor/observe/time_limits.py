"""Programs that read devices, in sh, without waiting for a device that no longer answers."""

from __future__ import annotations

MOST_SILENT = 3
"""The number of calls of blkid without an answer to wait for. After that no device is read, so that a look ends well
within its subject's patience."""

# A read may wait in the kernel, where no signal ends it, and `timeout` waits for its child. So both run in the
# background, and only what they print is waited for.
BOUNDED = r"""
bounded() { # seconds, and a command. Sets $answer, what it printed, and $status: its own, or `silent`.
    status=silent
    answer=$({ { timeout -k 1 "$@"; printf '\nstatus %s\n' "$?"; } </dev/null 2>/dev/null & } | timeout $(($1 + 1)) cat)
    case $answer in
        *"
status "[0-9]*) status=${answer##*status } answer=${answer%
status *};;
    esac
    case $status in 124 | 137) status=silent;; esac
}
"""
"""A function in sh that runs a command, for at most the given number of seconds."""

ASK = rf"""
{BOUNDED}
silent=0
ask() {{ # the words of blkid. Sets $answer, and $status: that of blkid, or `silent`.
    answer= status=silent
    [ "$silent" -ge {MOST_SILENT} ] || bounded 5 blkid "$@"
    case $status in 0 | 2 | 8) ;; *) status=silent silent=$((silent + 1));; esac
}}
"""
"""The same, and one that asks blkid(8), which exits with 2 if it finds nothing, and with 8 if that is ambivalent."""
