"""Read devices with blkid, in sh, without waiting for one that no longer answers."""

from __future__ import annotations

MOST_SILENT = 3
"""How many calls that get no answer are waited for. After that no device is read, so that a look ends well within its
subject's patience."""

# A read may wait in the kernel, where no signal ends it, and `timeout` waits for its child. So both run in the
# background, and only what they print is waited for.
ASK = rf"""
silent=0
ask() {{ # the words of blkid. Sets $answer, and $status: that of blkid, or `silent`.
    answer= status=silent
    [ "$silent" -lt {MOST_SILENT} ] || return 0
    answer=$({{ {{ timeout -k 1 5 blkid "$@"; echo "status $?"; }} </dev/null 2>/dev/null & }} | timeout 6 cat)
    case "
$answer" in
        *"
status "[0-9]*) status=${{answer##*status }} answer=${{answer%status *}};;
    esac
    case $status in 0 | 2 | 8) ;; *) status=silent silent=$((silent + 1));; esac
}}
"""
"""A function in sh. blkid(8) exits with 2 if it finds nothing, and with 8 if what it finds is ambivalent."""
