"""Files that programs replace by renaming a new file over them. Such a file cannot be a bind mount.

rename(2) onto a mount point fails (EBUSY). Sources: lckpwdf(3) and shadow's commonio.c for the files of users,
NixOS's update-users-groups.pl for the same, systemd's machine-id-setup.c, hostnamed and timedated.
"""

from __future__ import annotations

_USER_TOOLS = "programs that change users and passwords"
REPLACED_BY = {
    **{f"/etc/{name}": _USER_TOOLS for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")},
    "/etc/hostname": "`hostnamectl`",
    "/etc/machine-info": "`hostnamectl`",
    "/etc/locale.conf": "`localectl`",
    "/etc/vconsole.conf": "`localectl`",
    "/etc/adjtime": "`timedatectl`",
    "/etc/localtime": "`timedatectl`",
    "/etc/resolv.conf": "resolvconf and NetworkManager",
}
"""The programs that replace each file."""


def warning(path: str) -> tuple[str, ...]:
    """A warning about a bind mount of the file at this path; none if no known program replaces the file."""
    if not (who := REPLACED_BY.get(path)):
        return ()
    return (
        f"{path} is replaced by {who} with a rename, which fails on a bind mount; persist its directory, or declare "
        "the file in the configuration",
    )
