"""What an exception of torch, transformers or the system means to a person."""

from __future__ import annotations

import errno

from launcher.errors import (
    MissingHere,
    NoAccess,
    NoDisk,
    OutOfMemory,
    TlplanError,
    UsageError,
)

_OUT_OF_MEMORY = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "failed to map segment",
    "std::bad_alloc",
)
"""torch on CUDA, cuBLAS, Triton, torch on the CPU, the system, its loader of libraries, C++."""
_OUT_OF_DISK = (
    "No space left on device",
    "Disk quota exceeded",
    "PytorchStreamWriter failed",
    "unexpected pos ",
)
_GPU_GONE = (
    "no CUDA-capable device",
    "fallen off the bus",
    "GPU is lost",
    "device is lost",
    "cudaErrorDevicesUnavailable",
    "CUDA-capable device(s) is/are busy or unavailable",
    "CUDA driver initialization failed",
    "driver shutting down",
    "uncorrectable ECC error",
)
_GATED = ("gated repo", "401 Client Error", "403 Client Error", "is restricted")
_UNREACHABLE = (
    "couldn't connect",
    "offline mode",
    "LocalEntryNotFoundError",
    "Max retries exceeded",
)
_NO_SAFETENSORS = ("does not appear to have a file named model.safetensors",)
_CODE_OF_ITS_OWN = ("trust_remote_code",)
_CAUSES_FOLLOWED = 10


def as_tlplan_error(error: BaseException) -> TlplanError:
    """The failure in the words of a person, with its exit code; unknown ones are a bug."""
    for cause in _causes(error):
        if isinstance(cause, TlplanError):
            return cause
        known = _known(cause)
        if known is not None:
            return known
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else "no reason given"
    return TlplanError(
        f"training failed unexpectedly: {type(error).__name__}: {reason}",
        "the whole story stands at the end of log.txt in the run folder",
    )


def _known(error: BaseException) -> TlplanError | None:
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or _says(text, _OUT_OF_MEMORY):
        return OutOfMemory(
            f"out of memory: {_first_line(error) if str(error) else 'the system gives no more'}",
            "lower micro_batch_rows or sequence_tokens, or set checkpointing: full",
        )
    if _is_full_disk(error) or _says(text, _OUT_OF_DISK):
        return NoDisk(f"the disk is full: {_first_line(error)}", "free some space, then resume")
    if _says(text, _GPU_GONE):
        return MissingHere(
            f"the GPU or its driver is gone: {_first_line(error)}",
            "nvidia-smi and dmesg | grep -i xid say more",
        )
    if isinstance(error, ImportError):
        return MissingHere(
            f"a package is missing or broken here: {_first_line(error)}",
            "try: pip install 'tlplan[train]'",
        )
    if _says(text, _GATED):
        return NoAccess(
            f"no access to the model: {_first_line(error)}",
            "accept its licence on the Hub and set HF_TOKEN",
        )
    if _says(text, _UNREACHABLE):
        return NoAccess(
            f"the Hub cannot be reached: {_first_line(error)}",
            "give a local folder as the model, or set HF_ENDPOINT",
        )
    if _says(text, _CODE_OF_ITS_OWN):
        return UsageError(
            "the model brings code of its own, which would have to be run to load it",
            "a plan can allow it for one commit: trust_remote_code: true and revision: COMMIT in "
            "section model; tlplan models lists models without",
        )
    if _says(text, _NO_SAFETENSORS):
        return UsageError(
            f"no safetensors weights: {_first_line(error)}",
            "only safetensors are read; convert the model first",
        )
    return None


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(chain) < _CAUSES_FOLLOWED:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _is_full_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _says(text: str, phrases: tuple[str, ...]) -> bool:
    lowered = text.lower()
    return any(phrase.lower() in lowered for phrase in phrases)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
