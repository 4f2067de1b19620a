"""The used parts of the schemas of objects that are not Kubernetes' own; unknown fields are faults.

Read in November 2026 from the types that the npm packages `@kubernetes-models/keda` 2.0.0 and
`@kubernetes-models/prometheus-operator` 6.0.0 bring, which are generated from the projects' own definitions.
Triggers: KEDA's pages of the scalers `prometheus` and `metrics-api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
NUMBER: Schema = {"type": "integer"}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}


def having(required: str = "", **properties: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required.split(),
    }


def some(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


METADATA = having("name", name=TEXT, labels=TEXTS, annotations=TEXTS)
SECRET_KEY = having("key", name=TEXT, key=TEXT, optional={"type": "boolean"})
LABELS = having("matchLabels", matchLabels=TEXTS)

SERVICE_MONITOR = having(
    "endpoints selector",
    jobLabel=TEXT,
    selector=LABELS,
    endpoints=some(
        having(
            port=TEXT,
            path=TEXT,
            interval=DURATION,
            scrapeTimeout=DURATION,
            authorization=having(type=TEXT, credentials=SECRET_KEY),
        )
    ),
)
PROMETHEUS_RULE = having(
    "groups",
    groups=some(
        having(
            "name rules",
            name=TEXT,
            rules=some(
                having(
                    "expr",
                    alert=TEXT,
                    expr=TEXT,
                    labels=TEXTS,
                    annotations=TEXTS,
                    **{"for": DURATION},
                )
            ),
        )
    ),
)
SCALING = having(
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
    selectPolicy=one_of("Max", "Min", "Disabled"),
    policies=some(
        having("type value periodSeconds", type=one_of("Pods", "Percent"), value=NUMBER, periodSeconds=NUMBER)
    ),
)
PROMETHEUS_TRIGGER = having(
    "serverAddress query threshold", serverAddress=TEXT, query=TEXT, threshold=TEXT, activationThreshold=TEXT
)
API_TRIGGER = having(
    "url valueLocation targetValue",
    url=TEXT,
    valueLocation=TEXT,
    targetValue=TEXT,
    authMode=one_of("apiKey", "basic", "tls", "bearer"),
)


def trigger(name: str, metadata: Schema) -> Schema:
    return having(
        "type metadata",
        type=one_of(name),
        metricType=one_of("AverageValue", "Value", "Utilization"),
        metadata=metadata,
        authenticationRef=having("name", name=TEXT, kind=TEXT),
    )


SCALED_OBJECT = having(
    "scaleTargetRef triggers",
    scaleTargetRef=having("name", name=TEXT, kind=TEXT, apiVersion=TEXT),
    pollingInterval=NUMBER,
    minReplicaCount=NUMBER,
    maxReplicaCount=NUMBER,
    fallback=having(
        "failureThreshold replicas",
        failureThreshold=NUMBER,
        replicas=NUMBER,
        behavior=one_of("static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"),
    ),
    advanced=having(
        horizontalPodAutoscalerConfig=having(behavior=having(scaleUp=SCALING, scaleDown=SCALING)),
    ),
    triggers=some(
        {"oneOf": [trigger("prometheus", PROMETHEUS_TRIGGER), trigger("metrics-api", API_TRIGGER)]}
    ),
)
TRIGGER_AUTHENTICATION = having(
    secretTargetRef=some(having("parameter name key", parameter=TEXT, name=TEXT, key=TEXT))
)
SHAPES = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): SERVICE_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PROMETHEUS_RULE,
    ("keda.sh/v1alpha1", "ScaledObject"): SCALED_OBJECT,
    ("keda.sh/v1alpha1", "TriggerAuthentication"): TRIGGER_AUTHENTICATION,
}


def faults_of_other(thing: Mapping[str, Any]) -> list[str]:
    """What is wrong with one of these objects."""
    spec = SHAPES[thing["apiVersion"], thing["kind"]]
    schema = having("apiVersion kind metadata spec", apiVersion=TEXT, kind=TEXT, metadata=METADATA, spec=spec)
    return [
        f"{'/'.join(map(str, one.absolute_path))}: {one.message}"
        for one in Draft202012Validator(schema).iter_errors(thing)
    ]
