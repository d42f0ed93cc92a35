"""What the README, the guide and the troubleshooting page show works as it is shown."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from disk_values import nothing_left
from places import ROOT
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine
from subfloor.core.outcome import HostReport
from subfloor.playbook import plays, task_list, templates
from subfloor.report import text
from subfloor.report.style import Style
from whole_playbooks import blank, entries_of

_COMMAND = "On a blank disk, `subfloor check data.yml -e disk=/dev/vda` prints:"


def block(document: str, language: str) -> str:
    """The first piece of code in a document."""
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / document).read_text(), re.S)
    assert found
    return found[1]


def subfloor(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "subfloor", *arguments], check=False, capture_output=True, text=True)


def test_the_guide_s_task_is_done_once(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "hostname_file.py").write_text(block("CONTRIBUTING.md", "python"))
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        f"- hosts: all\n  tasks:\n    - hostname-file: {{hostname: kiosk, path: {tmp_path}/hostname}}\n"
    )
    ran = [subfloor(command, str(playbook)).returncode for command in ("check", "apply", "check")]
    assert ran == [2, 0, 0]
    assert (tmp_path / "hostname").read_text() == "kiosk\n"


def test_the_readme_s_playbook_is_read(tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(block("README.md", "yaml"))
    ran = subfloor("check", str(playbook), "-e", "disk=/dev/vdzz")
    assert ran.returncode == 3 and "there is no device /dev/vdzz" in ran.stdout


def test_the_readme_s_session_is_what_a_check_of_its_playbook_prints(tmp_path: Path) -> None:
    """UPDATE_GOLDEN=1 records it: the playbook of the README, checked on a blank disk of 30 GiB."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(block("README.md", "yaml"))
    play = entries_of(playbook, {"disk": "/dev/vda"})
    host = HostReport("localhost", imagine(play, blank(play), Consent(), nothing_left))
    lines = text.plan((host,), Style())
    session = f"{_COMMAND}\n\n" + "".join(f"    {line}".rstrip() + "\n" for line in lines)
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.search(rf"{re.escape(_COMMAND)}\n\n(?:    .*\n|\n(?=    ))+", readme)
    assert shown
    if os.environ.get("UPDATE_GOLDEN"):
        (ROOT / "README.md").write_text(readme.replace(shown[0], session), "utf-8")
    else:
        assert shown[0] == session


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 75


def test_the_readme_names_files_that_are_there() -> None:
    named = re.findall(r"\]\(((?!http)[^)#]+)\)", (ROOT / "README.md").read_text())
    assert named and all((ROOT / name).exists() for name in named)


GUIDE = "docs/nixos-tmpfs-root.md"
PLAYBOOK = ROOT / "playbooks" / "nixos-tmpfs-root.yml"


def test_the_variables_that_the_guide_shows_are_taken(tmp_path: Path) -> None:
    shown = re.findall(r"```yaml\n(.*?)```", (ROOT / GUIDE).read_text(), re.S)
    (tmp_path / "mine.yml").write_text("".join(shown))
    ran = subfloor("check", str(PLAYBOOK), "-e", "disk=/dev/vdzz", "-e", f"@{tmp_path}/mine.yml")
    assert ran.returncode == 3 and "there is no device /dev/vdzz" in ran.stdout
    assert "/home, persisted" in ran.stdout and re.search("(?m)^  (?!skipped).*A password, kept", ran.stdout)


def test_the_guide_s_variables_are_the_playbook_s() -> None:
    (play,) = yaml.safe_load(PLAYBOOK.read_text())
    named = set(re.findall(r"(?:-e |`)([a-z_]+)=", (ROOT / GUIDE).read_text()))
    assert "swap" in named and named <= {"disk", "seed", *play["vars"]}


def test_the_guide_says_what_the_playbook_persists() -> None:
    (play,) = yaml.safe_load(PLAYBOOK.read_text())
    paths = {each["path"] if isinstance(each, dict) else each for each in play["vars"]["persist"]}
    told = set(re.findall(r"^\| `(/[^`]+)` \|", (ROOT / GUIDE).read_text(), re.M))
    assert paths <= told


def test_the_guide_has_no_placeholders() -> None:
    assert not re.findall(r"^@[A-Z]+@$", (ROOT / GUIDE).read_text(), re.M)


def _messages() -> str:
    """Every string of the code, with ``…`` in place of what is filled in."""
    found = []
    for path in (*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            if isinstance(node, ast.JoinedStr):
                pieces = (each.value if isinstance(each, ast.Constant) else "…" for each in node.values)
                found.append("".join(map(str, pieces)))
    return "\n".join(found)


def test_the_messages_that_troubleshooting_explains_are_the_code_s() -> None:
    page, messages = (ROOT / "docs/troubleshooting.md").read_text("utf-8"), _messages()
    titles = re.findall(r"^## (.+)$", page, re.M)
    assert len(titles) >= 10 and [each for each in titles if each not in messages] == []
    for title in titles:
        shown = re.findall(r"^    +(.*)$", page.partition(f"## {title}\n")[2].partition("\n## ")[0], re.M)
        assert any(title in line for line in shown), title


def test_the_advice_that_troubleshooting_shows_is_the_code_s() -> None:
    """What lies between the values that are filled in, piece by piece."""
    advice = re.findall(r"^    → (.+)$", (ROOT / "docs/troubleshooting.md").read_text("utf-8"), re.M)
    known = [re.escape(line).replace("…", ".*") for line in _messages().splitlines() if len(line) > 12]
    assert advice and [each for each in advice if not any(re.fullmatch(pattern, each) for pattern in known)] == []


def test_the_page_about_keys_lists_every_filter_test_and_key() -> None:
    page = (ROOT / "docs/playbook-keys.md").read_text("utf-8")
    keys = (*plays.PLAY_KEYS, *task_list.COMMON, *task_list.BUILT_IN)
    missing = [name for name in (*templates.filters(), *templates.tests(), *keys) if f"`{name}`" not in page]
    assert not [name for name in missing if name != "partition"]


def test_the_playbook_on_the_page_about_keys_is_read(tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    lines = block("docs/playbook-keys.md", "yaml").splitlines()
    playbook.write_text("- hosts: all\n  seed: x\n" + "".join(f"  {line}\n" for line in lines))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/gpt.yml").write_text('- gpt-label: {device: "{{ disk }}"}\n')
    variables = "disk=/dev/vda swap=true size=1 firmware=uefi"
    ran = subfloor("check", str(playbook), "--list-tasks", "-e", variables)
    assert ran.returncode == 0, ran.stderr
