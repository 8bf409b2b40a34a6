"""Kubernetes objects read as strictly as its server reads them: every field known, every field that is needed there."""

from __future__ import annotations

import json
import re
from importlib import import_module
from types import SimpleNamespace
from typing import Any

# It brings no types.
client: Any = import_module("kubernetes.client")
_KINDS = {
    ("apps/v1", "Deployment"): "V1Deployment",
    ("v1", "Service"): "V1Service",
    ("v1", "ConfigMap"): "V1ConfigMap",
    ("v1", "Secret"): "V1Secret",
    ("v1", "PersistentVolumeClaim"): "V1PersistentVolumeClaim",
    ("policy/v1", "PodDisruptionBudget"): "V1PodDisruptionBudget",
    ("networking.k8s.io/v1", "Ingress"): "V1Ingress",
    ("networking.k8s.io/v1", "NetworkPolicy"): "V1NetworkPolicy",
}
_COLLECTION = re.compile(r"(list|dict)[\[(](?:str, )?(.+)[\])]")
_PLAIN: dict[str, Any] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
    "object": object,
    "datetime": str,
}


def strict_object(content: dict[str, Any]) -> Any:
    """The object as a model. Raises ValueError naming what no model knows, or what is missing."""
    kind = (content.get("apiVersion", ""), content.get("kind", ""))
    if kind not in _KINDS:
        raise ValueError(f"no kind {kind}")
    return strict(content, _KINDS[kind])


def strict(content: Any, model: str) -> Any:
    """A part of an object, such as a V1Volume. Raises ValueError."""
    _refuse_unknown(content, model, model)
    answer = SimpleNamespace(data=json.dumps(content))
    return client.ApiClient().deserialize(answer, model)


def _refuse_unknown(content: Any, kind: str, place: str) -> None:
    if found := _COLLECTION.fullmatch(kind):
        outer, inner = found[1], found[2]
        if not isinstance(content, list if outer == "list" else dict):
            raise ValueError(f"{place} is no {outer}")
        for key, item in content.items() if isinstance(content, dict) else enumerate(content):
            _refuse_unknown(item, inner, f"{place}[{key}]")
    elif kind in _PLAIN:
        wrong = not isinstance(content, _PLAIN[kind]) or (kind == "int" and isinstance(content, bool))
        # A port may be a name, a quantity a number.
        if wrong and place.rpartition(".")[2] not in ("port", "targetPort", "maxUnavailable", "maxSurge"):
            raise ValueError(f"{place} is {content!r}, and has to be {kind}")
    else:
        model = getattr(client, kind)
        if not isinstance(content, dict):
            raise ValueError(f"{place} is no object")
        names = {known: attribute for attribute, known in model.attribute_map.items()}
        for key, item in content.items():
            if key not in names:
                raise ValueError(f"{place}.{key} is no field of {kind}")
            _refuse_unknown(item, model.openapi_types[names[key]], f"{place}.{key}")
