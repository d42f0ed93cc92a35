"""Entries that a bind mount would hide: two trees, compared entry by entry; nothing is written.

Standard programs compare the trees. Every name ends with a NUL, so no name can be taken for two, and the data is
streamed, so the number of entries does not matter. Only regular files are opened.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe import mountinfo
from subfloor.observe.path import UNSEEN_ADVICE, Located, NotYetVisible, PathState, unfinished


@dataclass(frozen=True)
class Hiding:
    """What a bind mount would hide: names of entries that its source lacks, and of entries that differ in its source.

    At most ``MOST_HIDDEN`` names of each kind are listed; a list of that length may be incomplete. ``unfinished``: an
    interrupted copy left its staging directory in the source, or beside it.
    """

    missing: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    unfinished: bool = False


HidingState = Hiding | NotYetVisible

MOST_HIDDEN = 100
"""The most entries of each kind that are listed: enough to decide, and to show."""


@dataclass(frozen=True)
class Hidden(Located[HidingState]):
    """What a bind mount of ``source`` on ``path`` would hide; an empty ``Hiding`` if ``path`` already has a mount.

    Entries are equal if kind, mode, owner, group and content are equal and, if `getfattr` is installed, also the ACL,
    capabilities and the user's extended attributes. Times do not count.
    """

    path: str
    source: str
    patience = 120.0  # seconds: there may be tens of thousands of files to compare

    def __str__(self) -> str:
        return f"content that {self.source} would hide at {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        given = {
            "t": self.path,
            "s": self.source,
            "inside": staging(self.source, "directory"),
            "beside": staging(self.source, "file"),
            "mounted": mountinfo.escaped(self.path),
        }
        return ("; ".join(f"{name}={shlex.quote(value)}" for name, value in given.items()) + f"\n{_HIDDEN}",)

    def parse(self, *outputs: Output) -> HidingState:
        """What would be hidden. Raises ``LookFailed`` if the comparison fails; the message has the tool's reason."""
        (found,) = outputs
        records = [record for record in found.text.split("\0") if record]
        why = records.pop()[1:] if records and records[-1].startswith(_WHY) else ""
        if found.status or not records or records.pop() != _END or not _are_whole(records):
            reason = f" ({why})" if why else ""
            raise LookFailed(f"the content of {self.path} cannot be compared{reason}", advice=UNSEEN_ADVICE)
        # A name that the first section lists for the target only is missing from the source. All other names differ.
        end = records.index(_SECTION) if _SECTION in records else len(records)
        theirs = [record for record in records if record.startswith("\t.")]
        different = _names((*(record[1:] for record in theirs), *records[end:]))
        missing = tuple(name for name in _names(records[:end]) if name not in different)
        return Hiding(missing[:MOST_HIDDEN], different[:MOST_HIDDEN], _LEFT in records)

    def in_empty(self) -> HidingState:
        """An empty ``Hiding``: an empty filesystem has nothing to hide."""
        return Hiding()

    def when_mounted(self, root: PathState, hidden: NotYetVisible | None) -> HidingState:
        """An empty ``Hiding``: the path has a mount."""
        return Hiding()


def staging(source: str, kind: str) -> str:
    """The temporary directory for a copy, whose entries are moved to their places later.

    It is on the filesystem of ``source``: inside ``source`` if ``kind`` is ``directory``, otherwise beside it.
    """
    return unfinished(f"{source}/" if kind == "directory" else source)


def _are_whole(records: list[str]) -> bool:
    """Whether both lists of every section are complete. A section that was cut to its limit may lack the end marks."""
    sections = "".join(f"\0{record}" for record in records).split(f"\0{_SECTION}")[:-1]
    return all(section.count("\0") >= _CUT or ("\t!source" in section and "!target" in section) for section in sections)


def _names(records: Iterable[str]) -> tuple[str, ...]:
    """The names in records of the form ``./NAME// PROPERTIES``, each once. No name contains two slashes in a row."""
    found = (record.removeprefix("./").partition("//")[0] for record in records if record.startswith("."))
    return tuple(sorted(set(found)))


_END, _LEFT, _SECTION, _WHY = "end", "left", "section", "?"
_CUT = 2 * MOST_HIDDEN

# Each entry of the target becomes a record that begins with its name, and so does the entry of the same name in the
# source. comm(1) prints the records that only one side has, those of the source after a TAB. A name with a record of
# the target only is missing from the source; a name with a record of each side differs. Each side ends its records with
# a mark, so that an incomplete list does not look like an equal one. Properties are compared first; for entries with
# equal properties, the contents and the attributes follow.
# If the source is no directory, every entry of the target is missing; their list ends with the same marks.
# An empty file, as target or source, only serves as a place to bind to. The owner and mode of a file that is bound are
# not compared, because the play declares them.
# The second input of comm(1) is opened in /proc: /dev/fd is a link that only some init systems make.
# The last record, after the end mark, is the first error message of a tool. stat(1) reports each name that the source
# lacks. These messages are discarded: they are no errors, and as stat(1) writes a line in pieces, they could mix with
# the message of another tool. Messages about SIGPIPE (13) are discarded too: a tool prints one if its reader has ended.
_HIDDEN = rf"""
{{ {{
end() {{ printf '%s\0' {_END}; exit 0; }}
[ -e "$t" ] || end
while read -r _ _ _ _ at _; do [ "$at" != "$mounted" ] || end; done < /proc/self/mountinfo
if [ ! -d "$t" ]; then
    [ ! -e "$beside" ] || printf '%s\0' {_LEFT}
    if [ ! -s "$t" ]; then :
    elif [ ! -s "$s" ]; then printf './%s// \0' "${{t##*/}}"
    elif [ ! -f "$t" ] || [ ! -f "$s" ] || ! cmp -s -- "$t" "$s"; then printf '\t./%s// \0' "${{t##*/}}"
    fi
    end
fi
cd -- "$t" || exit 1
[ ! -e "$inside" ] || printf '%s\0' {_LEFT}
names() {{ (cd -- "$t" && find . -mindepth 1 -xdev -print0) || printf '\t./what cannot be listed//\0'; }}
properties() {{
    (
        [ "$2" = target ] || exec 2>/dev/null
        cd -- "$1" && xargs -0 -r stat --printf '%n// %f %u %g %t %T %N\0' --
    )
    case $?-$2 in
        0-* | 123-source) printf '!%s\0' "$2" ;;
        123-target) printf '!%s\0\t./what cannot be listed//\0' "$2" ;;
    esac
}}
same() {{ agree names properties -12 source source; }}
files() {{ same | sed -zn 's:^\(.*\)// 8[0-9a-f]* .*$:\1:p' || printf './what cannot be listed\0'; }}
others() {{ same | sed -zn 's:^\(\./.*\)// .*$:\1:p'; }}
contents() {{
    (cd -- "$1" && xargs -0 -r sha256sum -z -- || printf '%s  ./what cannot be read\0' "$2") |
        sed -z 's:^\([^ ]*\)  \(.*\)$:\2// \1:' &&
        printf '!%s\0' "$2"
}}
# In this output names are escaped, and lines end with a newline.
attributes() {{
    (cd -- "$1" && xargs -0 -r getfattr -h -d -m '^(user[.]|security[.]capability|system[.]posix_acl_)' -e hex --) |
        sed -n '/^# file: /{{s///;h;d;}};/=/{{G;s:^\(.*\)\n\(.*\)$:./\2// \1:p;}}' | tr '\n' '\0' &&
        printf '!%s\0' "$2"
}}
agree() {{
    "$1" | "$2" "$t" "$4" | sort -z | {{
        "$1" | "$2" "$s" "$5" | sort -z | comm -z "$3" /proc/self/fd/3 -
    }} 3<&0
}}
differ() {{ agree "$1" "$2" -3 target source | sort -z | head -z -n {_CUT}; printf '%s\0' {_SECTION}; }}
if [ -d "$s" ] && [ ! -L "$s" ]; then
    differ names properties
    differ files contents
    ! command -v getfattr >/dev/null || differ others attributes
else
    {{ names; printf '\t!source\0!target\0'; }} | sed -z '/^\./s:$:// :' | sort -z | head -z -n {_CUT}
    printf '%s\0' {_SECTION}
fi
end
}} 2>&1 >&4 | grep -v -e 'signal 13$' -e 'Broken pipe$' | {{
    why=
    read -r why
    cat >/dev/null
    [ -z "$why" ] || printf '{_WHY}%s\0' "$why" >&4
}}; }} 4>&1
"""
