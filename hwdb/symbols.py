"""The sizes behind the symbols of a family, read from a config.json.

h  hidden width            i  MLP width              V  vocabulary
n  attention heads         e  MLP width per expert   P  rows of the position table
d  width of one head       E  experts                T  token types
q  n * d                   w  embedding width        C  classes of the head
k  key/value heads * d     t  patches of an image    x  numbers in a patch
b  relative positions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwdb.family import Family

Config = Mapping[str, Any]

SYMBOLS = frozenset("hnidqkeEVPTCwtxb")
"""Every symbol a family may use."""

_KEYS = {
    "h": "hidden_size",
    "n": "num_attention_heads",
    "i": "intermediate_size",
    "e": "moe_intermediate_size",
    "E": "num_experts",
    "V": "vocab_size",
    "P": "max_position_embeddings",
    "T": "type_vocab_size",
}


class UnknownSize(ValueError):
    """A symbol whose value the config does not give."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.key = _KEYS.get(symbol, symbol)
        super().__init__(f"the config does not give {self.key}")


def read_key(config: Config, family: Family, key: str) -> Any:
    """Value of `key` (Llama's name) under this family's own name, else the class's default."""
    for name in family.config_keys.get(key, (key,)):
        if config.get(name) is not None:
            return config[name]
    return family.config_defaults.get(key)


def holds(when: str | None, config: Config, family: Family) -> bool:
    """Whether a condition of the family is met.

    A key holds when its value is neither false, 0, absent nor the text "none";
    `factorized_embeddings` holds when the embedding is narrower or wider than the model.
    """
    for term in when.split("&") if when else ():
        if _truth(term.lstrip("!"), config, family) == term.startswith("!"):
            return False
    return True


def _truth(key: str, config: Config, family: Family) -> bool:
    if key == "factorized_embeddings":
        hidden = read_key(config, family, "hidden_size")
        return bool((read_key(config, family, "embedding_size") or hidden) != hidden)
    value = read_key(config, family, key)
    return bool(value and value != "none")


def extent(expression: str, sizes: Mapping[str, int]) -> int:
    """Value of a size such as "q+2k", "2i" or "512".

    Raises UnknownSize for a symbol without a value.
    """
    total = 0
    for term in expression.split("+"):
        symbol = term.lstrip("0123456789")
        factor = term[: len(term) - len(symbol)]
        if symbol and symbol not in sizes:
            raise UnknownSize(symbol)
        total += int(factor or 1) * (sizes[symbol] if symbol else 1)
    return total


def symbols_in(family: Family) -> Iterator[str]:
    """Every symbol the family's sizes are written with, repeats included."""
    linears = [*family.linears, *(family.experts.linears if family.experts else ())]
    norms = (*family.norms, *family.embedding_norms, *family.final_norms)
    tensors = [*family.embeddings, *family.block_tensors]
    for head in family.heads.values():
        tensors.extend(head)
    sizes = [linear.inputs for linear in linears] + [linear.outputs for linear in linears]
    sizes += [norm.width for norm in norms]
    sizes += [tensor.rows for tensor in tensors] + [tensor.columns for tensor in tensors]
    for size in sizes:
        yield from (term.lstrip("0123456789") for term in size.split("+") if not term.isdigit())


def sizes_of(config: Config, family: Family) -> dict[str, int]:
    """Value of every symbol this config determines."""
    sizes: dict[str, int] = {}
    for symbol, key in _KEYS.items():
        value = read_key(config, family, key)
        if isinstance(value, str):
            value = extent(value, sizes)
        if value is not None:
            sizes[symbol] = int(value)
    if "h" not in sizes:
        raise UnknownSize("h")
    if "n" in sizes:
        sizes.update(_attention_sizes(config, family, hidden=sizes["h"], heads=sizes["n"]))
    sizes.update(_table_sizes(config, family, sizes))
    return sizes


def _attention_sizes(config: Config, family: Family, *, hidden: int, heads: int) -> dict[str, int]:
    head = read_key(config, family, "head_dim") or hidden // heads
    kv_heads = read_key(config, family, "num_key_value_heads") or heads
    if family.one_kv_head_when and holds(family.one_kv_head_when, config, family):
        kv_heads = 1
    return {"d": head, "q": heads * head, "k": kv_heads * head}


def _table_sizes(config: Config, family: Family, sizes: Mapping[str, int]) -> dict[str, int]:
    labels = config.get("num_labels") or len(config.get("id2label") or ()) or 2
    tables = {
        "C": labels,
        "w": read_key(config, family, "embedding_size") or sizes["h"],
    }
    buckets = read_key(config, family, "position_buckets") or 0
    farthest = read_key(config, family, "max_relative_positions") or 0
    relative = next((n for n in (buckets, farthest, sizes.get("P", 0)) if n > 0), None)
    if relative is not None:
        tables["b"] = relative
    if family.kind == "image":
        height, width = _sides(read_key(config, family, "image_size"))
        patch_height, patch_width = _sides(read_key(config, family, "patch_size"))
        tables["t"] = (height // patch_height) * (width // patch_width)
        tables["x"] = read_key(config, family, "num_channels") * patch_height * patch_width
        if "i" not in sizes:
            tables["i"] = _ratio_width(config, family, hidden=sizes["h"])
    return tables


def _sides(size: int | list[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _ratio_width(config: Config, family: Family, *, hidden: int) -> int:
    # DINOv2 gives its MLP as a ratio; SwiGLU keeps two thirds, rounded up to a multiple of 8.
    width = int(hidden * read_key(config, family, "mlp_ratio"))
    if not holds("use_swiglu_ffn", config, family):
        return width
    return (int(width * 2 / 3) + 7) // 8 * 8
