"""What "all-linear" means to PEFT where a model is a mixture of experts."""

from __future__ import annotations

from launcher.training.all_linear import all_linear


def test_experts_in_one_tensor_get_no_adapters() -> None:
    """Of Mixtral the attention's layers are adapted, neither the router nor the experts."""
    from peft import LoraConfig, get_peft_model
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, num_local_experts=4,
    )  # fmt: skip
    model = MixtralForCausalLM(config)

    adapted = get_peft_model(model, LoraConfig(target_modules=all_linear(model)))

    names = {
        name.split(".self_attn.")[-1].split(".")[0]
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad
    }
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj"}


def test_other_models_leave_it_to_peft() -> None:
    """Without experts PEFT's own word is passed on, which knows GPT-2's linears too."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=2))

    assert all_linear(model) == "all-linear"
