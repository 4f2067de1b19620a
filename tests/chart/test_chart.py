"""The Helm chart: rendered by helm itself, held to Kubernetes' schemas and to what the bridge is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import bridge
from bridge.commands import COMMANDS
from bridge.commands.web import STOPS_WITHIN_S
from bridge.ledger.processes import KINDS
from bridge.metrics.families import SHARED
from bridge.secret_files import secret_variables
from bridge.settings import Settings
from bridge.web.api import responses
from deploy.image.root import HOME, USER
from tests.chart.rendering import (
    OPTIONS,
    environment,
    named,
    of_kind,
    pods,
    refused,
    rendered,
    template,
)
from tests.chart.shapes import SHAPES, faults_of_other
from tests.chart.tools import CHART, ROOT, VERSIONS, faults_of, helm
from tests.failover.rolling import GRACE_S
from workers.stopping import ENDS_WITHIN_S

SECRETS = {name.upper() for name in secret_variables(Settings)}
VALUES: Mapping[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
GUIDE = (ROOT / "deploy" / "kubernetes.md").read_text()
# What the chart sets itself, and what it does not offer.
OWN = {
    "HOST", "PORT", "DATA_DIR", "DRAIN_S", "WORKER_THREADS", "CALLBRIDGE_RULES", "CALLBRIDGE_ACCOUNTS",
    "JOURNAL_MB",
}  # fmt: skip


def spellings(name: str) -> set[str]:
    alias = Settings.model_fields[name].validation_alias
    return {name.upper(), *(str(one).upper() for one in getattr(alias, "choices", ()))}


SETTINGS = {one for name in Settings.model_fields if name != "rules" for one in spellings(name)}


def test_helm_finds_nothing_to_complain_of() -> None:
    done = helm("lint", "--strict", CHART)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_rendered_is_valid(option: str, version: str) -> None:
    things = rendered(option)

    assert things
    for one in things:
        is_other = (one["apiVersion"], one["kind"]) in SHAPES
        assert (faults_of_other(one) if is_other else faults_of(one, version)) == [], one["metadata"]["name"]


@pytest.mark.parametrize("option", OPTIONS)
def test_names_are_unique_and_everything_has_the_labels_of_the_release(option: str) -> None:
    things = rendered(option)

    names = [(one["kind"], one["metadata"]["name"]) for one in things]
    assert len(names) == len(set(names))
    assert {one["metadata"]["labels"]["app.kubernetes.io/instance"] for one in things} == {"calls"}


@pytest.mark.parametrize("option", OPTIONS)
def test_each_variable_is_a_setting_or_of_the_operator(option: str) -> None:
    own = {one["name"] for one in OPTIONS[option].get("extraEnv", [])}

    for pod in pods(rendered(option)).values():
        for name in environment(pod).keys() - own:
            is_file = name.endswith("_FILE") and name.removesuffix("_FILE") in SECRETS
            assert is_file or name in SETTINGS - SECRETS, name


def test_the_settings_of_the_defaults_are_accepted_by_the_bridge(tmp_path: Any) -> None:
    # As in a pod: the Secret's keys are files.
    secrets = {"redis-url": "redis://redis:6379/0", "webhook-tokens": "a-token-of-sixteen"}
    environ = environment(pods(rendered("defaults"))["web"]) | {"DATA_DIR": str(tmp_path)}
    for name in [one for one in environ if one.endswith("_FILE")]:
        path = tmp_path / environ[name].rpartition("/")[2]
        path.write_text(secrets.get(path.name, f"made-up-{path.name}"))
        environ[name] = str(path)
    environ["RECORDINGS_URL"] = f"file:{tmp_path}"

    settings = Settings.from_env(environ, dotenv=None)

    assert settings.missing("redis", "webhooks", "cloudtalk", "kustomer") == []
    assert settings.drain_s == VALUES["web"]["drainSeconds"]
    assert settings.worker_threads == VALUES["worker"]["threads"]


def test_a_value_reaches_the_bridge_as_it_was_written() -> None:
    given = {"KUSTOMER_REQUESTS_PER_MINUTE": 1_000_000, "READ_MASKED": False, "RECORDING_RETENTION_DAYS": 0.5}
    code, text, messages = template({"settings": given})

    assert code == 0, messages
    pod = pods([one for one in yaml.safe_load_all(text) if one])["web"]
    found = environment(pod)
    assert {name: found[name] for name in given} == {
        "KUSTOMER_REQUESTS_PER_MINUTE": "1000000",
        "READ_MASKED": "false",
        "RECORDING_RETENTION_DAYS": "0.5",
    }


@pytest.mark.parametrize("option", OPTIONS)
def test_pods_keep_the_restricted_standard_and_run_as_the_image_is_built(option: str) -> None:
    for pod in pods(rendered(option)).values():
        (container,) = pod["containers"]
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        } | ({"fsGroupChangePolicy": "OnRootMismatch"} if "livenessProbe" in container else {})
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        kinds = {key for volume in pod["volumes"] for key in volume} - {"name"}
        assert kinds <= {"emptyDir", "secret", "configMap", "persistentVolumeClaim"}


def test_each_process_runs_and_is_asked_whether_it_lives() -> None:
    found = pods(rendered("defaults"))

    assert found.keys() == {*KINDS, "doctor"}
    for kind, pod in found.items():
        (container,) = pod["containers"]
        assert container["args"][0] in COMMANDS
        assert {"name": "data", "mountPath": f"/{HOME}"} in container["volumeMounts"]
        if kind in ("worker", "clock"):
            for probe in ("startupProbe", "livenessProbe"):
                assert container[probe]["exec"]["command"] == ["/usr/bin/callbridge", "health", kind]
    (web,) = found["web"]["containers"]
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_a_process_is_given_longer_to_end_than_it_takes() -> None:
    found = pods(rendered("defaults"))
    (web,) = found["web"]["containers"]
    sleep = web["lifecycle"]["preStop"]["sleep"]["seconds"]

    drain_s = float(environment(found["web"])["DRAIN_S"])
    assert found["web"]["terminationGracePeriodSeconds"] >= sleep + drain_s + STOPS_WITHIN_S + 5
    for kind in ("worker", "clock"):
        assert found[kind]["terminationGracePeriodSeconds"] >= ENDS_WITHIN_S + 5


def test_the_drill_of_rolling_restarts_gives_no_longer_than_the_chart() -> None:
    grace = {
        kind: pod.get("terminationGracePeriodSeconds") for kind, pod in pods(rendered("defaults")).items()
    }

    assert {kind: grace[kind] for kind in GRACE_S} == dict(GRACE_S)


def test_a_new_process_is_there_before_an_old_one_ends() -> None:
    for one in of_kind(rendered("defaults"), "Deployment"):
        assert one["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_secrets_stand_nowhere_in_what_is_rendered() -> None:
    _, text, _ = template({})

    assert not of_kind(rendered("defaults"), "Secret")
    for name in SECRETS:
        assert not re.search(rf"name: {name}\b", text)


def test_only_web_is_reached_and_metadata_of_the_cloud_is_not() -> None:
    things = rendered("defaults")
    everything, web = (
        named(things, "NetworkPolicy", "calls-callbridge"),
        named(things, "NetworkPolicy", "calls-callbridge-web"),
    )

    assert "ingress" not in everything["spec"] and "Ingress" in everything["spec"]["policyTypes"]
    assert web["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "web"
    blocks = [
        to["ipBlock"] for rule in everything["spec"]["egress"] for to in rule.get("to", []) if "ipBlock" in to
    ]
    assert "169.254.0.0/16" in blocks[0]["except"]


def test_alerts_are_those_of_the_monitoring_folder_and_fit_the_scrape() -> None:
    things = rendered("monitoring")
    rules = named(things, "PrometheusRule", "calls-callbridge")["spec"]
    monitor = named(things, "ServiceMonitor", "calls-callbridge")

    assert rules == yaml.safe_load((ROOT / "deploy/monitoring/callbridge.rules.yml").read_text())
    # Which the alert on `up` asks for.
    label = monitor["spec"]["jobLabel"]
    assert monitor["metadata"]["labels"][label] == "callbridge"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "callbridge", "key": "ops-token"}


def test_alerts_may_name_another_place_of_the_runbook() -> None:
    values = {"prometheusRule": {"enabled": True, "runbookUrl": "https://docs.example.com/"}}
    _, text, _ = template(values)

    found = re.findall(r"runbook_url: (\S+#\S+)", text)
    assert found and all(one.startswith("https://docs.example.com/") for one in found)


def test_no_token_is_sent_where_metrics_are_public() -> None:
    monitor = named(rendered("public metrics"), "ServiceMonitor", "calls-callbridge")

    assert "authorization" not in monitor["spec"]["endpoints"][0]


def test_workers_scale_by_numbers_that_the_bridge_tells() -> None:
    jobs = next(one for one in SHARED if one.name == "callbridge_jobs")
    scaled = named(rendered("autoscaling by Prometheus"), "ScaledObject", "calls-callbridge-worker")

    for trigger in scaled["spec"]["triggers"]:
        found = re.search(
            r'\(callbridge_jobs\{state="(\w+)",namespace="phone",service="calls-callbridge-web"\}\)',
            trigger["metadata"]["query"],
        )
        assert found and found[1] in jobs.labels["state"]
    asked = named(rendered("autoscaling by the API"), "ScaledObject", "calls-callbridge-worker")
    for trigger in asked["spec"]["triggers"]:
        assert trigger["metadata"]["url"] == "http://calls-callbridge-web.phone.svc:80/api/queue"
        assert trigger["metadata"]["valueLocation"] in responses.Queue.model_fields


@pytest.mark.parametrize("option", ["autoscaling by Prometheus", "autoscaling by the API"])
def test_the_number_of_workers_is_left_to_what_scales_them(option: str) -> None:
    worker = named(rendered(option), "Deployment", "calls-callbridge-worker")

    assert "replicas" not in worker["spec"]


def test_recordings_are_shared_or_in_a_bucket() -> None:
    for option, claim in (("defaults", "calls-callbridge-recordings"), ("claim", "shared")):
        for pod in pods(rendered(option)).values():
            assert environment(pod)["RECORDINGS_URL"] == "file:/recordings"
            volume = next(one for one in pod["volumes"] if one["name"] == "recordings")
            assert volume["persistentVolumeClaim"] == {"claimName": claim}
    assert not of_kind(rendered("claim"), "PersistentVolumeClaim")
    assert not of_kind(rendered("bucket"), "PersistentVolumeClaim")
    assert environment(pods(rendered("bucket"))["web"])["RECORDINGS_URL"].startswith("s3://")


def test_accounts_come_from_a_secret_or_a_volume() -> None:
    for option, path in (
        ("accounts", "/etc/callbridge/accounts/accounts.toml"),
        ("accounts of a volume", "/mnt/companies/accounts.toml"),
    ):
        for pod in pods(rendered(option)).values():
            assert environment(pod)["CALLBRIDGE_ACCOUNTS"] == path
            (container,) = pod["containers"]
            assert any(path.startswith(f"{one['mountPath']}/") for one in container["volumeMounts"])
    assert all("CALLBRIDGE_ACCOUNTS" not in environment(pod) for pod in pods(rendered("defaults")).values())


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_among_the_settings_is_refused(name: str) -> None:
    assert f"settings.{name}: it is" in refused({"settings": {name: "x"}})


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_setting_that_the_chart_sets_is_refused(name: str) -> None:
    assert f"settings.{name}: remove it; " in refused({"settings": {name: "x"}})


def test_every_other_setting_is_taken() -> None:
    names = SETTINGS - SECRETS - OWN

    code, text, messages = template({"settings": dict.fromkeys(names, "x")})

    assert code == 0, messages
    pod = pods([one for one in yaml.safe_load_all(text) if one])["worker"]
    assert names <= environment(pod).keys()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"web": {"replica": 3}}, "at '/web': additional properties 'replica' not allowed"),
        ({"worker": {"threads": "many"}}, "at '/worker/threads': got string, want integer"),
        ({"worker": {"terminationGracePeriodSeconds": 5}}, "minimum: got 5, want 25"),
        ({"autoscaling": {"source": "redis"}}, "value must be one of 'prometheus', 'api'"),
        ({"autoscaling": {"minReplicas": 9}}, "minReplicas is greater than maxReplicas"),
        ({"image": {"digest": "latest"}}, "at '/image/digest'"),
        (
            {"settings": {"time_zone": "UTC"}},
            "time_zone: no name of a setting; write it as in the environment",
        ),
        ({"secrets": {"keys": {"Ops-Token": "x"}}}, "Ops-Token: no name of a setting"),
        ({"settings": {"TIME_ZONE": ["UTC"]}}, "at '/settings/TIME_ZONE'"),
        ({"rules": {"text": "x", "existingConfigMap": "ours"}}, "set text or existingConfigMap, not both"),
        ({"secrets": {"keys": {"REDIS_URL": None}}}, "name the Secret's key with the address of Redis"),
        ({"accounts": {"existingSecret": "ours", "path": "/x"}}, "set existingSecret or path, not both"),
        ({"secrets": {"existingSecret": ""}}, "at '/secrets/existingSecret'"),
        ({"recordings": {"size": "lots"}}, "at '/recordings/size'"),
    ],
    ids=str,
)
def test_a_wrong_value_gets_a_clear_error(values: Mapping[str, Any], says: str) -> None:
    assert says in refused(values)


def test_an_older_kubernetes_is_refused() -> None:
    code, _, messages = template({}, kube="1.29.0")

    assert code
    assert "requires kubeVersion: >=1.30.0-0" in messages


def test_the_chart_has_the_version_of_the_bridge() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["version"] == chart["appVersion"] == bridge.__version__


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value and name not in ("resources", "keys"):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`" if text else ""


def test_every_value_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([a-zA-Z.]+)` \| (.*?) \| .+ \|$", GUIDE, re.MULTILINE))
    shown = {name: written(value) for name, value in leaves(VALUES)}
    for kind in ("worker", "clock"):
        for name in (
            "podAnnotations",
            "nodeSelector",
            "tolerations",
            "affinity",
            "topologySpreadConstraints",
        ):
            del shown[f"{kind}.{name}"]

    assert rows.keys() == shown.keys()
    simple = {name: value for name, value in shown.items() if not value.startswith("`{")}
    assert {name: rows[name] for name in simple} == simple
