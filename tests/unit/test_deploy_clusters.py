"""What the image and the files for clusters promise, without Docker, Kubernetes, Flink or Spark."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import compose_spec
import kubernetes_validate
import pytest
import yaml

from pipeline import dataflow
from pipeline.options import parse
from pipeline.runners import plan
from tests.markdown import Page, blocks
from transforms import aws

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (DEPLOY / "flink" / "compose.yaml").read_text()
PAGES = [DEPLOY / "docker" / "README.md", DEPLOY / "flink" / "README.md", DEPLOY / "spark" / "README.md"]
PAGES += [ROOT / "docs" / "dataflow.md"]
KUBERNETES = "1.29"
"""The oldest that the manifests are for."""
QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/acme-logs-new-objects"


def _interpolated(text: str) -> str:
    """Answer a compose file as it is with nothing but the required variables set."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return re.sub(r"\$\{\w+:\?[^}]*\}", "s3://given/by-the-user", text)


def _manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(path for name in ("flink", "spark") for path in (DEPLOY / name).rglob("*.yaml")):
        documents = list(yaml.safe_load_all(path.read_text()))
        yield from ((path.name, document) for document in documents if document and "apiVersion" in document)


def _manifest(kind: str) -> dict[str, Any]:
    (found,) = (document for _, document in _manifests() if document["kind"] == kind)
    return found


def _pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the specifications of all pods, those in Flink's templates too."""
    for name, document in _manifests():
        places: list[Any] = [document]
        while places:
            place = places.pop()
            if isinstance(place, dict) and "containers" in place:
                yield name, place
            elif isinstance(place, dict):
                places += place.values()
    yield "flink.yaml", _manifest("FlinkDeployment")["spec"]["taskManager"]["podTemplate"]["spec"]


# ── the image


def test_the_dockerfile_is_as_hadolint_wants_it() -> None:
    """Every rule; the one that is turned off says why."""
    done = subprocess.run(
        [Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stdout)


def test_what_the_dockerfile_copies_is_what_docker_is_given_and_no_more() -> None:
    """So no secret can slip in."""
    copied = {name for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]}
    ignored, *rest = (line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#"))
    given = {line.removeprefix("!") for line in rest if line.startswith("!")}

    assert "*" == ignored
    assert {name for name in copied if not name.startswith("--")} == given


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    """Kubernetes reads no names."""
    user, group = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)[-1].split(":")

    assert min(int(user), int(group)) > 0


def test_the_entry_scripts_are_shell_for_every_shell() -> None:
    """The form at least; dash is Debian's `sh`."""
    for script in sorted(DEPLOY.rglob("*.sh")):
        assert 0 == subprocess.run(["/bin/sh", "-n", script], check=False).returncode
        assert script.stat().st_mode & 0o111, f"{script} cannot be executed"


# ── versions


def test_job_servers_are_of_the_beam_and_flink_that_the_rest_is_of() -> None:
    """In every file that names one."""
    (beam,) = re.findall(r"^apache-beam==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    text = "\n".join(path.read_text() for path in [*DEPLOY.rglob("*.yaml"), *PAGES])
    servers = re.findall(r"apache/beam_(\D+)([\d.]+)_job_server:([\d.]+\d)", text)
    flinks = set(re.findall(r"image: flink:(\d+\.\d+)-", text)) | {
        _manifest("FlinkDeployment")["spec"]["flinkVersion"].removeprefix("v").replace("_", ".")
    }

    assert {beam} == {version for _, _, version in servers}
    assert {version for name, version, _ in servers if name == "flink"} == flinks
    assert {beam} == set(re.findall(r"beam_python3\.11_sdk:([\d.]+)", text))


# ── Docker Compose


def test_the_compose_file_is_one() -> None:
    """By the specification; a misspelt key is refused."""
    whole = yaml.safe_dump(yaml.safe_load(_interpolated(COMPOSE)))

    assert "submit" in compose_spec.PyCompose.from_yaml(whole).service_names()
    with pytest.raises(ValueError, match="network_mod"):
        compose_spec.PyCompose.from_yaml(whole.replace("network_mode", "network_mod"))


def test_every_task_manager_has_a_worker_pool_in_its_own_network() -> None:
    """They call each other at localhost."""
    services = yaml.safe_load(COMPOSE)["services"]
    networks = {
        command: sorted(service["network_mode"] for service in services.values() if service.get("command") == command)
        for command in ("taskmanager", "worker-pool")
    }

    assert networks["taskmanager"] == networks["worker-pool"] == ["service:network-1", "service:network-2"]


# ── Kubernetes


def test_the_manifests_are_what_kubernetes_takes() -> None:
    """By its own schemas; what the Flink operator takes has the form of a pod where it says so."""
    for _, document in _manifests():
        if document["kind"] != "FlinkDeployment":
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
    for name, pod in _pods():
        whole = pod if "containers" in pod else pod | {"containers": [{"name": "flink-main-container"}]}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_our_containers_may_do_little_and_have_a_limit_of_memory() -> None:
    """With a place for temporary files, which Beam needs."""
    ours = [
        container
        for _, pod in _pods()
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ()))
        if container.get("image") == "sqs-pipeline"
    ]

    assert 3 == len(ours)
    for container in ours:
        security = container["securityContext"]
        assert security["runAsNonRoot"]
        assert security["readOnlyRootFilesystem"]
        assert ["ALL"] == security["capabilities"]["drop"]
        assert ["/tmp"] == [mount["mountPath"] for mount in container["volumeMounts"]]  # noqa: S108
        assert container["resources"]["limits"]["memory"]


def test_the_worker_pool_is_a_sidecar_that_is_there_first_and_started_again() -> None:
    """Flink's pods themselves are never restarted."""
    (pool,) = _manifest("FlinkDeployment")["spec"]["taskManager"]["podTemplate"]["spec"]["initContainers"]

    assert (["worker-pool"], "Always") == (pool["args"], pool["restartPolicy"])
    assert ["entrypoint", "health", "50000"] == pool["startupProbe"]["exec"]["command"]


def test_one_drain_at_a_time_and_one_submission() -> None:
    """What failed is not begun again beside what still runs."""
    drain, submit = _manifest("CronJob")["spec"], _manifest("Job")["spec"]

    assert "Forbid" == drain["concurrencyPolicy"]
    assert [0, 0] == [drain["jobTemplate"]["spec"]["backoffLimit"], submit["backoffLimit"]]


# ── every command line


def _command_lines() -> Iterator[tuple[str, list[str]]]:
    """Yield where a job is started, and with what options: on the pages, in the compose file, in the manifests."""
    for path in PAGES:
        for block in blocks(Page(path).text, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if "-m pipeline" in line:
                    yield path.parent.name, shlex.split(line.partition("-m pipeline")[2])
    yield "compose.yaml", yaml.safe_load(COMPOSE)["services"]["submit"]["command"]
    for name, pod in _pods():
        for container in pod.get("containers", ()):
            if container.get("image") == "sqs-pipeline":
                yield name, container["args"]


COMMAND_LINES = list(_command_lines())


@pytest.mark.parametrize(
    ("place", "arguments"), COMMAND_LINES, ids=[f"{number}-{place}" for number, (place, _) in enumerate(COMMAND_LINES)]
)
def test_every_command_line_is_one_that_the_job_takes(
    place: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed and planned as at a start, with workers elsewhere."""
    monkeypatch.setattr(aws, "profile_region", lambda: None)
    monkeypatch.setattr(dataflow, "google_parts_are_installed", lambda: True)
    environment = {"SQS_QUEUE_URL": QUEUE_URL, "SQS_PIPELINE_OUTPUT": "s3://acme-results/logs"}

    made = plan(*parse(arguments, environment))

    assert not made.workers_here
    if made.settings.run.runner == "PortableRunner":
        assert (10.0, 16) == (made.settings.receive.budget_s, made.settings.receive.receivers)


def test_there_are_command_lines_to_test() -> None:
    """In every place that has some."""
    assert {"flink", "spark", "docs", "compose.yaml", "submit.yaml", "cronjob.yaml"} == {p for p, _ in COMMAND_LINES}
