"""The alert rules: real metrics with the aggregations and dimensions they have, and a wired action group."""

import json

import pytest
from conftest import INFRA

RULES = json.loads((INFRA / "alerts" / "rules.json").read_text())
ALERTS = (INFRA / "alerts.bicep").read_text()
MODULE = (INFRA / "modules" / "metric-alerts.bicep").read_text()

# Azure Monitor's supported metrics: aggregations and dimensions of those that are watched.
CATALOGUE = {
    "Microsoft.Network/loadBalancers": {
        "SnatConnectionCount": ({"Total"}, {"FrontendIPAddress", "BackendIPAddress", "ConnectionState"}),
        "UsedSnatPorts": ({"Average"}, {"FrontendIPAddress", "BackendIPAddress", "ProtocolType", "IsAwaitingRemoval"}),
    },
    "Microsoft.Network/natGateways": {
        "SNATConnectionCount": ({"Total"}, {"Protocol", "ConnectionState"}),
        "DatapathAvailability": ({"Average"}, set()),
    },
    "Microsoft.Network/azureFirewalls": {
        "SNATPortUtilization": ({"Average", "Maximum"}, {"Protocol"}),
    },
}
EVERY = [(kind, rule) for kind, rules in RULES.items() for rule in rules]


@pytest.mark.parametrize(("kind", "rule"), EVERY, ids=[f"{kind}-{rule['name']}" for kind, rule in EVERY])
class TestRule:
    def test_it_watches_a_metric_of_its_resource_type(self, kind, rule):
        assert rule["metricNamespace"].lower() == f"microsoft.network/{kind}".lower()
        aggregations, dimensions = CATALOGUE[rule["metricNamespace"]][rule["metricName"]]
        assert rule["timeAggregation"] in aggregations
        assert {dimension["name"] for dimension in rule["dimensions"]} <= dimensions
        for dimension in rule["dimensions"]:
            assert dimension["operator"] == "Include" and dimension["values"]

    def test_it_has_one_threshold(self, kind, rule):
        assert ("threshold" in rule) != ("thresholdIs" in rule)
        if "thresholdIs" in rule:
            assert f"  {rule['thresholdIs']}: " in ALERTS

    def test_it_says_what_happened_and_how_bad(self, kind, rule):
        assert rule["description"].endswith(".")
        assert rule["severity"] in range(5)
        assert rule["operator"] in {"GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual", "Equals"}


def test_what_must_be_watched_is_watched():
    assert {(kind, rule["metricName"]) for kind, rule in EVERY} == {
        ("loadBalancers", "SnatConnectionCount"),
        ("loadBalancers", "UsedSnatPorts"),
        ("natGateways", "SNATConnectionCount"),
        ("natGateways", "DatapathAvailability"),
        ("azureFirewalls", "SNATPortUtilization"),
    }
    for rule in [*RULES["loadBalancers"], *RULES["natGateways"]]:
        if rule["metricName"].lower() == "snatconnectioncount":
            # Without the filter every connection would count.
            states = {tuple(d["values"]) for d in rule["dimensions"] if d["name"] == "ConnectionState"}
            assert states == {("Failed",)}


def test_every_list_of_rules_is_deployed():
    for kind in RULES:
        assert f"rules: rules.{kind}\n" in ALERTS
    for field in ("metricNamespace", "metricName", "timeAggregation", "operator", "dimensions", "severity", "description"):
        assert f"{field}: rule.{field}\n" in MODULE


def test_the_action_group_calls_the_app_with_the_common_schema(routes):
    assert "post" in routes["alerts"]
    assert "'${apiUrl}/alerts?code=" in ALERTS
    assert ALERTS.count("useCommonAlertSchema: true") == ALERTS.count("name: 'diagnose'") == 2
    assert "clusterResourceId: clusterId" in MODULE
