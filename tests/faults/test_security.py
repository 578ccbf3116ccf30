"""A secret stays a secret, and a run needs no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from planner.plan_file import plan_file_text
from tests.faults.downloads import hub_command
from tests.faults.laboratory import ROOT, Laboratory, Run
from tests.hub import COMMIT, NAME, ModelHub

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("faults")]

CANARY = "hf_canaryCANARYcanary0123456789"


def files_with_canary(folder: Path) -> list[str]:
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]


def command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


def test_a_launch_without_any_network_finishes_and_keeps_the_token(laboratory: Laboratory) -> None:
    """In a namespace without a network the real command trains; HF_TOKEN is nowhere afterwards."""
    probe = ["unshare", "--net", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    run = laboratory.run("lora")
    plan = run.folder.path.with_suffix(".yaml")
    shutil.copy(run.folder.plan, plan)
    shutil.rmtree(run.folder.path)
    environment = dict(os.environ) | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-W", "ignore", "-m", "launcher", "launch", str(plan), "--yes"]

    launch = subprocess.Popen(
        ["unshare", "--net", *command],
        cwd=plan.parent,
        env=environment | {"HF_TOKEN": CANARY, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    run.wait(lambda: launch.poll() is not None or run.folder.pulse.exists())
    shown = command_lines()
    said = launch.communicate(timeout=300)[0]

    assert launch.returncode == 0, said
    assert "launcher.training.worker" in shown
    assert CANARY not in shown
    assert CANARY not in said
    assert files_with_canary(run.folder.path) == []


@pytest.mark.parametrize("where", ["step", "save"])
def test_an_error_that_quotes_the_token_is_told_without_it(
    laboratory: Laboratory, where: str
) -> None:
    """Neither the event, nor the traceback in the log, nor the state holds it."""
    run = laboratory.run("lora")
    text = f"401 Client Error: header authorization: Bearer {CANARY} was refused"
    fault = {"kind": "raise", "where": where, "step": 2, "text": text, "once": False}

    run.start(fault, environment={"HF_TOKEN": CANARY})

    assert run.ended().exit_code == 6, run.story()
    assert "Traceback" in run.folder.log.read_text()
    assert _without_plan(run) == []


def _without_plan(run: Run) -> list[str]:
    return files_with_canary(run.folder.path)


_OWN_CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.mark.parametrize(("name", "trusted"), [("lora", False), ("lora", True), ("full", True)])
def test_a_models_own_code_runs_only_where_a_plan_names_its_commit(
    laboratory: Laboratory, name: str, trusted: bool, tmp_path: Path
) -> None:
    """Without it the launch is refused and nothing fetched; with it a model is trained and asked.

    The Hub's branch has moved on by then; what was trusted is the commit.
    """
    shutil.copytree(laboratory.model, tmp_path / "model")
    (tmp_path / "model" / "own.py").write_text(_OWN_CODE)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config |= {"model_type": "own", "architectures": ["OwnModel"]}
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    with ModelHub.serving(tmp_path / "model") as hub:
        run = laboratory.run(name, loss="torch", max_steps=2, evaluate_every_steps=0)
        model = replace(
            run.plan.model, hub_id=NAME, folder=None, revision=COMMIT, trust_remote_code=trusted
        )
        shutil.rmtree(run.folder.path)
        path = run.folder.path.with_suffix(".yaml")
        path.write_text(plan_file_text(replace(run.plan, model=model), {}))

        launch = hub_command(run, hub, "launch", str(path), "--yes")
        said = launch.communicate(timeout=250)[0]
        if trusted:
            hub.commit = "f" * len(COMMIT)
            chat = hub_command(run, hub, "chat", str(run.folder.path))
            said += chat.communicate(timeout=250)[0]
            assert chat.returncode == 0, said

    fetched = any(each.endswith("own.py") for each in hub.requests)
    assert (launch.returncode, fetched) == ((0, True) if trusted else (2, False)), said
    assert trusted or "trust_remote_code: true in section model, with revision: COMMIT" in said


def test_files_have_the_rights_that_the_user_gives(laboratory: Laboratory) -> None:
    """With a umask of 027 the group may read and others nothing, weights and lock included."""
    run = laboratory.run("lora")

    run.start(umask=0o027)

    assert run.ended().exit_code == 0, run.story()
    rights = {path: path.stat().st_mode & 0o777 for path in run.folder.path.rglob("*")}
    del rights[run.folder.plan]
    assert {rights[path] for path in rights if path.is_dir()} == {0o750}, rights
    assert {rights[path] for path in rights if path.is_file()} == {0o640}, rights


def test_what_a_run_leaves_is_safetensors_and_verified_state(laboratory: Laboratory) -> None:
    """The result holds no pickle; what a checkpoint holds of torch is loaded as data alone."""
    run = laboratory.reference("lora")
    assert run.folder.result is not None

    suffixes = {path.suffix for path in run.folder.result.iterdir()}

    assert suffixes <= {".safetensors", ".json", ".jinja", ".md", ".txt"}
