"""The chart, rendered by helm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.chart.tools import CHART, helm

Thing = Mapping[str, Any]
# Each with what it needs beside the defaults.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "ingress": {"ingress": {"enabled": True, "className": "nginx", "tlsSecret": "bridge-tls"}},
    "rules": {"rules": {"text": 'version = 2\n\n[write]\nas = "note"\n'}},
    "rules of one's own": {"rules": {"existingConfigMap": "our-rules", "key": "ours.toml"}},
    "accounts": {"accounts": {"existingSecret": "companies"}},
    "accounts of a volume": {
        "accounts": {"path": "/mnt/companies/accounts.toml"},
        "extraVolumes": [{"name": "companies", "persistentVolumeClaim": {"claimName": "companies"}}],
        "extraVolumeMounts": [{"name": "companies", "mountPath": "/mnt/companies", "readOnly": True}],
    },
    "bucket": {"settings": {"RECORDINGS_URL": "s3://recordings/calls?region=eu-west-1"}},
    "claim": {"recordings": {"existingClaim": "shared"}},
    "monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "public metrics": {"serviceMonitor": {"enabled": True}, "settings": {"METRICS_PUBLIC": True}},
    "autoscaling by Prometheus": {"autoscaling": {"enabled": True}},
    "autoscaling by the API": {"autoscaling": {"enabled": True, "source": "api"}},
    "no policies": {"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
    "policies": {
        "networkPolicy": {
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
            "redis": {"ports": [6379, 26379], "to": [{"ipBlock": {"cidr": "10.1.0.0/24"}}]},
            "extraEgress": [{"ports": [{"port": 587, "protocol": "TCP"}]}],
        }
    },
    "Membrane": {
        "secrets": {
            "keys": {
                "KUSTOMER_API_KEY": None,
                "MEMBRANE_WORKSPACE_KEY": "membrane-key",
                "MEMBRANE_WORKSPACE_SECRET": "membrane-secret",
            }
        },
        "settings": {"KUSTOMER_VIA": "membrane", "MEMBRANE_KUSTOMER_CONNECTION": "kustomer"},
    },
    "everything of a pod": {
        "image": {"repository": "registry.example.com/calls/bridge", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "podLabels": {"team": "support"},
        "priorityClassName": "high",
        "extraEnv": [{"name": "AWS_REGION", "value": "eu-west-1"}],
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "redis-ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/redis-ca", "readOnly": True}],
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/bridge"}},
        **{
            kind: {
                "podAnnotations": {"example.com/note": "x"},
                "nodeSelector": {"kubernetes.io/arch": "amd64"},
                "tolerations": [{"key": "calls", "operator": "Exists"}],
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["calls"]}]}
                            ]
                        }
                    }
                },
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 2,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"team": "support"}},
                    }
                ],
            }
            for kind in ("web", "worker", "clock")
        },
    },
    "service": {
        "web": {"service": {"type": "LoadBalancer", "port": 8080, "annotations": {"example.com/lb": "x"}}}
    },
    "an account that exists": {"serviceAccount": {"create": False, "name": "ours"}},
    "other names": {"nameOverride": "calls", "fullnameOverride": "phone-bridge"},
}


def template(
    values: Mapping[str, Any], *, release: str = "calls", kube: str = "1.37.0"
) -> tuple[int, str, str]:
    """Exit code, what was rendered, and messages."""
    with TemporaryDirectory(prefix="callbridge-values-") as folder:
        path = Path(folder, "values.yaml")
        path.write_text(yaml.safe_dump(dict(values)))
        done = helm("template", release, CHART, "-f", path, "--namespace", "phone", "--kube-version", kube)
    return done.returncode, done.stdout, done.stderr


@cache
def _rendered(option: str) -> tuple[Thing, ...]:
    code, text, messages = template(OPTIONS[option])
    assert code == 0, messages
    return tuple(one for one in yaml.safe_load_all(text) if one)


def rendered(option: str) -> Sequence[Thing]:
    """The objects of an option."""
    return _rendered(option)


def refused(values: Mapping[str, Any]) -> str:
    """Why helm refuses these values."""
    code, text, messages = template(values)
    assert code, f"not refused: {text[:200]}"
    return re.sub(r"\s+", " ", messages)


def of_kind(things: Sequence[Thing], kind: str) -> list[Thing]:
    return [one for one in things if one["kind"] == kind]


def named(things: Sequence[Thing], kind: str, name: str) -> Thing:
    (found,) = (one for one in of_kind(things, kind) if one["metadata"]["name"] == name)
    return found


def pods(things: Sequence[Thing]) -> dict[str, Thing]:
    """Component -> specification of its pod, that of the check too."""
    found = {}
    for one in [*of_kind(things, "Deployment"), *of_kind(things, "Pod")]:
        spec = one["spec"]["template"]["spec"] if one["kind"] == "Deployment" else one["spec"]
        found[one["metadata"]["labels"]["app.kubernetes.io/component"]] = spec
    return found


def environment(pod: Thing) -> dict[str, str]:
    (container,) = pod["containers"]
    found = {one["name"]: one.get("value", "") for one in container.get("env", [])}
    assert len(found) == len(container["env"]), "a variable stands twice"
    return found
