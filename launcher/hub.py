"""What is read from the Hub: config.json of a model, its files for a launch, files of data sets.

Nothing else asks it, and a failure is told within seconds.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from launcher import stderr
from launcher.data.hub_files import HubFile
from launcher.download_meter import Download, DownloadMeter, telling
from launcher.errors import NoAccess, NoDisk, TlplanError, UsageError
from launcher.reachable import require_address

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 10.0
_PART_BYTES = 1 << 18


@cache
def config_text(repository: str, revision: str | None) -> str:
    """Text of config.json of `org/name`, from the Hub or, where that fails, from the cache.

    Asked for once in a process. Raises NoAccess when the model is gated, the token is refused or
    the Hub cannot be reached, UsageError when there is no such model or revision.
    """
    from huggingface_hub import errors  # about 110 ms

    try:
        return _downloaded(repository, revision)
    except errors.OfflineModeIsEnabled:
        return _cached(repository, revision, "HF_HUB_OFFLINE is set")
    except errors.GatedRepoError:
        raise _gated(repository) from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as problem:
        raise _not_there(repository, revision, problem) from None
    except errors.EntryNotFoundError:
        raise UsageError(f"{repository} on the Hub has no config.json") from None
    except errors.HfHubHTTPError as problem:
        raise _refused(f"config.json of {repository}", problem.response.status_code) from None
    except errors.HFValidationError:
        raise UsageError(f'"{repository}" is no name a model on the Hub can have') from None
    except (errors.HTTPError, TimeoutError) as problem:  # type: ignore[attr-defined]
        return _cached(repository, revision, f"{_endpoint()} cannot be reached ({problem})")


_FILES_OF_A_MODEL = ("*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model", "*.spm")
"""Config, tokenizer and safetensors; pickled weights and code stay where they are."""


def download_model(
    repository: str,
    revision: str | None,
    tell: Callable[[Download], None],
    *,
    code: bool = False,
) -> str:
    """Fetch what a launch reads of a model into the cache, and return the commit it is of.

    `code`: its Python files too. What is there already is not fetched. `tell` is called from a
    thread about once a second. Raises what huggingface_hub does when it is gated, unknown or
    neither reachable nor cached.
    """
    from huggingface_hub import snapshot_download

    meter = DownloadMeter(_missing_bytes(repository, revision))
    with telling(meter, tell):
        snapshot = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=[*_FILES_OF_A_MODEL, *(["*.py"] if code else [])],
            tqdm_class=_bars_for(meter),
        )
    return Path(snapshot).name


def _missing_bytes(repository: str, revision: str | None) -> int | None:
    """What a launch has yet to fetch of a model; None where the Hub does not say."""
    from huggingface_hub import constants, errors, try_to_load_from_cache

    if constants.HF_HUB_OFFLINE or _is_begun(repository, revision):
        return None
    try:
        commit, files = _listing("models", repository, revision)
    except (errors.HTTPError, errors.HfHubHTTPError, OSError, ValueError, KeyError):  # type: ignore[attr-defined]
        return None  # the download itself says what is wrong
    return sum(
        each.size_bytes
        for each in files
        if any(fnmatch(each.name, pattern) for pattern in _FILES_OF_A_MODEL)
        and not isinstance(try_to_load_from_cache(repository, each.name, revision=commit), str)
    )


def _is_begun(repository: str, revision: str | None) -> bool:
    """Whether files of that very commit are here: a run that goes on need not ask the Hub again."""
    from huggingface_hub import try_to_load_from_cache

    if re.fullmatch("[0-9a-f]{40}", revision or "") is None:
        return False
    return isinstance(try_to_load_from_cache(repository, "config.json", revision=revision), str)


def _bars_for(meter: DownloadMeter, part: str = "") -> Any:
    """A class of progress bars that draw nothing and count their bytes as those of a part."""
    from huggingface_hub import constants
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    # Of a slow line ten mebibytes at once would be told as a line on which nothing comes.
    constants.DOWNLOAD_CHUNK_SIZE = _PART_BYTES

    class Bar(tqdm):  # type: ignore[misc,type-arg,unused-ignore]
        n: float

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options | {"disable": True})  # type: ignore[no-untyped-call]
            self._counts_bytes = options.get("unit") == "B"
            self.n = 0
            self.update(options.get("initial"))

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if self._counts_bytes:
                meter.add(part, id(self), int(n or 0))

    return Bar


@cache
def data_files(repository: str, revision: str | None) -> tuple[str, list[HubFile]]:
    """(commit, files) of the data set `org/name`, asked for once in a process.

    Raises NoAccess when it is gated, the token is refused or the Hub cannot be reached, UsageError
    when there is no such data set or revision.
    """
    from huggingface_hub import constants  # about 110 ms

    what = f"data set {repository}"
    with _told(what, revision):
        if not constants.HF_HUB_OFFLINE:
            stderr.note(f"reading the list of files of {what} from {_endpoint()}")
            require_address(_endpoint(), seconds=_CONNECT_SECONDS)
        return _listing("datasets", repository, revision)


def _listing(kind: str, repository: str, revision: str | None) -> tuple[str, list[HubFile]]:
    path = f"/api/{kind}/{repository}/revision/{quote(revision or 'main', safe='')}"
    answer = _get(f"{_endpoint()}{path}?blobs=true").json()
    files = [HubFile(each["rfilename"], each.get("size") or 0) for each in answer["siblings"]]
    return str(answer["sha"]), files


def download_data_file(
    repository: str, commit: str, name: str, folder: Path, meter: DownloadMeter
) -> None:
    """Fetch one file of a data set to its own path below `folder`; a part that is there is kept.

    Its bytes are counted into the meter. Raises what `data_files` does, and NoDisk.
    """
    from huggingface_hub import constants, hf_hub_download

    # Else the first request asks the Hub which programs it should be told of.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    what = f"data set {repository}"
    with _told(what, commit):
        try:
            hf_hub_download(
                repository,
                name,
                repo_type="dataset",
                revision=commit,
                local_dir=folder,
                tqdm_class=_bars_for(meter, name),
            )
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoDisk(f"{folder}: no space for {name} of {what}") from problem
            raise


@contextmanager
def _told(what: str, revision: str | None) -> Iterator[None]:
    """Failures of huggingface_hub as those a person is told; `what` is "data set org/name"."""
    from huggingface_hub import errors

    name = what.removeprefix("data set ")
    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise _out_of_reach(what, "HF_HUB_OFFLINE is set") from None
    except errors.GatedRepoError:
        raise _gated(name, page=f"datasets/{name}") from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as problem:
        raise _not_there(name, revision, problem, kind="data set") from None
    except errors.LocalEntryNotFoundError as problem:
        raise _out_of_reach(what, str(problem.__cause__ or problem).splitlines()[0]) from None
    except errors.HfHubHTTPError as problem:
        raise _refused(what, problem.response.status_code) from None
    except errors.HFValidationError:
        raise UsageError(f'"{name}" is no name a data set on the Hub can have') from None
    except (errors.HTTPError, TimeoutError) as problem:  # type: ignore[attr-defined]
        raise _out_of_reach(what, f"{_endpoint()} cannot be reached ({problem})") from None


def _out_of_reach(what: str, why: str) -> NoAccess:
    return NoAccess(
        f"the {what} is neither here nor reachable: {why}",
        "--data FILE learns from a file that is here",
    )


def go_offline() -> None:
    """From here on nothing in this process asks the Hub anything, whoever imported it before."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True


def _downloaded(repository: str, revision: str | None) -> str:
    from huggingface_hub import constants, hf_hub_url

    if not constants.HF_HUB_OFFLINE:
        stderr.note(f"reading config.json of {repository} from {_endpoint()}")
        require_address(_endpoint(), seconds=_CONNECT_SECONDS)
    return str(_get(hf_hub_url(repository, "config.json", revision=revision)).text)


def _get(url: str) -> Any:
    from huggingface_hub import get_session, get_token
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    # Headers of our own: those of huggingface_hub come with a request to learn what to report.
    token = get_token()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    response = get_session().get(
        url,
        headers=headers,
        follow_redirects=True,
        timeout=(_CONNECT_SECONDS, _READ_SECONDS, _READ_SECONDS, _CONNECT_SECONDS),
    )
    hf_raise_for_status(response)
    return response


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _cached(repository: str, revision: str | None, why: str) -> str:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, "config.json", revision=revision)
    if isinstance(path, str):
        return Path(path).read_text(encoding="utf-8")
    raise NoAccess(
        f"the numbers of {repository} are neither here nor reachable: {why}",
        "models of hwdb need no network: tlplan models lists them",
        "a folder with the model's config.json works too",
    )


def _gated(repository: str, page: str | None = None) -> NoAccess:
    return NoAccess(
        f"{repository} is gated: its licence has to be accepted first",
        f"accept it at {_endpoint()}/{page or repository}",
        "then log in with hf auth login, or set HF_TOKEN",
    )


def _not_there(
    repository: str, revision: str | None, problem: Exception, kind: str = "model"
) -> TlplanError:
    if revision is not None and type(problem).__name__ == "RevisionNotFoundError":
        return UsageError(f'{repository} on the Hub has no revision "{revision}"')
    hints = ["check the name; a file or a folder that is here can be named too"]
    if kind == "model":
        hints = ["check the name; tlplan models lists the models known without a network"]
    if not os.environ.get("HF_TOKEN"):
        hints.append(f"a private {kind} needs hf auth login or HF_TOKEN")
    return UsageError(f'no {kind} "{repository}" on the Hub that you may see', *hints)


def _refused(what: str, status: int) -> NoAccess:
    hints = ["try again later"]
    if status in (401, 403):
        hints = ["renew the token with hf auth login, or correct HF_TOKEN"]
    return NoAccess(f"the Hub refuses {what} (HTTP {status})", *hints)
