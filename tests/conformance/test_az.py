"""The troubleshooting guide's own commands, run with the real az command line, agree with our report's fields."""

import pytest
from conftest import SCENARIOS

ALL = [(declared, scenario) for declared, scenarios in SCENARIOS.items() for scenario in scenarios]
NAT = [scenario for declared, scenario in ALL if declared.endswith("NATGateway")]
# Device with SNAT ports, its metric of connections, and the scenarios behind such a device.
SNAT = [("SnatConnectionCount", scenario) for declared, scenario in ALL if declared == "loadBalancer"]
SNAT += [("SNATConnectionCount", scenario) for scenario in NAT]


def named(cluster_id):
    """The options by which az names the resource: subscription, group and name."""
    parts = cluster_id.split("/")
    return ["--subscription", parts[2], "--resource-group", parts[4], "--name", parts[-1]]


def ids(values):
    """ARM ids in one case: ARM compares them so."""
    return sorted(value.lower() for value in values)


@pytest.mark.parametrize(("declared", "scenario"), ALL)
def test_outbound_type(az, sandbox, report, declared, scenario):
    shown = az("aks", "show", *named(sandbox.clusters[scenario]), "--query", "networkProfile.outboundType")
    assert shown == declared
    assert report(scenario)["outbound"]["declaredType"] == shown


@pytest.mark.parametrize("scenario", [scenario for _, scenario in ALL])
def test_required_endpoints(az, sandbox, report, scenario):
    url = f"{sandbox.clusters[scenario]}/outboundNetworkDependenciesEndpoints?api-version=2026-08-01"
    answer = az("rest", "--method", "get", "--url", url)
    shown = [
        (group["category"], endpoint["domainName"], detail["port"], detail["protocol"])
        for group in answer["value"]
        for endpoint in group["endpoints"]
        for detail in endpoint["endpointDetails"]
    ]
    ours = report(scenario)["egressEndpoints"]
    assert ours["source"] == "arm"
    assert shown, "the sandbox names no endpoints"
    # Beside ARM's list stands what Azure's documentation adds to it.
    listed = [item for item in ours["items"] if item["source"] == "arm"]
    found = [(item["category"], item["domainName"], item["port"], item["protocol"]) for item in listed]
    assert sorted(found) == sorted(shown)


@pytest.mark.parametrize("scenario", NAT)
def test_nat_gateway_subnets(az, report, scenario):
    ours = report(scenario)["natGateway"]
    assert ours["gateways"], "a NAT gateway is expected here"
    for gateway in ours["gateways"]:
        shown = az("network", "nat", "gateway", "show", *named(gateway["id"]), "--query", "subnets[].id")
        here = [one for one in ours["associations"] if (one["natGatewayId"] or "").lower() == gateway["id"].lower()]
        assert ids({one["subnetId"] for one in here if one["associated"]}) == ids(shown)
        missing = {one["subnetId"] for one in ours["associations"] if not one["associated"]}
        assert not set(ids(missing)) & set(ids(shown))
    assert any(not one["associated"] for one in ours["associations"]) == scenario.startswith("nat-missing")


@pytest.mark.parametrize(("metric", "scenario"), SNAT)
def test_failed_snat_connections(az, report, metric, scenario):
    made = report(scenario)
    snat = made["snat"]
    assert snat["resourceIds"], "a device with SNAT ports is expected here"
    shown = 0
    for resource in snat["resourceIds"]:
        answer = az(
            "monitor", "metrics", "list",
            "--resource", resource,
            "--metrics", metric,
            "--aggregation", "Total",
            "--filter", "ConnectionState eq 'Failed'",
            "--start-time", made["window"]["start"],
            "--end-time", made["window"]["end"],
            "--interval", "PT1M",
        )  # fmt: skip
        shown += sum(
            point["total"]
            for value in answer["value"]
            for series in value["timeseries"]
            for point in series["data"]
            if point.get("total") is not None
        )
    assert snat["failedConnections"] == shown
    assert (shown > 0) == (scenario in ("snat-exhausted-one-node", "connections-failing"))
