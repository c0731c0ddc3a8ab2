"""The troubleshooting guide's own commands, run with the real az command line, agree with our report's fields."""

import pytest
from conftest import PRESSED, SCENARIOS

ALL = [(declared, scenario) for declared, scenarios in SCENARIOS.items() for scenario in scenarios]
NAT = [scenario for declared, scenario in ALL if declared.endswith("NATGateway")]
# Device with SNAT ports, its metric of connections, and the scenarios behind such a device.
SNAT = [("SnatConnectionCount", scenario) for declared, scenario in ALL if declared == "loadBalancer"]
SNAT += [("SNATConnectionCount", scenario) for scenario in NAT]
BALANCED = [scenario for declared, scenario in ALL if declared == "loadBalancer"]
FIREWALLED = [scenario for declared, scenario in ALL if declared == "userDefinedRouting"]


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


def series(az, made, resource, metric, aggregation, condition):
    """The points of a metric as az has them, in the report's window and by the minute: one dict of time → value per series,
    with the values of its dimensions."""
    answer = az(
        "monitor", "metrics", "list",
        "--resource", resource,
        "--metrics", metric,
        "--aggregation", aggregation,
        "--filter", condition,
        "--top", "1000",
        "--start-time", made["window"]["start"],
        "--end-time", made["window"]["end"],
        "--interval", "PT1M",
    )  # fmt: skip
    found = []
    for value in answer["value"]:
        for one in value["timeseries"]:
            names = {part["name"]["value"].lower(): part["value"] for part in one["metadatavalues"]}
            points = {p["timeStamp"]: p[aggregation.lower()] for p in one["data"] if p.get(aggregation.lower()) is not None}
            found.append((names, points))
    return found


@pytest.mark.parametrize(("metric", "scenario"), SNAT)
def test_failed_snat_connections(az, report, metric, scenario):
    made = report(scenario)
    snat = made["snat"]
    assert snat["resourceIds"], "a device with SNAT ports is expected here"
    shown = sum(
        sum(points.values())
        for resource in snat["resourceIds"]
        for _, points in series(az, made, resource, metric, "Total", "ConnectionState eq 'Failed'")
    )
    assert snat["failedConnections"] == shown
    assert (shown > 0) == (scenario in ("snat-exhausted-one-node", "connections-failing"))


@pytest.mark.parametrize("scenario", BALANCED)
def test_ports_of_each_node(az, report, scenario):
    """Most ports used at a time, ports handed out at last, and failures: node by node, of the protocol that is fuller."""
    made = report(scenario)
    (balancer,) = made["snat"]["resourceIds"]
    every = "BackendIPAddress eq '*' and FrontendIPAddress eq '*' and ProtocolType eq '*'"
    used, allocated = (
        by_node(series(az, made, balancer, metric, "Average", every), "protocoltype")
        for metric in ("UsedSnatPorts", "AllocatedSnatPorts")
    )
    states = "BackendIPAddress eq '*' and ConnectionState eq 'Failed'"
    failed = by_node(series(az, made, balancer, "SnatConnectionCount", "Total", states), "connectionstate")
    backends = made["snat"]["backends"]
    assert {backend["ipAddress"] for backend in backends} == {node for node, _ in used}
    for backend in backends:
        node = backend["ipAddress"]
        protocols = [(max(points.values()), key) for key, points in used.items() if key[0] == node]
        peak, key = max(protocols)
        assert backend["usedPeak"] == round(peak), node
        first = min(time for time, value in used[key].items() if value == peak)
        assert minute(backend["usedPeakAt"]) == minute(first), node
        assert backend["allocated"] == round(allocated[key][max(allocated[key])]), node
        assert backend["failed"] == sum(sum(p.values()) for k, p in failed.items() if k[0] == node), node
    assert made["snat"]["usedPeak"] == max(backend["usedPeak"] for backend in backends)
    shares = [
        value / allocated[key][time] for key, points in used.items() for time, value in points.items() if time in allocated[key]
    ]
    assert made["snat"]["utilizationPeak"] == pytest.approx(max(shares))


def by_node(all_series, dimension):
    """Series by node and one dimension more, frontends of the same minute added up."""
    sums = {}
    for names, points in all_series:
        total = sums.setdefault((names["backendipaddress"], names[dimension]), {})
        for time, value in points.items():
            total[time] = total.get(time, 0) + value
    return sums


def minute(time):
    """A time to the minute: az and the report differ in how they write the zone."""
    return time[:16]


@pytest.mark.parametrize("scenario", NAT)
def test_connections_of_a_nat_gateway(az, report, scenario):
    made = report(scenario)
    peaks = []
    for gateway in made["snat"]["resourceIds"]:
        total = {}
        for _, points in series(az, made, gateway, "TotalConnectionCount", "Total", "Protocol eq '*'"):
            for time, value in points.items():
                total[minute(time)] = total.get(minute(time), 0) + value
        peaks.append(max(total.values()))
        ours = [one for one in made["snat"]["series"] if one["name"] == f"open connections {gateway.rsplit('/')[-1]}"]
        drawn = {minute(time): value for one in ours for time, value in one["points"]}
        assert drawn == {time: pytest.approx(value) for time, value in total.items()}
    assert made["snat"]["usedPeak"] == max(peaks)


@pytest.mark.parametrize("scenario", FIREWALLED)
def test_ports_of_a_firewall(az, report, scenario):
    made = report(scenario)
    (firewall,) = [one for one in made["snat"]["resourceIds"] if "/azureFirewalls/" in one]
    protocols = series(az, made, firewall, "SNATPortUtilization", "Average", "Protocol eq '*'")
    worst = max(max(five_minutes(points).values()) for _, points in protocols)
    assert made["snat"]["utilizationPeak"] == pytest.approx(worst / 100)
    found = [finding for finding in made["findings"] if finding["code"] == "FWL115"]
    assert bool(found) == (worst > 80) == (scenario == "firewall-snat-exhausted")
    if found:
        assert found[0]["evidence"][0]["value"] == f"{worst:.1f} %"


@pytest.mark.parametrize("scenario", PRESSED)
def test_load_of_each_node(az, sandbox, pressure, scenario):
    """CPU, memory and disk space of the nodes, as the cluster's platform metrics have them."""
    made = pressure(scenario)
    every = "node eq '*' and nodepool eq '*'"
    for metric, ours in by_metric(made["nodes"]["hottest"]).items():
        shown = series(az, made, sandbox.clusters[scenario], metric, "Average", every)
        agree(ours, {names["node"]: points for names, points in shown})
    assert made["nodes"]["cpuPeakPercent"] == (98 if scenario == "node-cpu-peak" else 18)


@pytest.mark.parametrize("scenario", PRESSED)
def test_os_disks_of_each_node(az, pressure, scenario):
    """What the OS disks did, instance by instance of the scale sets."""
    made = pressure(scenario)
    cluster = made["cluster"]
    options = ["--subscription", cluster["subscriptionId"], "--resource-group", cluster["nodeResourceGroup"]]
    sets = az("vmss", "list", *options, "--query", "[].id")
    assert sets, "the nodes are instances of scale sets"
    hottest = {metric: ours for metric, ours in by_metric(made["disks"]["hottest"]).items() if metric.startswith("OS Disk")}
    assert "OS Disk IOPS Consumed Percentage" in hottest
    for metric, ours in hottest.items():
        shown = [one for scale_set in sets for one in series(az, made, scale_set, metric, "Average", "VMName eq '*'")]
        agree(ours, {computer(names["vmname"]): points for names, points in shown})
    assert made["disks"]["osDiskIopsPeakPercent"] == (100 if scenario == "os-disk-throttled" else 6)


def by_metric(hottest):
    """The report's hottest nodes of each metric."""
    metrics = {}
    for one in hottest:
        metrics.setdefault(one["metric"], {})[one["node"]] = one
    return metrics


def agree(ours, shown):
    """The nodes that the report names have the peaks that az shows, and no other node has a higher one."""
    peaks = {node: max(five_minutes(points).values()) for node, points in shown.items()}
    assert ours, "the report names nodes"
    for node, one in ours.items():
        windows = five_minutes(shown[node])
        assert one["peak"] == pytest.approx(peaks[node]), node
        assert one["windowsAbove"] in (
            sum(value > one["limit"] for value in windows.values()),
            sum(value >= one["limit"] for value in windows.values()),
        ), node
        first = min(start for start, value in windows.items() if value == peaks[node])
        assert minute(one["peakAt"]) == minute(first), node
    assert max(one["peak"] for one in ours.values()) == pytest.approx(max(peaks.values()))


def computer(instance):
    """The computer of a scale set's instance: `aks-apps-1-vmss_11` is `aks-apps-1-vmss00000b`."""
    name, number = instance.rsplit("_", 1)
    digits, left = "", int(number)
    while left:
        left, digit = divmod(left, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"{name}{digits:0>6}"


def five_minutes(points):
    """Averages over windows of five minutes by the clock, as Azure's own alerts take them."""
    windows = {}
    for time, value in points.items():
        start = f"{time[:14]}{int(time[14:16]) // 5 * 5:02}"
        windows.setdefault(start, []).append(value)
    return {start: sum(values) / len(values) for start, values in windows.items()}
