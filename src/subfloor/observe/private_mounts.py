"""The functions in sh that mount filesystems read-only in a separate mount namespace."""

from __future__ import annotations

# Standard error is discarded, except where it gives a reason to report. The host needs no directory for this: $stage is
# a tmpfs over a directory that every proc filesystem has.
_STAGE = """
exec 2>/dev/null
stage=/proc/driver
"""

OPENING = (
    _STAGE
    + r"""
mount -t tmpfs -o mode=0700 tmpfs "$stage" && mkdir "$stage/ok" || { echo 'mount: permission denied'; exit 1; }
lock=${SUBFLOOR_LOCK:-/run/subfloor.lock} busy=
[ ! -r "$lock" ] || { exec 3<"$lock"; flock --shared --nonblock 3 || busy='another run of subfloor is in progress'; }

# Mount a filesystem (its number, node, type and UUID) at $stage/NUMBER, and say why not.
open_fs() {
    number=$1 node=$2 type=$3 uuid=$4 at=$stage/$1 why=$busy note=
    mkdir "$at"
    [ "$why" ] || open_it
    [ "$why" ] || why=$(ls "$at" 2>&1 >/dev/null | head -n 1)
    [ "$why" ] || : > "$stage/ok/$number"
    [ -z "$why" ] || printf 'unopened %s %s\n' "$number" "$(plain "$why")"
    [ -z "$note" ] || printf 'note %s %s\n' "$number" "$note"
}

# What mount(8) printed, without its own name, the place and device of this moment, and where more may be found.
plain() {
    printf %s "$1" | tr '\n\t' '  ' |
        sed "s|^mount: $at: ||; s|/dev/loop[0-9][0-9]*\([^0-9p]\)|$node\1|g; s| *dmesg(1).*||"
}

safe=ro,nosuid,nodev,noexec

open_it() {
    mounted=$(mounted_at)
    if [ "$mounted" ] && [ "$type" != btrfs ]; then
        mount --bind -- "$mounted" "$at" && mount -o remount,bind,ro -- "$at" || why='its existing mount cannot be used'
    elif [ ! -b "$node" ]; then
        why='the kernel does not have this device yet'
    elif [ -z "$uuid" ]; then
        why='it does not carry the UUID that this play gives'
    elif [ "$(blkid -p -s UUID -o value -- "$node")" != "$uuid" ]; then
        why='it no longer carries the UUID that this play gives'
    elif ! lock_disks "$(readlink -f -- "$node")"; then
        why='another program has locked its disk'
    elif [ "$type" = btrfs ]; then
        try btrfs "$safe,rescue=nologreplay,subvolid=5" "$node"
    else
        mount_by_loop
    fi
}

# Mount it: type, options, device. A mount that succeeds may print a warning.
try() {
    if why=$(mount -t "$1" -o "$2" -- "$3" "$at" 2>&1); then why=; else why=${why:-mount failed}; return 1; fi
}

# Where the whole filesystem is mounted already.
mounted_at() {
    set -- $(stat -L -c '0x%t 0x%T' -- "$node")
    device=$(($1)):$(($2))
    found=
    while read -r _ _ of root path _; do
        [ "$of $root" != "$device /" ] || found=$path
    done < /proc/self/mountinfo
    printf %b "$found"
}

# Share the lock of every disk that a device lies on, with descriptors 5 to 8.
lock_disks() {
    free=8
    for disk in $(disks_of "${1##*/}"); do
        [ -r "$disk" ] && [ "$free" -ge 5 ] || return 1
        eval "exec $free<\"\$disk\""
        flock --shared --nonblock "$free" || return 1
        free=$((free - 1))
    done
}
disks_of() {
    if [ -e "/sys/class/block/$1/partition" ]; then
        set -- "$(readlink -f "/sys/class/block/$1/..")"
        echo "/dev/${1##*/}"
    elif [ -e "/sys/class/block/$1/slaves" ] && [ "$(ls "/sys/class/block/$1/slaves")" ]; then
        for below in $(ls "/sys/class/block/$1/slaves"); do disks_of "$below"; done
    else
        echo "/dev/$1"
    fi
}

# A loop device that is locked while it is free, so that udev does not probe it.
lock_loop() {
    tries=0
    while [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        loop=$(losetup --find) && [ -r "$loop" ] || break
        exec 9<"$loop"
        flock --exclusive --wait 0.1 9 && ! is_in_use && return
        exec 9<&-
    done
    why='no loop device is free (losetup --find)'
    return 1
}
is_in_use() { [ -e "/sys/class/block/${loop##*/}/loop" ]; }

# On a read-only device the kernel refuses a filesystem whose journal must be replayed. The option `loop=` makes the
# loop device end with its last use. `errors`: a superblock may say that the kernel shall panic. `nouuid`: another look
# may have mounted it too.
mount_by_loop() {
    case $type in ext4 | vfat) own=,errors=continue;; xfs) own=,nouuid;; *) own=;; esac
    case $type in ext4) as_is=,noload;; xfs | f2fs) as_is=,norecovery;; *) as_is=;; esac
    if lock_loop; then
        try "$type" "loop=$loop,$safe$own" "$node" && return
        [ "$as_is" ] || return
        if is_in_use; then set -- "$safe" "$loop"; else set -- "loop=$loop,$safe" "$node"; fi
        try "$type" "$1$own$as_is" "$2" || return
        note='its journal was not replayed, so the last writes may be missing from this report'
    fi
}
"""
)

PLACING = (
    _STAGE
    + r"""
memory=
in_memory() { mount -t tmpfs -o "mode=$1" tmpfs "$2" && memory="$memory $(stat -c %d -- "$2")"; }

# Show a path inside a filesystem (its number, 0: none) at a place, and say why not.
place() {
    number=$1 path=$2 filesystem=$3 from=$stage/$3${4%/}
    if [ ! -e "$stage/ok/$filesystem" ]; then
        ready "$path" directory && in_memory 0755 "$path"
    elif [ ! -e "$from" ]; then
        printf 'missing %s the filesystem has no %s\n' "$number" "$4"
    elif [ -d "$from" ]; then
        ready "$path" directory && mount --bind -- "$from" "$path"
    else
        ready "$path" file && mount --bind -- "$from" "$path"
    fi || printf 'missing %s its mount point %s is missing\n' "$number" "$path"
}

# Make a mount point. The directory that it has to be in gets a copy in memory, unless it is in memory already.
ready() {
    if [ -e "$1" ]; then
        case $2 in directory) [ -d "$1" ];; *) [ -f "$1" ];; esac
        return
    fi
    over=$1
    while [ ! -e "$over" ] && [ ! -L "$over" ]; do over=${over%/*}; over=${over:-/}; done
    [ -d "$over" ] || return 1
    case " $memory " in
        *" $(stat -c %d -- "$over") "*) ;;
        *) [ "$over" != / ] && cover "$over" || return 1;;
    esac
    if [ "$2" = directory ]; then mkdir -p -- "$1"; else mkdir -p -- "${1%/*}" && : > "$1"; fi
}
covers=0
cover() {
    covers=$((covers + 1))
    copy=$stage/cover.$covers
    mkdir "$copy" && in_memory "$(stat -c %a -- "$1")" "$copy" && chown "$(stat -c %u:%g -- "$1")" "$copy" || return 1
    for each in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        entry=$copy/${each##*/}
        if [ -L "$each" ]; then cp -P -- "$each" "$entry"
        elif [ -d "$each" ]; then mkdir -- "$entry" && mount --rbind -- "$each" "$entry"
        elif [ -e "$each" ]; then : > "$entry" && mount --bind -- "$each" "$entry"
        fi || return 1
    done
    mount --rbind -- "$copy" "$1"
}
"""
)
