"""Unpack the ELF kernel from a bootable image.

A vmlinuz unpacks itself when it starts, which takes several seconds on an emulated processor. QEMU can also
start the unpacked kernel by its PVH entry, so it is unpacked here if possible. Pure.
"""

from __future__ import annotations

import lzma
import struct
import zlib

# Offsets of the boot protocol (Documentation/arch/x86/boot.rst).
_SETUP_SECTORS, _MAGIC, _PAYLOAD = 0x1F1, 0x202, 0x248
_SECTOR = 512

# The head of the ELF note with the PVH entry (XEN_ELFNOTE_PHYS32_ENTRY), for both sizes of addresses.
_PVH_NOTES = tuple(struct.pack("<3I4s", 4, size, 18, b"Xen\0") for size in (4, 8))


def vmlinux(image: bytes) -> bytes | None:
    """The ELF kernel inside a bzImage; None if its compression is not supported here, or it has no PVH entry."""
    if len(image) < _PAYLOAD + 8 or image[_MAGIC : _MAGIC + 4] != b"HdrS":
        return None
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    start = ((image[_SETUP_SECTORS] or 4) + 1) * _SECTOR + offset
    kernel = _unpacked(image[start : start + length])
    if not kernel.startswith(b"\x7fELF") or not any(note in kernel for note in _PVH_NOTES):
        return None
    return kernel


def _unpacked(payload: bytes) -> bytes:
    """The unpacked payload; empty if it cannot be unpacked. The length after the compressed data is ignored."""
    try:
        if payload.startswith(b"\xfd7zXZ"):
            return lzma.LZMADecompressor().decompress(payload)
        if payload.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(payload)
    except (lzma.LZMAError, zlib.error):
        pass
    return b""
