"""The smallest real models, made here in a moment: two blocks of Llama, or of BERT, on bytes."""

from __future__ import annotations

import json
from pathlib import Path

ROWS = 24


def make_model(folder: Path) -> Path:
    """Write config, weights and tokenizer of a model with about 100 000 parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=_write_tokenizer(folder),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder


def make_encoder(folder: Path) -> Path:
    """The same of an encoder, which a head for classes is put on; its own dropout is on."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=_write_tokenizer(folder),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(str(folder))
    return folder


def _write_tokenizer(folder: Path) -> int:
    """One token for each byte, and one that ends and fills up; how many there are."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<end>": 0} | {sign: number + 1 for number, sign in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")
    fast.save_pretrained(str(folder))
    return len(vocabulary)


def make_data(path: Path) -> Path:
    """Write prompts with completions of different lengths."""
    rows = [
        {"prompt": f"ticket {number}: ", "completion": f"queue {'ab' * (number % 5 + 1)}"}
        for number in range(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_labelled_data(path: Path) -> Path:
    """Write texts of different lengths, each with one of three labels."""
    rows = [
        {"text": f"ticket {number} {'ab' * (number % 5 + 1)}", "label": "xyz"[number % 3]}
        for number in range(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
