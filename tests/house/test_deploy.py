"""What containers are started with is there: commands, settings, ports, probes; nothing runs as root."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.house.test_commands import EVERY
from wangxin.config import Settings
from wangxin.model import limits

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "wangxin.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "containers" / "compose.yml").read_text())
NAMES = {f"WANGXIN_{name.upper()}" for name in Settings.model_fields}
PARTS = {"hub", "web", "dispatcher", "worker", "migrate"}


def pods() -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """(labels, spec) of every pod that the manifests make."""
    for one in MANIFESTS:
        template = one.get("spec", {}).get("template")
        if template:
            yield template["metadata"]["labels"], template["spec"]


def starts(words: list[str]) -> None:
    """Fails where the program does not take these words."""
    name, *rest = [word.replace("$(POD)", "pod-1") for word in words]
    EVERY[name].make_context(name, rest)


def test_every_pod_starts_a_command_that_there_is_without_rights_it_does_not_need() -> None:
    found = set()
    for labels, spec in pods():
        (container,) = spec["containers"]
        starts(container["args"])
        found.add(labels["part"])
        assert spec["securityContext"]["runAsNonRoot"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert found == PARTS


def test_services_and_budgets_select_pods_and_name_ports_that_these_have() -> None:
    labelled = list(pods())
    for one in MANIFESTS:
        if one["kind"] not in ("Service", "PodDisruptionBudget", "Deployment"):
            continue
        selector = one["spec"]["selector"]
        wanted = (selector.get("matchLabels") or selector).items()
        chosen = [spec for labels, spec in labelled if wanted <= labels.items()]
        assert len(chosen) == 1, one["metadata"]["name"]
        for port in one["spec"].get("ports", ()):
            assert port["targetPort"] in {p["name"] for p in chosen[0]["containers"][0]["ports"]}
    (ingress,) = (one for one in MANIFESTS if one["kind"] == "Ingress")
    services = {one["metadata"]["name"]: one for one in MANIFESTS if one["kind"] == "Service"}
    for path in ingress["spec"]["rules"][0]["http"]["paths"]:
        backend = path["backend"]["service"]
        assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]["spec"]["ports"]}


def test_only_settings_that_there_are_are_set_and_secrets_stand_in_secrets() -> None:
    (config,) = (one["data"] for one in MANIFESTS if one["kind"] == "ConfigMap")
    (secret,) = (one["stringData"] for one in MANIFESTS if one["kind"] == "Secret")
    assert {*config, *secret} <= NAMES
    assert {"WANGXIN_POSTGRES_URL", "WANGXIN_VALKEY_URL", "WANGXIN_SECRET"} == set(secret)
    for name, service in COMPOSE["services"].items():
        if service["image"] == "wangxin":
            assert set(service["environment"]) <= NAMES, name
            assert service["read_only"]
            starts(service["command"])
    assert {name.rstrip("12") for name, one in COMPOSE["services"].items() if one["image"] == "wangxin"} == PARTS
    written = (DEPLOY / "containers" / "compose.yml").read_text()
    for passed in re.findall(r"(?:PASSWORD|SECRET|AUTH): (.+)$", written, re.MULTILINE):
        assert "${" in passed, "no secret stands in the file"


def test_nothing_is_restarted_because_a_store_is_away() -> None:
    """``/healthz`` of the web says 503 while PostgreSQL is away: good for being ready, not for being alive."""
    probes = [spec["containers"][0].get("livenessProbe", {}) for _, spec in pods()]
    assert [set(probe) & {"httpGet", "tcpSocket"} for probe in probes if probe] == [{"tcpSocket"}] * 2


def test_containers_and_machines_are_reached_by_one_nginx_site() -> None:
    """The site of the containers differs from the other in names of servers and in TLS alone."""

    def locations(path: Path) -> list[str]:
        text = re.sub(r"proxy_pass http://\w+;", "", path.read_text())
        text = text[text.index("client_max_body_size") :]
        return re.findall(r"location [^{]+\{[^}]*\}", text)

    assert locations(DEPLOY / "containers" / "nginx.conf") == locations(DEPLOY / "nginx" / "wangxin.conf")


def test_nginx_bounds_an_address_as_the_product_does() -> None:
    for path in (DEPLOY / "containers" / "nginx.conf", DEPLOY / "nginx" / "wangxin.conf"):
        text = path.read_text()
        (requests,) = re.findall(r"zone=wangxin_requests:10m rate=(\d+)r/s", text)
        (lines,) = re.findall(r"zone=wangxin_lines:10m rate=(\d+)r/s", text)
        (ws,) = re.findall(r"location = /ws \{[^}]*zone=wangxin_lines burst=(\d+) nodelay", text)
        (rest,) = re.findall(r"location / \{[^}]*zone=wangxin_requests burst=(\d+) nodelay", text)
        (held,) = re.findall(r"limit_conn wangxin_held (\d+);", text)
        assert (int(requests), int(rest)) == limits.REQUESTS_ADDRESS
        assert (int(lines), int(ws)) == limits.LINES_ADDRESS
        assert int(held) == limits.CONNECTIONS_PER_ADDRESS_MAX
        assert text.count("_status 429;") == 2
        assert "error_page 429 @often" in text
        assert "add_header Retry-After 10 always" in text


def test_nginx_speaks_tls_of_today_only_and_leads_no_program_on() -> None:
    text = (DEPLOY / "nginx" / "wangxin.conf").read_text()
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    assert re.search(r'Strict-Transport-Security "max-age=(\d+); includeSubDomains" always', text)
    assert "location ~ ^/(api|ws|media|metrics)(/|$) { return 403; }" in text.split("listen 443")[0]
