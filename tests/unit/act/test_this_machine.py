"""Which machine this is: by its firmware, and by nothing that an installer makes anew."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from subfloor.act.this_machine import this_machine

UUID_OF_SYSTEM = "class/dmi/id/product_uuid"
SERIAL = "firmware/devicetree/base/serial-number"


def sys_with(path: Path, **files: bytes) -> Path:
    for name, content in files.items():
        file = path / {"dmi": UUID_OF_SYSTEM, "tree": SERIAL}[name]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def test_the_firmware_says_which_machine_it_is_and_the_value_itself_is_not_shown(tmp_path: Path) -> None:
    found = this_machine(sys_with(tmp_path, dmi=b"4C4C4544-0042-3510-8052-B4C04F4B4E31\n"))
    assert UUID(found).version == 5 and "4c4c4544" not in found
    again = this_machine(sys_with(tmp_path, dmi=b"4c4c4544-0042-3510-8052-b4c04f4b4e31\n"))
    assert again == found != this_machine(sys_with(tmp_path, dmi=b"4c4c4544-0042-3510-8052-b4c04f4b4e32\n"))


def test_a_board_without_smbios_has_its_serial_number(tmp_path: Path) -> None:
    assert this_machine(sys_with(tmp_path, tree=b"10000000a1b2c3d4\0"))


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"00000000-0000-0000-0000-000000000000\n", b"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n"]
)
def test_firmware_that_was_given_no_identity_says_nothing(tmp_path: Path, content: bytes) -> None:
    assert this_machine(sys_with(tmp_path, dmi=content)) == ""


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert this_machine(tmp_path) == ""
    (tmp_path / UUID_OF_SYSTEM).mkdir(parents=True)
    assert this_machine(tmp_path) == ""
