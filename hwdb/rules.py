"""The rules a single row obeys: physical bounds, dates, sources, agreement of its own numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from hwdb.card import Card
from hwdb.family import Family
from hwdb.find import find_family
from hwdb.known_error import KnownError, sightings
from hwdb.load import Kind, all_known_errors, all_sources, all_words, read_file
from hwdb.model import Model
from hwdb.offer import Offer
from hwdb.parameter_count import count_parameters
from hwdb.source import Source, keys_of
from hwdb.symbols import SYMBOLS, symbols_in
from hwdb.word import Word

GIB = 2**30

# From the smallest laptop part to the largest accelerator, with room for the next generation.
_CARD_BOUNDS = {
    "memory_bytes": (2 * GIB, 1024 * GIB),
    "memory_marketing_gb": (2, 1024),
    "bandwidth_bytes_per_second": (50e9, 20e12),
    "cores": (4, 1000),
    "boost_mhz": (500, 4000),
    "fp32_tflops": (1, 500),
    "tf32_tflops": (1, 5000),
    "bf16_tflops": (1, 10_000),
    "fp16_tflops": (1, 10_000),
    "fp16_fp16_accumulate_tflops": (1, 10_000),
    "fp8_tflops": (1, 20_000),
    "int8_tops": (1, 20_000),
    "nvlink_bytes_per_second": (0, 5e12),
    "pcie_generation": (3, 7),
    "tdp_watts": (5, 3000),
    "msrp_usd": (100, 100_000),
    "measured_matmul_tflops": (1, 10_000),
}
_MODEL_BOUNDS = {
    "hidden_size": (64, 65_536),
    "layers": (1, 512),
    "heads": (1, 512),
    "kv_heads": (1, 512),
    "head_dim": (16, 512),
    "intermediate_size": (64, 500_000),
    "vocabulary_size": (1000, 1_000_000),
    "max_context_tokens": (16, 20_000_000),
    "experts": (2, 4096),
    "expert_intermediate_size": (64, 100_000),
    "sliding_window_tokens": (16, 20_000_000),
    "parameters": (1_000_000, 5_000_000_000_000),
}
_OFFER_BOUNDS = {
    "gpus": (1, 128),
    "vcpus": (1, 2048),
    "ram_gib": (1, 32_768),
    "on_demand_usd_per_hour": (0.01, 1000),
    "spot_usd_per_hour": (0.01, 1000),
    "on_demand_usd_per_gpu_hour": (0.01, 50),
}
_COUNT_TOLERANCES = {"exact": 0.0, "computed": 0.0, "within 0.5%": 0.005}

FactRow = Card | Model | Offer | Family | Source | Word | KnownError

_LONGEST_SHORT = 100
"""Characters of a word's one sentence: it stands on one or two lines of a panel."""


def problems_with(row: FactRow) -> list[str]:
    """What is wrong with a row, one sentence each; empty when it obeys every rule."""
    match row:
        case Card():
            return list(_card_problems(row))
        case Model():
            return list(_model_problems(row))
        case Offer():
            return list(_offer_problems(row))
        case Family():
            return list(_family_problems(row))
        case Source():
            return [] if row.key and row.what else ["a source needs a key and a description"]
        case KnownError():
            return list(_known_error_problems(row))
        case Word():
            return list(_word_problems(row))


def recomputed_parameters(model: Model) -> int | None:
    """Parameters counted from the row's shape; None where its fields do not determine them."""
    family = find_family(model.architecture)
    if family is None or model.architecture not in family.architectures:
        return None
    return count_parameters(model, family)


def _card_problems(card: Card) -> Iterator[str]:
    yield from _bound_problems(card, _CARD_BOUNDS)
    yield from _date_problems(card.release_date, kind="cards")
    yield from _source_problems(card.sources)
    yield from _memory_problems(card)
    if not card.nvml_names:
        yield "no name by which the driver would call it"
    for pci in card.pci_device_ids:
        vendor, _, device = pci.partition(":")
        if not (_is_hexadecimal(vendor) and _is_hexadecimal(device)):
            yield f"{pci} is no PCI id"
    if (card.vendor == "nvidia") != (card.compute_capability is not None):
        yield "NVIDIA cards have a compute capability, others have a compute_target"
    if card.compute_capability is not None:
        yield from _capability_problems(card, card.compute_capability)
    yield from _rate_problems(card)


def _memory_problems(card: Card) -> Iterator[str]:
    sizes = (card.memory_marketing_gb is not None) + bool(card.memory_options_gb)
    if sizes != 1:
        yield "needs either one marketed memory size or several options"
    if (card.memory_bytes is None) != (card.memory_confirmed is None):
        yield "memory_confirmed says something exactly where memory_bytes is known"
    if card.memory_bytes is None or card.memory_marketing_gb is None:
        return
    ratio = card.memory_bytes / (card.memory_marketing_gb * GIB)
    if not 0.9 < ratio < 1.01:
        yield f"memory_bytes is {ratio:.2f} of the marketed size"


def _capability_problems(card: Card, capability: tuple[int, int]) -> Iterator[str]:
    for name, stated, first in (
        ("bf16", card.supports_bf16, (8, 0)),
        ("fp8", card.supports_fp8, (8, 9)),
        ("flash attention 2", card.supports_flash_attention2 == "yes", (8, 0)),
    ):
        if stated != (capability >= first):
            yield f"{name} support disagrees with compute capability {capability}"


def _rate_problems(card: Card) -> Iterator[str]:
    ordered = (
        ("fp16_tflops", "fp16_fp16_accumulate_tflops"),
        ("tf32_tflops", "bf16_tflops"),
        ("bf16_tflops", "fp8_tflops"),
        ("measured_matmul_tflops", "bf16_tflops"),
    )
    for slower, faster in ordered:
        low, high = getattr(card, slower), getattr(card, faster)
        if low is not None and high is not None and low > high:
            yield f"{slower} {low} is above {faster} {high}"
    if card.bf16_tflops is not None and not card.supports_bf16:
        yield "has a bf16 rate but no bf16 support"


def _model_problems(model: Model) -> Iterator[str]:
    yield from _bound_problems(model, _MODEL_BOUNDS)
    yield from _date_problems(model.release_date, kind="models")
    yield from _source_problems(model.sources)
    hub_ids = [name for name in (model.hub_id, model.instruct_hub_id) if name]
    if not hub_ids:
        yield "has no Hub repository"
    for name in hub_ids:
        if name.count("/") != 1:
            yield f"{name} is no Hub repository name"
    if model.heads and model.kv_heads and model.heads % model.kv_heads:
        yield "query heads are no multiple of key/value heads"
    expert_fields = (model.experts, model.experts_per_token, model.expert_intermediate_size)
    if len({field is None for field in expert_fields}) != 1:
        yield "expert fields are all known or all absent"
    if model.experts and model.experts_per_token and model.experts_per_token > model.experts:
        yield "more experts per token than experts"
    yield from _count_problems(model)


def _count_problems(model: Model) -> Iterator[str]:
    family = find_family(model.architecture)
    if family is not None and model.architecture in family.wrappers.values():
        text_part = count_parameters(model, family)
        if not model.parameters // 2 < text_part < model.parameters:
            yield f"has {model.parameters} parameters in all, its text part alone {text_part}"
    counted = recomputed_parameters(model)
    tolerance = _COUNT_TOLERANCES.get(model.parameters_check)
    if counted is None or tolerance is None:
        return
    if abs(counted - model.parameters) > tolerance * model.parameters:
        yield f"has {model.parameters} parameters, its shape gives {counted}"


def _offer_problems(offer: Offer) -> Iterator[str]:
    yield from _bound_problems(offer, _OFFER_BOUNDS)
    yield from _date_problems(offer.as_of, kind="offers")
    yield from _source_problems(keys_of(offer.source))
    whole, each = offer.on_demand_usd_per_hour, offer.on_demand_usd_per_gpu_hour
    if (whole is None) != (each is None):
        yield "price per hour and per card and hour are known together"
    if whole is not None and each is not None and abs(whole / offer.gpus - each) > 0.001:
        yield f"{whole} for {offer.gpus} cards is not {each} each"
    if whole is None and offer.spot_usd_per_hour is None:
        yield "has no price"
    if whole and offer.spot_usd_per_hour and offer.spot_usd_per_hour > whole:
        yield "spot costs more than on demand"


def _family_problems(family: Family) -> Iterator[str]:
    yield from _source_problems((family.source,))
    names = {linear.name for linear in family.linears}
    for flagged in (family.biases, *family.bias_flags.values()):
        yield from (f"bias of unknown linear {name}" for name in flagged if name not in names)
    if not family.experts and not any(linear.role == "mlp_in" for linear in family.linears):
        yield "has neither an MLP nor experts"
    yield from (f"unknown symbol {name}" for name in symbols_in(family) if name not in SYMBOLS)


def _word_problems(word: Word) -> Iterator[str]:
    if not 10 <= len(word.short) <= _LONGEST_SHORT or not word.short.endswith("."):
        yield f"its short text is no sentence of at most {_LONGEST_SHORT} characters"
    if not word.text.endswith("."):
        yield "its text does not end as a sentence does"
    known = {entry.id for entry in all_words()}
    yield from (f"refers to unknown word {name}" for name in word.see if name not in known)


def _known_error_problems(error: KnownError) -> Iterator[str]:
    found = next(sightings([error.example], all_known_errors()), None)
    if found is None or found.error.id != error.id:
        yield f"its example is taken for {found.error.id if found else 'nothing known'}"
    if not error.cause.endswith(".") or not error.next or not error.source:
        yield "it needs a cause in sentences, a next step and a source"
    if error.word is not None and error.word not in {entry.id for entry in all_words()}:
        yield f"refers to unknown word {error.word}"


def _bound_problems(row: FactRow, bounds: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for name, (low, high) in bounds.items():
        value = getattr(row, name)
        if value is not None and not low <= value <= high:
            yield f"{name} {value} is outside {low} to {high}"


def _date_problems(text: str, *, kind: Kind) -> Iterator[str]:
    collected = date.fromisoformat(read_file(kind)["collected"])
    full = text + "-01" * (2 - text.count("-"))
    try:
        stated = date.fromisoformat(full)
    except ValueError:
        yield f"{text} is no date"
        return
    if not date(2012, 1, 1) <= stated <= collected:
        yield f"{text} is not between 2012 and the day the rows were collected"


def _source_problems(keys: tuple[str, ...]) -> Iterator[str]:
    known = {source.key for source in all_sources()}
    if not keys:
        yield "has no source"
    yield from (f"unknown source {key}" for key in keys if key not in known)


def _is_hexadecimal(text: str) -> bool:
    return len(text) == 4 and all(character in "0123456789abcdef" for character in text)
