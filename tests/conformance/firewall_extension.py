"""What az's extension azure-firewall takes, as its public reference documents it.

The extension is on no package index, so az's own parser cannot be asked about its commands. This is the part of its
interface that our reports use: https://learn.microsoft.com/cli/azure/network/firewall
"""

import argparse

FLAG = {"choices": ["true", "false"], "nargs": "?", "const": "true"}
SOME = {"nargs": "+"}
NUMBER = {"type": int}
GROUP = "--resource-group"

# Matches of a rule of a policy, as `collection add-filter-collection` and `collection rule` take them.
MATCHES = {
    "--description": {},
    "--source-addresses": SOME,
    "--source-ip-groups": SOME,
    "--destination-addresses": SOME,
    "--destination-fqdns": SOME,
    "--destination-ip-groups": SOME,
    "--destination-ports": SOME,
    "--ip-protocols": SOME | {"choices": ["TCP", "UDP", "Any", "ICMP"]},
    "--fqdn-tags": SOME,
    "--target-fqdns": SOME,
    "--target-urls": SOME,
    "--web-categories": SOME,
    "--enable-tls-inspection": FLAG,
}


def port_of_protocol(text):
    """`Https=443`"""
    name, _, port = text.partition("=")
    if name not in ("Http", "Https", "Mssql") or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is no PROTOCOL=PORT")
    return text


PROTOCOLS = SOME | {"type": port_of_protocol}
COLLECTION = ("--policy-name", "--rule-collection-group-name", "--name", GROUP)
RULE = ("--policy-name", "--rule-collection-group-name", "--collection-name", "--name", GROUP)

# By command: what must be given, and what may be.
COMMANDS = {
    "show": (("--name", GROUP), {}),
    "update": (
        ("--name", GROUP),
        {"--private-ranges": SOME, "--public-ips": SOME, "--public-ip-count": NUMBER, "--dns-servers": SOME, "--enable-dns-proxy": FLAG},
    ),
    "ip-config create": (("--firewall-name", "--name", GROUP), {"--public-ip-address": {}, "--vnet-name": {}}),
    "ip-config delete": (("--firewall-name", "--name", GROUP), {}),
    "network-rule delete": (("--firewall-name", "--collection-name", "--name", GROUP), {}),
    "application-rule delete": (("--firewall-name", "--collection-name", "--name", GROUP), {}),
    "application-rule create": (
        ("--firewall-name", "--collection-name", "--name", "--protocols", GROUP),
        {
            "--protocols": PROTOCOLS,
            "--source-addresses": SOME,
            "--target-fqdns": SOME,
            "--fqdn-tags": SOME,
            "--action": {"choices": ["Allow", "Deny"]},
            "--priority": NUMBER,
        },
    ),
    "network-rule create": (
        ("--firewall-name", "--collection-name", "--name", "--protocols", "--destination-ports", GROUP),
        {
            "--protocols": SOME | {"choices": ["TCP", "UDP", "Any", "ICMP"]},
            "--destination-ports": SOME,
            "--source-addresses": SOME,
            "--destination-addresses": SOME,
            "--destination-fqdns": SOME,
            "--action": {"choices": ["Allow", "Deny"]},
            "--priority": NUMBER,
        },
    ),
    "policy update": (
        ("--name", GROUP),
        {"--private-ranges": SOME, "--enable-dns-proxy": FLAG, "--dns-servers": SOME, "--threat-intel-mode": {"choices": ["Alert", "Deny", "Off"]}},
    ),
    "policy rule-collection-group show": (("--policy-name", "--name", GROUP), {}),
    "policy rule-collection-group collection remove": (COLLECTION, {}),
    "policy rule-collection-group collection add-filter-collection": (
        (*COLLECTION, "--collection-priority"),
        MATCHES
        | {
            "--collection-priority": NUMBER,
            "--action": {"choices": ["Allow", "Deny"]},
            "--rule-name": {},
            "--rule-type": {"choices": ["ApplicationRule", "NetworkRule"]},
            "--protocols": PROTOCOLS,
        },
    ),
    "policy rule-collection-group collection rule update": (RULE, MATCHES | {"--protocols": PROTOCOLS}),
    "policy rule-collection-group collection rule remove": (RULE, {}),
}  # fmt: skip


class Objection(Exception):
    """What is wrong with a command."""


class Parser(argparse.ArgumentParser):
    """One that raises instead of leaving."""

    def error(self, message):
        raise Objection(message)


def objection(words):
    """What is wrong with `az network firewall …`, in the words of az's parser; None when nothing is."""
    options = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    name = " ".join(words[3:options])
    if name not in COMMANDS:
        return f"'{name}' is no command of network firewall that is known here"
    required, optional = COMMANDS[name]
    parser = Parser(add_help=False, allow_abbrev=False)
    for option in ("--subscription", *(set(optional) - set(required))):
        parser.add_argument(option, **optional.get(option, {}))
    for option in required:
        parser.add_argument(option, required=True, **optional.get(option, {}))
    try:
        parser.parse_args(words[options:])
    except Objection as wrong:
        return str(wrong)
    return None
