"""deploy/kubernetes: against the schemas of Kubernetes, kubectl where it is, and the job's own rules.

KEDA's schema is not among them; what stands there was compared with KEDA 2.16's.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from pipeline.memory import peak_bytes
from pipeline.option_table import BY_NAME
from tests.deployments import DEPLOY, has_time_to_stop, the_settings, variables_in
from transforms.settings import MIB

if TYPE_CHECKING:
    from pipeline.options import Settings

KUBERNETES = DEPLOY / "kubernetes"
KUBERNETES_VERSION = "1.32"


def _manifests() -> list[dict[str, Any]]:
    """Every document that `kustomization.yaml` names or could name."""
    paths = [path for path in sorted(KUBERNETES.glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [each for path in paths for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def _manifest(kind: str) -> dict[str, Any]:
    (only,) = (each for each in _manifests() if each["kind"] == kind)
    return only


@pytest.fixture
def pod() -> dict[str, Any]:
    """The pod of the deployment, its only container as `container`."""
    spec: dict[str, Any] = _manifest("Deployment")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return {**spec, "container": container}


def _pod_settings(pod: dict[str, Any]) -> Settings:
    return the_settings(pod["container"]["args"], variables_in(KUBERNETES / "settings.env"))


@pytest.mark.parametrize(
    "manifest",
    [each for each in _manifests() if not each["apiVersion"].startswith("keda.sh/")],
    ids=lambda each: str(each["kind"]),
)
def test_kubernetes_knows_every_field_of_what_it_is_given(manifest: dict[str, Any]) -> None:
    """By its own schemas, strictly: what they do not know is refused."""
    kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    """So the test above tests something."""
    manifest = _manifest("Deployment")
    manifest["spec"]["template"]["spec"]["terminationGracePeriod"] = 60

    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)


def test_the_args_and_the_settings_of_the_pod_are_options_of_the_job(pod: dict[str, Any]) -> None:
    """A misspelt one would be refused, or go to Beam."""
    settings = _pod_settings(pod)

    assert settings.receive.queue_url.startswith("https://")
    assert settings.write.output.startswith("s3://")


def test_a_pod_has_time_to_stop(pod: dict[str, Any]) -> None:
    """Kubernetes kills it after that."""
    assert has_time_to_stop(pod["terminationGracePeriodSeconds"], _pod_settings(pod))


def test_probes_ask_the_port_that_the_job_listens_on(pod: dict[str, Any]) -> None:
    """At every address, since probes come from outside the pod."""
    run, container = _pod_settings(pod).run, pod["container"]
    paths = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
    annotations = _manifest("Deployment")["spec"]["template"]["metadata"]["annotations"]

    assert {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"} == paths
    assert [("metrics", run.metrics_port)] == [(each["name"], each["containerPort"]) for each in container["ports"]]
    assert str(run.metrics_port) == annotations["prometheus.io/port"]
    assert "0.0.0.0" == run.metrics_address  # noqa: S104 - of a pod


def test_a_pod_has_the_memory_that_the_options_allow_at_worst(pod: dict[str, Any]) -> None:
    """The supervisor needs little beside it."""
    limit = pod["container"]["resources"]["limits"]["memory"]

    assert int(limit.removesuffix("Gi")) * 1024 * MIB > peak_bytes(_pod_settings(pod))


def test_a_pod_keeps_to_the_restricted_rules_that_its_namespace_enforces(pod: dict[str, Any]) -> None:
    """Kubernetes' own words for them: Pod Security Standards."""
    security = pod["container"]["securityContext"]

    assert "restricted" == _manifest("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert (True, "RuntimeDefault") == (
        pod["securityContext"]["runAsNonRoot"],
        pod["securityContext"]["seccompProfile"]["type"],
    )
    assert (False, {"drop": ["ALL"]}) == (security["allowPrivilegeEscalation"], security["capabilities"])
    assert security["readOnlyRootFilesystem"] is True
    assert ["/tmp"] == [each["mountPath"] for each in pod["container"]["volumeMounts"]]  # noqa: S108 - of a pod


def test_a_single_pod_never_holds_up_the_maintenance_of_a_node() -> None:
    """Kubernetes rounds a percentage of unavailable pods up; a least number of available ones would hold it up."""
    budget = _manifest("PodDisruptionBudget")["spec"]

    assert {"maxUnavailable": "50%", "selector": _manifest("Deployment")["spec"]["selector"]} == budget


def test_the_service_account_is_the_one_that_the_role_trusts(pod: dict[str, Any]) -> None:
    """Namespace and name, as the default of the template in deploy/aws has them."""
    template = (DEPLOY / "aws" / "template.yaml").read_text(encoding="utf-8")
    names = (_manifest("Namespace")["metadata"]["name"], _manifest("ServiceAccount")["metadata"]["name"])

    assert f"Default: {':'.join(names)}\n" in template
    assert names[1] == pod["serviceAccountName"]
    assert "eks.amazonaws.com/role-arn" in _manifest("ServiceAccount")["metadata"]["annotations"]


def test_keda_scales_the_deployment_by_the_backlog_of_the_jobs_queue() -> None:
    """What pods hold must not call for more pods, so a pod's share is more than `--max_in_flight`."""
    scaled, authentication = _manifest("ScaledObject")["spec"], _manifest("TriggerAuthentication")
    (trigger,) = scaled["triggers"]

    assert _manifest("Deployment")["metadata"]["name"] == scaled["scaleTargetRef"]["name"]
    assert authentication["metadata"]["name"] == trigger["authenticationRef"]["name"]
    assert ("aws-sqs-queue", "SQS_QUEUE_URL") == (trigger["type"], trigger["metadata"]["queueURLFromEnv"])
    assert int(trigger["metadata"]["queueLength"]) > BY_NAME["max_in_flight"].default
    assert {str} == {type(value) for value in trigger["metadata"].values()}  # KEDA takes nothing else


def test_kustomization_names_every_file_there_is() -> None:
    """The one for KEDA is a comment, to be uncommented where KEDA is."""
    text = (KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8")
    listed = yaml.safe_load(text)["resources"]
    there = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}

    assert there - set(listed) == {"scaled-object.yaml"}
    assert "\n  # - scaled-object.yaml " in text


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_puts_it_together() -> None:
    """Offline, as `kubectl apply -k` begins: the image is the one named, and settings get a digest in their name."""
    done = subprocess.run(
        ["kubectl", "kustomize", KUBERNETES],  # noqa: S607 - whichever there is
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    manifests = {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}

    assert {"Namespace", "ServiceAccount", "Deployment", "PodDisruptionBudget", "ConfigMap"} == set(manifests)
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert "registry.example.com/sqs-pipeline:0.1.0" == container["image"]
    assert manifests["ConfigMap"]["metadata"]["name"] == container["envFrom"][0]["configMapRef"]["name"]
    assert "sqs-pipeline-" in manifests["ConfigMap"]["metadata"]["name"]
