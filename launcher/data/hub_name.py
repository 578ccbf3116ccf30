"""Names of data sets on the Hub, told from paths: `org/name[@revision][:split]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.data.file_kind import is_named_as_rows

_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?(?::([\w./-]+))?")
_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubName:
    """A data set of the Hub."""

    repository: str
    revision: str | None
    """Commit, tag or branch; None is the default branch."""
    split: str | None
    """A split, a configuration, or both as `configuration/split`; None is all there is."""

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def at(self, commit: str) -> HubName:
        """The same at this commit."""
        return replace(self, revision=commit)

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.repository}{revision}" + (f":{self.split}" if self.split else "")


def hub_name(name: str) -> HubName | None:
    """The data set that `name` says; None where it is a path or can only be meant as one."""
    found = _NAME.fullmatch(name)
    if found is None or name.startswith("."):
        return None
    path = Path(name)
    if path.exists() or path.parent.is_dir() or is_named_as_rows(path):
        return None
    repository, revision, split = found.groups()
    return HubName(repository=repository, revision=revision, split=split)
