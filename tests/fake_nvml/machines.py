"""Machines as the fake driver reads them, each with one thing that planners get wrong.

A process whose name the driver does not tell is looked up in /proc, so its id here is above the
4 194 304 that Linux gives at most: no process of the machine that runs the tests can have it.
"""

from __future__ import annotations

MIB = 2**20

RTX_4090_DESKTOP = f"""\
driver=580.95.05
cuda=13000
gpus=1
gpu.0.name=NVIDIA GeForce RTX 4090
gpu.0.uuid=GPU-40900000-1111-2222-3333-444444444444
gpu.0.bus=00000000:01:00.0
gpu.0.total={24564 * MIB}
gpu.0.reserved={426 * MIB}
gpu.0.used={484 * MIB}
gpu.0.cc=8.9
gpu.0.util=3
gpu.0.temp=41
gpu.0.power=27500
gpu.0.plimit=450000
gpu.0.mig=0
gpu.0.gfx.0=1201:{214 * MIB}
gpu.0.gfx.1=1502:{118 * MIB}
gpu.0.gfx.2=2710:{152 * MIB}
gpu.0.proc.0=2710:{152 * MIB}
proc.1201.name=/usr/lib/xorg/Xorg
proc.1502.name=/usr/bin/gnome-shell
proc.2710.name=/usr/lib/firefox/firefox --type=gpu
"""
"""One idle card that also drives a desktop."""

TWO_UNEQUAL_3090S = f"""\
driver=575.64.03
cuda=12090
gpus=2
gpu.0.name=NVIDIA GeForce RTX 3090
gpu.0.uuid=GPU-30900000-aaaa-0000-0000-000000000000
gpu.0.bus=00000000:21:00.0
gpu.0.total={24576 * MIB}
gpu.0.reserved={446 * MIB}
gpu.0.used={1 * MIB}
gpu.0.cc=8.6
gpu.0.util=0
gpu.0.temp=35
gpu.0.power=21000
gpu.0.plimit=350000
gpu.1.name=NVIDIA GeForce RTX 3090
gpu.1.uuid=GPU-30900000-bbbb-0000-0000-000000000000
gpu.1.bus=00000000:4A:00.0
gpu.1.total={24576 * MIB}
gpu.1.reserved={446 * MIB}
gpu.1.used={9216 * MIB}
gpu.1.cc=8.6
gpu.1.util=98
gpu.1.temp=72
gpu.1.power=301000
gpu.1.plimit=320000
gpu.1.proc.0=5150:{9215 * MIB}
proc.5150.name=/home/ann/venv/bin/python
"""
"""Two cards of one name, the second one in use and held to less power."""

H100_AND_A100_WITH_MIG = f"""\
driver=580.95.05
cuda=13000
gpus=2
gpu.0.name=NVIDIA H100 80GB HBM3
gpu.0.uuid=GPU-aaaaaaaa-0000-0000-0000-000000000000
gpu.0.bus=00000000:17:00.0
gpu.0.total={81559 * MIB}
gpu.0.reserved={700 * MIB}
gpu.0.used=0
gpu.0.cc=9.0
gpu.0.util=0
gpu.0.temp=30
gpu.0.power=70000
gpu.0.plimit=700000
gpu.0.mig=0
gpu.1.name=NVIDIA A100-SXM4-40GB
gpu.1.uuid=GPU-bbbbbbbb-0000-0000-0000-000000000000
gpu.1.bus=00000000:65:00.0
gpu.1.total={40960 * MIB}
gpu.1.used={5120 * MIB}
gpu.1.cc=8.0
gpu.1.util=50
gpu.1.mig=1
gpu.1.mig.0.name=NVIDIA A100-SXM4-40GB MIG 3g.20gb
gpu.1.mig.0.uuid=MIG-cccccccc-0000-0000-0000-000000000000
gpu.1.mig.0.total={19968 * MIB}
gpu.1.mig.0.used={5083 * MIB}
gpu.1.mig.0.gi=1
gpu.1.mig.0.ci=0
gpu.1.mig.0.proc.0=5000777:{5070 * MIB}:1:0
gpu.1.mig.2.name=NVIDIA A100-SXM4-40GB MIG 1g.5gb
gpu.1.mig.2.uuid=MIG-dddddddd-0000-0000-0000-000000000000
gpu.1.mig.2.total={4864 * MIB}
gpu.1.mig.2.used={12 * MIB}
gpu.1.mig.2.gi=7
gpu.1.mig.2.ci=0
"""
"""A whole card beside one that can only be used as its two instances; slot 1 is empty."""

GB10 = f"""\
driver=580.95.05
cuda=13000
gpus=1
gpu.0.name=NVIDIA GB10
gpu.0.uuid=GPU-10000000-0000-0000-0000-000000000000
gpu.0.bus=0000000F:01:00.0
gpu.0.cc=12.1
gpu.0.util=0
gpu.0.temp=38
gpu.0.power=4200
gpu.0.proc.0=5003003:{180 * MIB}
"""
"""A chip that shares the host's memory: its driver answers no question about memory."""

DRIVER_NOT_LOADED = "init.error=9\n"
"""The library is installed, the kernel module is not loaded."""

DRIVER_LIBRARY_MISMATCH = "init.error=18\n"
"""The driver was updated and the machine was not restarted."""

NO_GPU_IN_DRIVER = "driver=580.95.05\ncuda=13000\ngpus=0\n"
"""A working driver without a card."""

OLD_DRIVER = f"""\
driver=450.119.03
cuda=11000
gpus=1
gpu.0.name=NVIDIA GeForce GTX 1080 Ti
gpu.0.uuid=GPU-10800000-0000-0000-0000-000000000000
gpu.0.bus=00000000:01:00.0
gpu.0.total={11178 * MIB}
gpu.0.reserved={180 * MIB}
gpu.0.used={320 * MIB}
gpu.0.cc=6.1
gpu.0.util=0
gpu.0.temp=44
gpu.0.power=9000
gpu.0.plimit=250000
gpu.0.proc.0=5000901:{310 * MIB}
error.nvmlDeviceGetMemoryInfo_v2=13
error.nvmlDeviceGetComputeRunningProcesses_v3=13
error.nvmlDeviceGetGraphicsRunningProcesses_v3=13
error.nvmlDeviceGetMigMode=13
"""
"""A driver from before memory version 2 and process lists version 3."""
