"""config.json of a model on the Hub, and nothing else of it; told within seconds if it fails."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from launcher import stderr
from launcher.errors import NoAccess, TlplanError, UsageError

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 10.0


def config_text(repository: str, revision: str | None) -> str:
    """Text of config.json of `org/name`, from the Hub or, where that fails, from the cache.

    Raises NoAccess when the model is gated, the token is refused or the Hub cannot be reached,
    UsageError when there is no such model or revision.
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
        raise _refused(repository, problem.response.status_code) from None
    except errors.HFValidationError:
        raise UsageError(f'"{repository}" is no name a model on the Hub can have') from None
    except (errors.HTTPError, TimeoutError) as problem:  # type: ignore[attr-defined]
        return _cached(repository, revision, f"{_endpoint()} cannot be reached ({problem})")


_FILES_OF_A_MODEL = ("*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model", "*.spm")
"""Config, tokenizer and safetensors; pickled weights and code stay where they are."""


def download_model(repository: str, revision: str | None) -> None:
    """Fetch what a launch reads of a model into the cache; what is there already is not fetched.

    Raises what huggingface_hub does when it is gated, unknown or neither reachable nor cached.
    """
    from huggingface_hub import snapshot_download

    snapshot_download(repository, revision=revision, allow_patterns=list(_FILES_OF_A_MODEL))


def go_offline() -> None:
    """From here on nothing in this process asks the Hub anything, whoever imported it before."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True


def _downloaded(repository: str, revision: str | None) -> str:
    from huggingface_hub import constants, get_session, get_token, hf_hub_url
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    if not constants.HF_HUB_OFFLINE:
        stderr.note(f"reading config.json of {repository} from {_endpoint()}")
        _require_address(_endpoint())
    # Headers of our own: those of huggingface_hub come with a request to learn what to report.
    token = get_token()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    response = get_session().get(
        hf_hub_url(repository, "config.json", revision=revision),
        headers=headers,
        follow_redirects=True,
        timeout=(_CONNECT_SECONDS, _READ_SECONDS, _READ_SECONDS, _CONNECT_SECONDS),
    )
    hf_raise_for_status(response)
    return str(response.text)


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _require_address(endpoint: str) -> None:
    """Raise TimeoutError for a host without an address: the resolver alone may take 20 seconds."""
    import socket
    from urllib.request import getproxies

    if getproxies():
        return  # then the proxy looks the host up
    parts = urlsplit(endpoint)
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(parts.hostname, parts.port or 443))
        except OSError:
            return

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    if not found:
        raise TimeoutError(f"no address for {parts.hostname}")


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


def _gated(repository: str) -> NoAccess:
    return NoAccess(
        f"{repository} is gated: its licence has to be accepted first",
        f"accept it at {_endpoint()}/{repository}",
        "then log in with hf auth login, or set HF_TOKEN",
    )


def _not_there(repository: str, revision: str | None, problem: Exception) -> TlplanError:
    if revision is not None and type(problem).__name__ == "RevisionNotFoundError":
        return UsageError(f'{repository} on the Hub has no revision "{revision}"')
    hints = ["check the name; tlplan models lists the models known without a network"]
    if not os.environ.get("HF_TOKEN"):
        hints.append("a private model needs hf auth login or HF_TOKEN")
    return UsageError(f'no model "{repository}" on the Hub that you may see', *hints)


def _refused(repository: str, status: int) -> NoAccess:
    hints = ["try again later"]
    if status in (401, 403):
        hints = ["renew the token with hf auth login, or correct HF_TOKEN"]
    return NoAccess(f"the Hub refuses config.json of {repository} (HTTP {status})", *hints)
