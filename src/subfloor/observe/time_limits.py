"""Functions in sh that run programs which read devices, without waiting for a device that no longer answers."""

from __future__ import annotations

MOST_SILENT = 3
"""How many calls of blkid may stay without an answer. After that no device is read, so that a look ends well within its
subject's patience."""

# A read may wait in the kernel, where no signal ends it, and `timeout` waits for its child. So `timeout` and the
# command run in the background, and only their output is waited for.
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
"""``bounded``, and a function in sh that runs blkid(8) with it. blkid exits with 2 if it finds nothing, and with 8 if
signatures contradict each other."""
