"""`services.subfloor.drift`: the service and the timer that it declares, evaluated by Nix itself."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from places import DATA, ROOT

MODULE = ROOT / "src/subfloor/nixos/installed"
PROGRAM = "/nix/store/00000000000000000000000000000000-subfloor/bin/subfloor"


def declared(home: Path, given: str = "{ }") -> dict[str, Any]:
    """What the module declares, of settings of `services.subfloor`."""
    call = f"import {DATA}/drift_module/evaluate.nix {{ directory = {MODULE}; given = {given}; }}"
    argv = ["nix-instantiate", "--store", f"{home}/store", "--eval", "--strict", "--json", "-E", call]
    own = {"NIX_STATE_DIR": f"{home}/state", "NIX_LOG_DIR": f"{home}/log", "HOME": str(home)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ | own)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def service(found: dict[str, Any]) -> dict[str, Any]:
    about = found["systemd"]["services"]["subfloor-drift"]
    assert isinstance(about, dict)
    return about


def test_it_declares_nothing_unless_it_is_enabled(tmp_path: Path) -> None:
    assert declared(tmp_path) == {}


def test_it_checks_daily_by_the_machines_own_playbook_and_keeps_the_report(tmp_path: Path) -> None:
    found = declared(tmp_path, "{ drift.enable = true; }")
    about = service(found)
    assert shlex.split(about["serviceConfig"]["ExecStart"]) == [
        *(PROGRAM, "check", "--report", "/var/lib/subfloor/drift.json")
    ]
    assert about["startAt"] == "daily"
    assert about["serviceConfig"]["StateDirectory"] == "subfloor"
    assert "SuccessExitStatus" not in about["serviceConfig"], "it fails visibly"
    assert found["systemd"]["timers"]["subfloor-drift"]["timerConfig"]["Persistent"]
    assert [each["assertion"] for each in found["assertions"]] == [True]


def test_everything_that_can_be_set(tmp_path: Path) -> None:
    given = (
        '{ drift = { enable = true; playbook = "/etc/my disks.yml"; arguments = [ "-e" "a=100%$x" ];'
        ' startAt = "hourly"; acceptRepairable = true; metrics = "/var/lib/node_exporter/subfloor.prom"; }; }'
    )
    about = service(declared(tmp_path, given))
    assert shlex.split(about["serviceConfig"]["ExecStart"]) == [
        *(PROGRAM, "check", "/etc/my disks.yml", "-e", "a=100%%$$x", "--report", "/var/lib/subfloor/drift.json"),
        *("--report", "/var/lib/node_exporter/subfloor.prom"),
    ]
    assert about["startAt"] == "hourly"
    assert about["serviceConfig"]["SuccessExitStatus"] == "2"


def test_metrics_with_another_ending_would_be_json(tmp_path: Path) -> None:
    found = declared(tmp_path, '{ drift.enable = true; drift.metrics = "/metrics"; }')
    assert [each["assertion"] for each in found["assertions"]] == [False]
