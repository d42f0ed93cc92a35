"""The data that services keep below /var, and the options of NixOS that enable each service."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from subfloor.nixos.users import User


@dataclass(frozen=True)
class Service:
    """A service and its data.

    ``words``: a regular expression for the options that enable the service; ``path``: where its data is;
    ``otherwise``: what happens if the data is lost; ``group``: the group of its users, if it has one.
    """

    words: str
    path: str
    otherwise: str
    group: str = ""


SERVICES = (
    Service(r"fprintd", "/var/lib/fprint", "enrolled fingerprints are lost"),
    Service(r"libvirtd", "/var/lib/libvirt", "virtual machines, their disks and networks are lost", "libvirtd"),
    Service(
        r"acme|enableACME|useACMEHost",
        "/var/lib/acme",
        "every boot requests new certificates, until the authority's rate limit is reached",
        "acme",
    ),
    Service(r"docker", "/var/lib/docker", "images and volumes are lost", "docker"),
    Service(r"podman|oci-containers|cri-o", "/var/lib/containers", "images and volumes are lost", "podman"),
    Service(
        r"(?<!\.)containers(?!\.(?:enable|registries|storage|policy|containersConf))",
        "/var/lib/nixos-containers",
        "NixOS containers lose their data",
    ),
    Service(r"incus", "/var/lib/incus", "containers and virtual machines are lost", "incus-admin"),
    Service(r"lxd", "/var/lib/lxd", "containers and virtual machines are lost", "lxd"),
    Service(r"waydroid", "/var/lib/waydroid", "Android's image and its data are lost"),
    Service(r"flatpak", "/var/lib/flatpak", "applications are lost"),
    Service(r"postgresql", "/var/lib/postgresql", "the databases are lost", "postgres"),
    Service(r"mysql|mariadb", "/var/lib/mysql", "the databases are lost", "mysql"),
    Service(r"samba", "/var/lib/samba", "passwords and the machine account are lost"),
    Service(r"tailscale", "/var/lib/tailscale", "the machine must be authorised again"),
    Service(r"zerotierone", "/var/lib/zerotier-one", "the machine gets a new address"),
    Service(r"iwd", "/var/lib/iwd", "known networks and their passwords are lost"),
    Service(r"printing", "/var/lib/cups", "printers and their settings are lost"),
    Service(r"subfloor", "/var/lib/subfloor", "the last report of drift is lost"),
    Service(r"usbguard", "/var/lib/usbguard", "added rules are lost"),
    Service(r"upower|desktopManager", "/var/lib/upower", "battery history is lost"),
    Service(r"gnome|gdm", "/var/lib/AccountsService", "users' pictures and session choices are lost"),
    Service(r"caddy", "/var/lib/caddy", "certificates are lost"),
    Service(r"grafana", "/var/lib/grafana", "dashboards and users are lost"),
    Service(r"prometheus", "/var/lib/prometheus2", "metrics are lost"),
    Service(r"nextcloud", "/var/lib/nextcloud", "all files are lost"),
    Service(r"jellyfin", "/var/lib/jellyfin", "libraries and users are lost"),
    Service(r"syncthing", "/var/lib/syncthing", "the device's identity and folders are lost", "syncthing"),
    Service(r"home-assistant", "/var/lib/hass", "settings and history are lost"),
    Service(r"lanzaboote|sbctl", "/var/lib/sbctl", "the keys of Secure Boot are lost"),
)  # fmt: skip

LECTURED = "/var/db/sudo/lectured"


def switched_on(text: str, users: Collection[User]) -> Iterator[Service]:
    """The services that a NixOS module with this ``text`` enables, and those whose group a user is in."""
    said = _without_comments(text)
    groups = {group for user in users for group in user.groups}
    if "wheel" in groups and not re.search(r"\blecture\b", said):
        yield Service("sudo", LECTURED, "sudo shows its lecture again after every boot")
    for each in SERVICES:
        if each.group in groups or _names(said, each.words):
            yield each


def _names(text: str, words: str) -> bool:
    """Whether one of the options is set. A package of the same name does not count."""
    return bool(re.search(rf"(?<![\w-])(?:{words})(?![\w-])\s*[.=]", text))


_COMMENT = re.compile(r"/\*.*?\*/|#[^\n]*", re.S)
_OFF = re.compile(r"^.*\benable\s*=\s*(?:lib\.mkForce\s+)?false\b.*$", re.M)


def _without_comments(text: str) -> str:
    return _OFF.sub("", _COMMENT.sub("", text))
