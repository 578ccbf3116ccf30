"""A card that models can be trained on: what it has, how sure that is, and who says so."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Card(NamedTuple):
    """One product with one memory size. Rates are dense, without sparsity."""

    id: str
    """Short name, unique in hwdb."""
    vendor: Literal["nvidia", "amd", "apple", "intel", "google", "aws"]
    """Who makes it."""
    architecture: str
    """Generation, as the vendor calls it."""
    name: str
    """Marketing name, unique in hwdb."""
    nvml_names: tuple[str, ...]
    """Names the driver gives it; one name can stand for several memory sizes."""
    pci_device_ids: tuple[str, ...]
    """vendor:device, lower-case hexadecimal."""
    form_factor: str
    """desktop, laptop, workstation, pcie, sxm, oam, module, superchip, soc, apu or cloud."""
    memory_bytes: int | None
    """Total as the driver reports it (recent drivers, ECC as shipped)."""
    other_memory_bytes: tuple[int, ...]
    """Totals it reports too: ECC switched the other way, older drivers."""
    memory_marketing_gb: float | None
    """Size on the box; None where it is sold in several (see `memory_options_gb`)."""
    memory_options_gb: tuple[float, ...]
    """Sizes it is sold in, where that is more than one."""
    memory_confirmed: bool | None
    """Whether a public print of the driver tool shows exactly `memory_bytes`."""
    memory_type: str
    """GDDR6X, HBM3, ..."""
    bandwidth_bytes_per_second: int | None
    """Peak of the memory."""
    cores: int | None
    """Streaming multiprocessors, compute units or GPU cores."""
    boost_mhz: int | None
    """Boost clock the rates were computed with; of laptops the one at the lowest power limit."""
    fp32_tflops: float | None
    """Without tensor cores."""
    tf32_tflops: float | None
    """Tensor cores."""
    bf16_tflops: float | None
    """Tensor cores, sums kept in fp32."""
    fp16_tflops: float | None
    """Tensor cores, sums kept in fp32."""
    fp16_fp16_accumulate_tflops: float | None
    """Tensor cores, sums kept in fp16."""
    fp8_tflops: float | None
    """Tensor cores, sums kept in fp32."""
    int8_tops: float | None
    """Tensor cores."""
    compute_capability: tuple[int, int] | None
    """NVIDIA only."""
    compute_target: str | None
    """What compilers of other vendors call it: gfx942, metal, xe2-hpg, ..."""
    supports_bf16: bool
    """Whether training in bf16 runs in hardware."""
    supports_flash_attention2: Literal["yes", "no", "partial"]
    """partial: only through Triton back ends of some versions."""
    supports_fp8: bool
    """Whether 8-bit floats run in hardware."""
    nvlink_bytes_per_second: int | None
    """Total of both directions to other cards; 0 where there is no link. AMD: Infinity Fabric,
    Gaudi: Ethernet; bridges link pairs."""
    pcie_generation: int | None
    """Of the slot."""
    tdp_watts: int | None
    """Power limit; of laptops the highest."""
    release_date: str
    """ISO date."""
    msrp_usd: float | None
    """Launch price of consumer parts, street price of datacenter parts, of Apple a whole
    machine."""
    measured_matmul_tflops: float | None
    """Highest measured bf16 matrix multiplication (mean of 100 runs)."""
    sources: tuple[str, ...]
    """Citation keys."""
    verified: Literal["yes", "partly", "no"]
    """Memory size and bandwidth only. yes: both confirmed by two looked-up sources within 3 %;
    partly: by one each, or sources disagree; no: there is a gap."""
    tensor_check: Literal["two-sources", "anchor", "derived", "single-source"] | None
    """bf16 and fp16 figures. two-sources: a second table agrees; anchor: derived, and equal to a
    vendor figure; derived: cores x clock x rate; single-source: one vendor figure."""
    agreeing_sources: str | None
    """Who agrees on memory (mem) and bandwidth (bw)."""
    notes: str | None
    """What else to know, doubts and disagreements included."""
